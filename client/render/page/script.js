// What the page can do beyond being read: themes, sorting, searching. It works on what is there; no data is in here.
'use strict';
(() => {
  // Dark styles are a sheet of their own, whose media decide; print stays light.
  const sheet = document.getElementById('dark');
  const toggle = document.getElementById('theme');
  const system = matchMedia('(prefers-color-scheme: dark)');
  let dark = system.matches;
  const show = () => {
    sheet.media = dark ? 'screen' : 'not all';
    toggle.textContent = dark ? 'Light' : 'Dark';
    toggle.setAttribute('aria-label', dark ? 'Switch to light colours' : 'Switch to dark colours');
  };
  toggle.addEventListener('click', () => { dark = !dark; show(); });
  system.addEventListener('change', () => { dark = system.matches; show(); });
  toggle.hidden = false;
  show();

  const number = (text) => {
    const found = /-?\d[\d,]*(\.\d+)?(e[-+]?\d+)?/i.exec(text);
    return found ? parseFloat(found[0].replace(/,/g, '')) : NaN;
  };
  // What is undefined comes last either way.
  const compare = (a, b, numeric, sign) => {
    if (!numeric) return sign * a.localeCompare(b, 'en', { numeric: true });
    const x = number(a), y = number(b);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (x - y);
  };
  const sortBy = (table, column, header) => {
    const ascending = header.getAttribute('aria-sort') !== 'ascending';
    for (const other of header.parentNode.children) other.removeAttribute('aria-sort');
    header.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
    const body = table.tBodies[table.tBodies.length - 1];
    const rows = [...body.rows].map((row) => ({ row, key: row.cells[column].textContent }));
    const numeric = header.classList.contains('n');
    rows.sort((a, b) => compare(a.key, b.key, numeric, ascending ? 1 : -1));
    body.append(...rows.map((entry) => entry.row));
  };
  for (const table of document.querySelectorAll('table.sortable')) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = header.textContent;
      button.addEventListener('click', () => sortBy(table, column, header));
      header.replaceChildren(button);
      header.classList.add('sorts');
    });
  }

  // What fits its box needs no stop on the way of the Tab key.
  const stops = [...document.querySelectorAll('.scroll')];
  const mark = () => {
    const wide = stops.map((box) => box.scrollWidth > box.clientWidth);
    stops.forEach((box, i) => { wide[i] ? box.tabIndex = 0 : box.removeAttribute('tabindex'); });
  };
  addEventListener('resize', mark);
  mark();

  // A long table shows some of its rows; a search looks through all of them.
  for (const tools of document.querySelectorAll('.tools')) {
    const body = document.getElementById(tools.dataset.table).tBodies;
    const rows = [...body[body.length - 1].rows];
    const few = new Set(rows.filter((row) => !row.hidden));
    const field = tools.querySelector('input');
    const all = tools.querySelector('button');
    const count = tools.querySelector('output');
    const update = () => {
      const wanted = field.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = wanted ? !row.cells[0].textContent.toLowerCase().includes(wanted)
                            : !few.has(row) && all.getAttribute('aria-pressed') !== 'true';
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = shown + ' of ' + rows.length + ' shown';
    };
    field.addEventListener('input', update);
    all.addEventListener('click', () => {
      all.setAttribute('aria-pressed', all.getAttribute('aria-pressed') === 'true' ? 'false' : 'true');
      update();
    });
    tools.hidden = false;
    update();
  }
})();

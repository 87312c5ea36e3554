#!/usr/bin/python3
"""Draws a dashboard roughly as Grafana does, of what a Prometheus answers now: picture.py URL BOARD OUT.html [SECONDS]

To look at after a change of a dashboard, where there is no Grafana: `picture.py http://127.0.0.1:9090 assay-robustness out.html 3600`,
then open the page, or `chromium --headless --screenshot=out.png --window-size=1440,2400 out.html`. Of Grafana it does what these
dashboards use: stats, tables with their transformations, bars, lines.
"""
import html
import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request

import dashboards

PALETTE = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300", "#447ebc", "#c15c17"]
NAMED = {"red": "#f2495c", "orange": "#ff9830", "yellow": "#fade2a", "green": "#73bf69", "blue": "#5794f2", "text": "#ccccdc"}
RAMPS = {"continuous-RdYlGr": ["red", "yellow", "green"], "continuous-GrYlRd": ["green", "yellow", "red"]}
STYLE = """body{background:#111217;color:#ccccdc;font:13px sans-serif;margin:8px;width:1424px}
.grid{display:grid;grid-template-columns:repeat(24,1fr);grid-auto-rows:30px;gap:8px}
.panel{background:#181b1f;border:1px solid #2c2f36;padding:6px 10px;overflow:hidden;display:flex;flex-direction:column}
.panel h2{font-size:13px;font-weight:500;margin:0 0 4px}.body{flex:1;min-height:0;overflow:hidden}
table{border-collapse:collapse;width:100%}th{text-align:left;color:#8e9099;font-weight:500}td,th{padding:3px 6px;border-bottom:1px solid #24272d;white-space:nowrap}
.stat{display:flex;height:100%;align-items:center;justify-content:space-around}.stat b{font-size:26px}.legend{color:#8e9099;font-size:11px}
.bar{display:flex;align-items:center;margin:3px 0}.bar span{flex:0 0 46%}.bar i{background:#24272d;flex:1;height:14px}.bar b{flex:0 0 60px;text-align:right}"""


def number(value, unit, decimals=None):
    """As Grafana writes it, or nearly."""
    if value is None or math.isnan(value):
        return ""
    if unit == "percentunit":
        return f"{100 * value:.{1 if decimals is None else decimals}f} %"
    if unit == "s":
        for seconds, name in [(86400, "days"), (3600, "hours"), (60, "min"), (1, "s")]:
            if abs(value) >= seconds:
                return f"{value / seconds:.1f} {name}"
        return f"{1000 * value:.1f} ms"
    if unit in ("bytes", "Bps"):
        power = min(4, int(math.log(max(1, abs(value)), 1024)))
        return f"{value / 1024**power:.1f} {['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}" + ("/s" if unit == "Bps" else "")
    return f"{value:,.{decimals}f}" if decimals is not None else f"{value:,.4g}"


def mix(one, other, share):
    pair = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (one, other)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*pair))


def color(value, field):
    """Of a value, by the field's color mode."""
    mode = field.get("color", {}).get("mode", "thresholds")
    if value is None:
        return NAMED["text"]
    if mode in RAMPS:
        low, middle, high = (NAMED[name] for name in RAMPS[mode])
        share = min(1, max(0, value / field.get("max", 1)))
        return mix(low, middle, 2 * share) if share < 0.5 else mix(middle, high, 2 * share - 1)
    if mode == "fixed":
        return NAMED[field["color"]["fixedColor"]]
    found = "text"
    for step in field.get("thresholds", {}).get("steps", []):
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    return NAMED[found]


def field_of(panel, name, reference=None):
    """Defaults and overrides of the field with that name."""
    field = json.loads(json.dumps(panel["fieldConfig"]["defaults"]))
    for override in panel["fieldConfig"]["overrides"]:
        kind, wanted = override["matcher"]["id"], override["matcher"]["options"]
        if (kind == "byName" and wanted == name) or (kind == "byFrameRefID" and wanted == reference) or (kind == "byRegexp" and re.search(wanted, name)):
            for prop in override["properties"]:
                *path, last = prop["id"].split(".")
                place = field
                for key in path:
                    place = place.setdefault(key, {})
                place[last] = prop["value"]
    return field


class Source:
    def __init__(self, url, seconds):
        self.url, self.seconds = url.rstrip("/") + "/api/v1/", seconds

    def get(self, path, **parameters):
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
            return json.load(answer)["data"]["result"]

    def instant(self, expression):
        return [(each["metric"], float(each["value"][1])) for each in self.get("query", query=expression)]

    def range(self, expression):
        end, step = time.time(), max(1, self.seconds // 400)
        found = self.get("query_range", query=expression, start=end - self.seconds, end=end, step=step)
        return [(each["metric"], [(float(t), float(v)) for t, v in each["values"]]) for each in found]


def legend(target, labels):
    if "legendFormat" not in target:
        return ", ".join(f"{key}={value}" for key, value in labels.items())
    return re.sub(r"{{(\w+)}}", lambda name: labels.get(name.group(1), ""), target["legendFormat"])


def transformed(panel, source):
    """Rows of a table: dictionaries, and the order of the columns."""
    queries = [(target, source.instant(dashboards.substituted(target["expr"], "1m", {}))) for target in panel["targets"]]
    rows = []
    for target, samples in queries:
        value = "Value" if len(queries) == 1 else f"Value #{target['refId']}"
        for labels, sample in samples:
            # What "merge" does: rows with equal labels become one.
            same = next((row for row in rows if row["labels"] == labels), None)
            if same is None:
                same = {"labels": labels, "cells": {"Time": 0, **labels}}
                rows.append(same)
            same["cells"][value] = sample
    rows = [row["cells"] for row in rows]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for step in panel.get("transformations", []):
        options = step["options"]
        if step["id"] == "groupingToMatrix":
            row_field, column_field = options["rowField"], options["columnField"]
            first = f"{row_field}\\{column_field}"
            table = {}
            for row in rows:
                table.setdefault(row[row_field], {first: row[row_field]})[row[column_field]] = row[options["valueField"]]
            columns = [first, *dict.fromkeys(row[column_field] for row in rows)]
            rows = list(table.values())
        elif step["id"] == "organize":
            columns = [name for name in columns if not options["excludeByName"].get(name)]
            order = options["indexByName"]
            columns.sort(key=lambda name: order.get(name, len(order)))
            names = options["renameByName"]
            rows = [{names.get(name, name): row[name] for name in columns if name in row} for row in rows]
            columns = [names.get(name, name) for name in columns]
        elif step["id"] == "convertFieldType":
            for conversion in options["conversions"]:
                rows = [{**row, conversion["targetField"]: float(row[conversion["targetField"]])} for row in rows]
        elif step["id"] == "sortBy":
            rows.sort(key=lambda row: row[options["sort"][0]["field"]])
    for sort in panel.get("options", {}).get("sortBy", []):
        rows.sort(key=lambda row: row.get(sort["displayName"], 0), reverse=sort["desc"])
    return rows, columns


def draw_table(panel, source):
    rows, columns = transformed(panel, source)
    text = "<table><tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in columns) + "</tr>"
    for row in rows:
        text += "<tr>"
        for name in columns:
            field, value, style = field_of(panel, name), row.get(name), ""
            shown = value if isinstance(value, str) else number(value, field.get("unit"), field.get("decimals"))
            kind = field.get("custom", {}).get("cellOptions", {}).get("type")
            mapped = field.get("mappings", [{}])[0].get("options", {}).get(f"{value:g}" if isinstance(value, float) else value)
            tint = NAMED[mapped["color"]] if mapped else color(value, field) if isinstance(value, float) else None
            shown = (mapped or {}).get("text", shown)
            if kind == "color-background" and tint:
                style = f"background:{tint};color:#111217;text-align:center"
            elif kind == "color-text" and tint:
                style = f"color:{tint}"
            elif kind == "gauge" and isinstance(value, float):
                style = f"background:linear-gradient(90deg,{tint}66 {100 * value:.0f}%,#24272d {100 * value:.0f}%)"
            text += f'<td style="{style}">{html.escape(str(shown or ""))}</td>'
        text += "</tr>"
    return text + "</table>"


def draw_stat(panel, source):
    text = ""
    for target in panel["targets"]:
        for labels, value in source.instant(dashboards.substituted(target["expr"], "1m", {})):
            field = panel["fieldConfig"]["defaults"]
            mapped = field.get("mappings", [{}])[0].get("options", {}).get(f"{value:g}", {})
            shown = mapped.get("text", number(value, field.get("unit"), field.get("decimals")))
            name = legend(target, labels) if panel["options"]["textMode"] != "value" else ""
            text += f'<div>{html.escape(name)}<br><b style="color:{color(value, field)}">{shown}</b></div>'
    return f'<div class="stat">{text or panel["fieldConfig"]["defaults"].get("noValue", "No data")}</div>'


def draw_bars(panel, source):
    text = ""
    for target in panel["targets"]:
        for labels, value in source.instant(dashboards.substituted(target["expr"], "1m", {})):
            field = panel["fieldConfig"]["defaults"]
            bar = f"linear-gradient(90deg,{color(value, field)} {100 * value:.1f}%,transparent 0)"
            text += f'<div class="bar"><span>{html.escape(legend(target, labels))}</span><i style="background-image:{bar}"></i>'
            text += f"<b>{number(value, field.get('unit'), field.get('decimals'))}</b></div>"
    return text


def draw_lines(panel, lines, step=False, unit_x=None):
    """lines: (name, points, field)."""
    width, height = 46 * panel["gridPos"]["w"], 38 * panel["gridPos"]["h"] - 90
    points = [point for _, line, _ in lines for point in line]
    if not points:
        return "No data"
    defaults = panel["fieldConfig"]["defaults"]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low = defaults.get("min", min(y for _, y in points))
    high = defaults.get("max", max(y for _, y in points)) or 1
    place = lambda x, y: (55 + (width - 65) * (x - left) / ((right - left) or 1), 5 + (height - 25) * (1 - (y - low) / ((high - low) or 1)))
    text = f'<svg width="{width}" height="{height}" font-size="11" fill="#8e9099">'
    for i in range(5):
        y = low + (high - low) * i / 4
        text += f'<line x1="55" x2="{width - 10}" y1="{place(0, y)[1]}" y2="{place(0, y)[1]}" stroke="#24272d"/>'
        text += f'<text x="0" y="{place(0, y)[1] + 4}">{number(y, defaults.get("unit"), 0 if high - low > 3 else None)}</text>'
        x = left + (right - left) * i / 4
        shown = f"{x:.2f}" if unit_x else time.strftime("%H:%M:%S", time.localtime(x))
        text += f'<text x="{place(x, 0)[0]}" y="{height - 4}" text-anchor="middle">{shown}</text>'
    names = list(dict.fromkeys(name for name, _, _ in lines))
    colors = {}
    for name, line, field in lines:
        fixed = field.get("color", {}).get("fixedColor")
        colors[name] = NAMED[fixed] if fixed else PALETTE[names.index(name) % len(PALETTE)]
        path = ""
        for i, point in enumerate(line):
            x, y = place(*point)
            path += f"M{x:.1f} {y:.1f}" if i == 0 else f"H{x:.1f}V{y:.1f}" if step else f"L{x:.1f} {y:.1f}"
        custom = field.get("custom", {})
        dash = ' stroke-dasharray="3 5"' if "lineStyle" in custom else ""
        text += f'<path d="{path}" fill="none" stroke="{colors[name]}" stroke-width="{custom.get("lineWidth", 1)}"{dash}/>'
    shown = " ".join(f'<span style="color:{colors[name]}">&#9644;</span> {html.escape(name)} &nbsp;' for name in names)
    return f'{text}</svg><div class="legend">{shown}</div>'


def draw_timeseries(panel, source):
    lines = []
    for target in panel["targets"]:
        for labels, points in source.range(dashboards.substituted(target["expr"], "1m", {})):
            name = legend(target, labels)
            lines.append((name, points, field_of(panel, name, target["refId"])))
    return draw_lines(panel, lines, panel["fieldConfig"]["defaults"].get("custom", {}).get("lineInterpolation") == "stepAfter")


def draw_trend(panel, source):
    rows, columns = transformed(panel, source)
    x = panel["options"]["xField"]
    lines = [(name, [(row[x], row[name]) for row in rows if name in row], field_of(panel, name)) for name in columns if name != x]
    return draw_lines(panel, lines, unit_x=True)


DRAW = {"stat": draw_stat, "table": draw_table, "bargauge": draw_bars, "timeseries": draw_timeseries, "trend": draw_trend}


def repeated(panel, source):
    """The panel, or where it repeats, its copies."""
    name = panel.get("repeat")
    if not name:
        return [panel]
    found = sorted({labels[name] for labels, _ in source.instant(dashboards.substituted(panel["targets"][0]["expr"], "1m", {}))})
    copies = []
    for i, value in enumerate(found):
        grid = {**panel["gridPos"], "x": i % panel["maxPerRow"] * panel["gridPos"]["w"]}
        grid["y"] += i // panel["maxPerRow"] * grid["h"]
        targets = [{**target, "expr": target["expr"].replace(f"${name}", value)} for target in panel["targets"]]
        copies.append({**panel, "gridPos": grid, "targets": targets, "title": panel["title"].replace(f"${name}", value)})
    return copies


def page(board, source):
    text = f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><h1>{board['title']}</h1><div class=grid>"
    for panel in [copy for panel in board["panels"] for copy in repeated(panel, source)]:
        grid = panel["gridPos"]
        place = f"grid-area:{grid['y'] + 1}/{grid['x'] + 1}/span {grid['h']}/span {grid['w']}"
        text += f'<div class="panel" style="{place}"><h2>{html.escape(panel["title"])}</h2><div class="body">{DRAW[panel["type"]](panel, source)}</div></div>'
    return text + "</div>"


def main():
    url, uid, out, *seconds = sys.argv[1:]
    with open(out, "w", encoding="utf-8") as file:
        file.write(page(dashboards.boards()[uid], Source(url, int(seconds[0]) if seconds else 3600)))


if __name__ == "__main__":
    main()

"""The dashboards of deploy/grafana as tests see them: their panels, and their queries as Prometheus takes them."""
import json
import pathlib
import re

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FOLDER = SOURCE / "deploy/grafana/dashboards"
RUNBOOKS = "assay-runbooks"


def boards():
    """The dashboards by uid, in the order of their files."""
    read = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return {board["uid"]: board for board in read}


def queries(board, window="1m", **values):
    """(panel, target, expression) of each query; variables are replaced by `values`, by default by what matches all."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel, target, substituted(target["expr"], window, values)


def substituted(expression, window, values):
    expression = expression.replace("$__rate_interval", window)
    # "$1" is of label_replace.
    return re.sub(r"\$([a-z]\w*)", lambda name: values.get(name.group(1), ".*"), expression)


def metrics(expression):
    """Names of metrics and recorded series in an expression."""
    without_strings = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
    return set(re.findall(r"\b(?:assay|grpc_server|process)_\w+|\bassay:[\w:]+", without_strings))


def sections():
    """The runbooks of docs/runbooks.md by alert."""
    text = (SOURCE / "docs/runbooks.md").read_text()
    parts = re.split(r"^## (\S+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2])))


def runbooks_board():
    """The dashboard of runbooks: a panel of text for each, of which a link can show one alone."""

    def text(section):
        # A dashboard has no other pages of docs/ beside it.
        return re.sub(r"\[([^\]]+)\]\(([a-z0-9/-]+\.md)[^)]*\)", lambda m: m[1] if m[1] == m[2] else f"{m[1]} (docs/{m[2]})", section)

    panels = [
        {
            "id": i + 1,
            "title": alert,
            "type": "text",
            "gridPos": {"x": i % 2 * 12, "y": i // 2 * 7, "w": 12, "h": 7},
            "options": {"mode": "markdown", "content": text(section)},
        }
        for i, (alert, section) in enumerate(sections().items())
    ]
    return {
        "uid": RUNBOOKS,
        "title": "Assay: runbooks",
        "description": "What each alert means and what to do: docs/runbooks.md.",
        "schemaVersion": 39,
        "tags": ["assay"],
        "templating": {"list": []},
        "links": boards()["assay-service"]["links"],
        "panels": panels,
    }


def write_runbooks():
    text = json.dumps(runbooks_board(), indent=1, ensure_ascii=False)
    (FOLDER / "assay-runbooks.json").write_text(text + "\n")

#!/usr/bin/python3
"""The dashboards are what Grafana takes, complete and without loose ends: structure_test.py

`structure_test.py --write` brings the dashboard of runbooks up to date with docs/runbooks.md.
"""
import re
import sys
import unittest

import dashboards

# Of Grafana 11, those of core.
PANELS = {
    "alertlist", "barchart", "bargauge", "candlestick", "gauge", "heatmap", "histogram", "piechart", "row", "stat", "state-timeline",
    "status-history", "table", "text", "timeseries", "trend", "xychart",
}
UNITS = {"none", "short", "locale", "percent", "percentunit", "s", "ms", "bytes", "decbytes", "Bps", "reqps", "ops", "dateTimeFromNow"}
TRANSFORMATIONS = {"merge", "organize", "groupingToMatrix", "convertFieldType", "sortBy", "joinByField", "reduce", "labelsToFields"}
MATCHERS = {"byName", "byRegexp", "byFrameRefID", "byType"}
COLORS = {"red", "orange", "yellow", "green", "blue", "purple", "text", "transparent"}
COLOR_MODES = {"fixed", "thresholds", "palette-classic", "palette-classic-by-name", "continuous-RdYlGr", "continuous-GrYlRd"}
COLUMNS = 24
BOARDS = dashboards.boards()


def values(node, key):
    """All values under a key, however deep."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from values(child, key)


def of_each_panel(check):
    """A test that is a check of every panel."""

    def test(self):
        for board in BOARDS.values():
            for panel in board["panels"]:
                with self.subTest(board=board["uid"], panel=panel["title"]):
                    check(self, board, panel)

    return test


class StructureTest(unittest.TestCase):
    def test_there_are_three_that_are_found_by_uid_and_tag(self):
        self.assertEqual(set(BOARDS), {"assay-robustness", "assay-service", dashboards.RUNBOOKS})
        for board in BOARDS.values():
            self.assertEqual(board["tags"], ["assay"])
            self.assertTrue(board["title"].startswith("Assay: ") and board["description"])
            # By which each shows the way to the others.
            self.assertEqual([(link["type"], link["tags"]) for link in board["links"]], [("dashboards", ["assay"])])
            self.assertNotIn("id", board, "Grafana gives it")

    def test_panels_have_numbers_of_their_own_and_do_not_overlap(self):
        for board in BOARDS.values():
            ids = [panel["id"] for panel in board["panels"]]
            self.assertEqual(len(set(ids)), len(ids), board["uid"])
            taken = {}
            for panel in board["panels"]:
                grid = panel["gridPos"]
                self.assertLessEqual(grid["x"] + grid["w"], COLUMNS, panel["title"])
                for x in range(grid["x"], grid["x"] + grid["w"]):
                    for y in range(grid["y"], grid["y"] + grid["h"]):
                        self.assertNotIn((x, y), taken, f"{panel['title']} lies on {taken.get((x, y))}")
                        taken[x, y] = panel["title"]
            bottom = max(y for _, y in taken) + 1
            rows = {y for _, y in taken}
            self.assertEqual(rows, set(range(bottom)), "no empty row")

    @of_each_panel
    def test_panels_are_of_known_kinds_with_titles_and_descriptions(self, board, panel):
        self.assertIn(panel["type"], PANELS)
        titles = [other["title"] for other in board["panels"]]
        self.assertEqual(titles.count(panel["title"]), 1)
        if panel["type"] == "text":
            self.assertTrue(panel["options"]["content"])
            return
        self.assertRegex(panel["description"], r"^[A-Z0-9].{20,}\.$")
        self.assertTrue(panel["targets"])
        references = [target["refId"] for target in panel["targets"]]
        self.assertEqual(len(set(references)), len(references))

    @of_each_panel
    def test_units_colors_matchers_and_transformations_exist(self, board, panel):
        for unit in values(panel.get("fieldConfig", {}), "unit"):
            self.assertIn(unit, UNITS)
        for override in panel.get("fieldConfig", {}).get("overrides", []):
            self.assertIn(override["matcher"]["id"], MATCHERS)
            for prop in override["properties"]:
                if prop["id"] == "unit":
                    self.assertIn(prop["value"], UNITS)
        for color in values(panel, "color"):
            if isinstance(color, dict):
                self.assertIn(color["mode"], COLOR_MODES)
            else:
                self.assertIn(color, COLORS)
        for transformation in panel.get("transformations", []):
            self.assertIn(transformation["id"], TRANSFORMATIONS)
        for step in values(panel, "steps"):
            self.assertIsNone(step[0]["value"], "the first threshold is the base")
            limits = [each["value"] for each in step[1:]]
            self.assertEqual(limits, sorted(limits))

    @of_each_panel
    def test_ratios_have_a_unit_and_bounds(self, board, panel):
        targets = panel.get("targets", [])
        if targets and all(re.search(r"_ratio\b|_probability\b", target["expr"]) for target in targets):
            defaults = panel["fieldConfig"]["defaults"]
            self.assertEqual(defaults.get("unit"), "percentunit")
            if "change" not in targets[-1]["expr"] and "verdict" not in targets[-1]["expr"]:
                self.assertEqual(defaults["min"], 0)
                # Where a share is bad enough at a half, colours end there.
                self.assertIn(defaults["max"], (1, 0.5))

    def test_every_query_goes_to_the_chosen_source(self):
        for board in BOARDS.values():
            if board["uid"] == dashboards.RUNBOOKS:
                continue
            first = board["templating"]["list"][0]
            self.assertEqual((first["name"], first["type"], first["query"]), ("datasource", "datasource", "prometheus"))
            for source in values(board, "datasource"):
                self.assertEqual(source, {"type": "prometheus", "uid": "${datasource}"})

    def test_variables_are_used_and_defined(self):
        for board in BOARDS.values():
            defined = {variable["name"] for variable in board["templating"]["list"]}
            text = " ".join(target["expr"] for panel in board["panels"] for target in panel.get("targets", []))
            used = set(re.findall(r"\$([a-z]\w*)", text))
            self.assertEqual(used, defined - {"datasource"}, board["uid"])
            for variable in board["templating"]["list"][1:]:
                self.assertEqual((variable["type"], variable["multi"], variable["includeAll"]), ("query", True, True))
                # A choice of several is joined by "|", which only =~ understands.
                self.assertNotRegex(text, rf'[^~]"\${variable["name"]}"')

    @of_each_panel
    def test_tables_name_columns_that_are_there(self, board, panel):
        """What transformations rename and overrides match comes from a label or a value of a query."""
        renamed = {}
        for organize in values(panel.get("transformations", []), "renameByName"):
            renamed.update(organize)
        text = " ".join(target["expr"] for target in panel.get("targets", []))
        known = set(re.findall(r"\w+", text)) | {"Time", "__name__", "Value"}
        # Labels that no query needs to name.
        known |= {"radius", "quantile", "alertname", "alertstate", "severity"}
        known |= {f"Value #{target['refId']}" for target in panel.get("targets", [])}
        for name in renamed:
            self.assertLessEqual(set(re.split(r"\\", name)), known)
        if panel["type"] != "table":
            return
        for override in panel["fieldConfig"]["overrides"]:
            self.assertIn(override["matcher"]["options"], set(renamed.values()) | known)
            self.assertNotIn(override["matcher"]["options"], renamed, "it has another name by then")

    def test_links_lead_to_runbooks(self):
        runbooks = {panel["id"]: panel["title"] for panel in BOARDS[dashboards.RUNBOOKS]["panels"]}
        linked = set()
        for panel in (panel for board in BOARDS.values() for panel in board["panels"]):
            for link in panel.get("links", []):
                board_of_link, number = re.fullmatch(r"/d/([a-z-]+)\?viewPanel=(\d+)", link["url"]).groups()
                self.assertEqual(board_of_link, dashboards.RUNBOOKS)
                self.assertEqual(link["title"], f"Runbook: {runbooks[int(number)]}")
                linked.add(runbooks[int(number)])
        # Those that have nothing to be seen in a panel.
        without = {"AssayCertificateEnds"}
        self.assertEqual(set(runbooks.values()) - linked, without)

    def test_the_dashboard_of_runbooks_says_what_the_docs_say(self):
        self.assertEqual(
            BOARDS[dashboards.RUNBOOKS], dashboards.runbooks_board(), "run tests/dashboards/structure_test.py --write"
        )


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        dashboards.write_runbooks()
    else:
        unittest.main()

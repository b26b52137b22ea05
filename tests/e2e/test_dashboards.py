# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboards of packaging/grafana: each expression parses, evaluates, and names our metrics."""

import glob
import json
import os
import re
import unittest
import urllib.parse

import vherd
from e2e import test_query

BOARDS = sorted(glob.glob(os.path.join(vherd.ROOT, "packaging", "grafana", "*.json")))
VARIABLES = {"__rate_interval": "1m", "__range": "1h", "domain": "vm1", "device": "vda",
             "interface": "eth0"}
NAME = re.compile(r"\b(?:libvirt|vherd)_[a-z0-9_]+\b")


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions(board):
    """(where, expression) of panels and variables."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield f"${variable['name']}", variable["query"]["query"]


def fill(expression):
    def value(match):
        return VARIABLES[match.group(1)]  # an unknown variable is a KeyError
    return re.sub(r"\$\{?(\w+)\}?", value, expression)


class Dashboards(test_query.Asked):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boards = {}
        for path in BOARDS:
            with open(path, encoding="utf-8") as file:
                cls.boards[os.path.basename(path)] = json.load(file)

    def each(self, check):
        for name, board in self.boards.items():
            for where, expression in expressions(board):
                with self.subTest(board=name, panel=where, expression=expression):
                    check(expression)

    def test_there_are_three(self):
        self.assertEqual(list(self.boards), ["vherd-herd.json", "vherd-host.json", "vherd-vm.json"])

    def evaluate(self, expression):
        if expression.startswith("label_values("):
            metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", expression).groups()
            status, answer = self.ask(f"/api/v1/label/{label}/values?"
                                      + urllib.parse.urlencode({"match[]": metric}))
        else:
            status, answer = self.query(fill(expression))
        self.assertEqual(status, 200, answer)
        self.assertNotIn("warnings", answer)
        # A rate of what is no counter.
        self.assertNotIn("infos", answer)

    def test_expressions_evaluate(self):
        self.each(self.evaluate)

    def test_metrics_are_ours(self):
        known = set(self.ask("/api/v1/metadata")[1]["data"])

        def check(expression):
            names = NAME.findall(expression)
            self.assertTrue(names)
            self.assertEqual(set(names) - known, set())
        self.each(check)

    def test_counters_are_shown_as_rates(self):
        metadata = self.ask("/api/v1/metadata")[1]["data"]

        def check(expression):
            for match in NAME.finditer(expression):
                is_rate = expression[:match.start()].endswith(("rate(", "increase("))
                self.assertEqual(is_rate, metadata[match.group()][0]["type"] == "counter",
                                 match.group())
        self.each(lambda expression: expression.startswith("label_values(") or check(expression))

    def test_panels_have_units_and_places(self):
        for name, board in self.boards.items():
            ids = [panel["id"] for panel in board["panels"]]
            self.assertEqual(len(ids), len(set(ids)))
            for panel in panels(board):
                with self.subTest(board=name, panel=panel["title"]):
                    self.assertIn("unit", panel["fieldConfig"]["defaults"])
                    self.assertTrue(panel["fieldConfig"]["defaults"]["thresholds"]["steps"])
                    self.assertEqual(panel["datasource"]["uid"], "${datasource}")
                    place = panel["gridPos"]
                    self.assertLessEqual(place["x"] + place["w"], 24)

    def test_panels_do_not_overlap(self):
        for board in self.boards.values():
            taken = set()
            for panel in board["panels"]:
                place = panel["gridPos"]
                cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                         for y in range(place["y"], place["y"] + place["h"])}
                self.assertFalse(cells & taken, panel["title"])
                taken |= cells



if __name__ == "__main__":
    unittest.main()

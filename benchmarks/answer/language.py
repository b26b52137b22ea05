# SPDX-License-Identifier: GPL-3.0-or-later
"""The language against its cases and against Debian's Prometheus, and what parses it, fuzzed."""

import os

import building
import fuzzing
import suites

FUZZED = {"PromQL lexer and parser": "promql", "generated queries": "promql-eval",
          "HTTP parameters": "api-param"}
OWN = os.path.join(building.ROOT, "tests", "data", "promql")


def _path(own, *theirs):
    """Other projects' cases where they are at hand, else our own, and it is said."""
    found = suites.conformance(*theirs)
    return (found, "") if found else (os.path.join(OWN, own), ", own cases only")


def core(report):
    where, note = _path("", "promqltest")
    suites.runner(report, f"promqltest, class core{note}", suites.tool("promqltest", where))


def compliance(report):
    where, note = _path("queries.json", "promql-compliance", "queries.json")
    suites.runner(report, f"compliance queries as Prometheus answers{note}",
                  suites.tool("promql-compliance", where))


def dashboards(report):
    where, note = _path("dashboards.tsv", "dashboards", "EXPRESSIONS.tsv")
    suites.runner(report, f"dashboards' expressions{note}", suites.tool("dashboards", where))


CASES = {"promqltest": core, "compliance": compliance, "dashboards": dashboards}


def generated(report, count):
    suites.runner(report, "generated queries as Prometheus answers",
                  suites.tool("promql-differential", "7", str(count)))


def fuzz(report, seconds):
    fuzzing.run(report, FUZZED, seconds)

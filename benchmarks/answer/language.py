# SPDX-License-Identifier: GPL-3.0-or-later
"""The language against its cases and against Debian's Prometheus, and what parses it, fuzzed."""

import os

import building
import fuzzing
import suites

FUZZED = {"PromQL lexer and parser": "promql", "generated queries": "promql-eval",
          "HTTP parameters": "api-param"}
OWN = os.path.join(building.ROOT, "tests", "data", "promql")


def cases(report):
    """Other projects' where they are at hand, else our own, and it is said."""
    def path(own, *theirs):
        found = suites.conformance(*theirs)
        return (found, "") if found else (os.path.join(OWN, own), ", own cases only")

    where, note = path("", "promqltest")
    suites.runner(report, f"promqltest, class core{note}", suites.tool("promqltest", where))
    where, note = path("queries.json", "promql-compliance", "queries.json")
    suites.runner(report, f"compliance queries as Prometheus answers{note}",
                  suites.tool("promql-compliance", where))
    where, note = path("dashboards.tsv", "dashboards", "EXPRESSIONS.tsv")
    suites.runner(report, f"dashboards' expressions{note}", suites.tool("dashboards", where))


def generated(report, count):
    suites.runner(report, "generated queries as Prometheus answers",
                  suites.tool("promql-differential", "7", str(count)))


def fuzz(report, seconds):
    fuzzing.run(report, FUZZED, seconds)

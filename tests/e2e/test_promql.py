# SPDX-License-Identifier: GPL-3.0-or-later
"""The language against its cases: our own, other projects' where they are at hand, and Debian's
Prometheus on the same samples."""

import functools
import os
import re
import subprocess
import unittest

import building
import memorydaemon
import promqlcompliance
import promqldaemon
import promqldashboards
import promqldifferential

DATA = os.path.join(building.ROOT, "tests", "data", "promql")
PROGRAM = os.path.join(building.ROOT, "build", "tests", "promqltest")
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)

# The daemon with the samples in its store, under sanitizers.
STORED = functools.partial(promqldaemon.Stored, make=memorydaemon.MemoryDaemon)


def conformance(*path):
    folder = os.environ.get("VHERD_CONFORMANCE")
    if not folder or not os.path.exists(os.path.join(folder, *path)):
        raise unittest.SkipTest(f"no {'/'.join(path)} (VHERD_CONFORMANCE)")
    return os.path.join(folder, *path)


class Cases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not building.build("build", None, ["tests/promqltest", "tests/promql-query",
                                          "tests/promql-generate"]):
            raise AssertionError("does not build")

    def run_cases(self, directory, at_least):
        done = subprocess.run([PROGRAM, directory], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        passed, failed, _ = map(int, SUMMARY.search(done.stdout).groups())
        self.assertEqual(failed, 0)
        self.assertGreaterEqual(passed, at_least)

    def test_own_cases(self):
        self.run_cases(DATA, 170)

    def test_cases_of_prometheus(self):
        self.run_cases(conformance("promqltest"), 653)

    def test_a_wrong_expectation_fails(self):
        """The control: the runner sees what is wrong."""
        done = subprocess.run([PROGRAM, os.path.join(DATA, "wrong")], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("0 passed, 9 failed, 0 skipped", done.stdout)

    def check_compliance(self, path, *how):
        passed, failed, skipped = promqlcompliance.run(path, *how)
        if skipped:
            self.skipTest("Debian's Prometheus is not to be had")
        self.assertEqual(failed, 0)
        self.assertGreater(passed, 10)

    def test_own_queries_as_prometheus(self):
        self.check_compliance(os.path.join(DATA, "queries.json"))

    def test_compliance_queries_as_prometheus(self):
        self.check_compliance(conformance("promql-compliance", "queries.json"))

    def check_dashboards(self, path, at_least, *how):
        passed, failed, _, held = promqldashboards.run(path, *how)
        self.assertEqual(failed, 0)
        self.assertGreater(passed, 0)
        if held is None:
            self.skipTest("Debian's Prometheus is not to be had; all parse")
        self.assertGreaterEqual(held, at_least, "expressions that answer nothing prove nothing")

    def test_own_dashboard_expressions(self):
        self.check_dashboards(os.path.join(DATA, "dashboards.tsv"), 6)

    def test_dashboard_expressions(self):
        self.check_dashboards(conformance("dashboards", "EXPRESSIONS.tsv"), 40)

    def test_own_queries_of_the_daemon(self):
        self.check_compliance(os.path.join(DATA, "queries.json"), STORED)

    def test_compliance_queries_of_the_daemon(self):
        """A part; all: tests/promql-compliance --daemon."""
        self.check_compliance(conformance("promql-compliance", "queries.json"), STORED, 4)

    def test_own_dashboard_expressions_of_the_daemon(self):
        self.check_dashboards(os.path.join(DATA, "dashboards.tsv"), 6, STORED)

    def test_dashboard_expressions_of_the_daemon(self):
        self.check_dashboards(conformance("dashboards", "EXPRESSIONS.tsv"), 40, STORED)

    def test_generated_queries_as_prometheus(self):
        passed, failed, _ = promqldifferential.run(7, 400)
        if not passed and not failed:
            self.skipTest("Debian's Prometheus is not to be had")
        self.assertEqual(failed, 0)
        self.assertGreater(passed, 100)

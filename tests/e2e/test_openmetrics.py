# SPDX-License-Identifier: GPL-3.0-or-later
"""Expositions that must parse, and those that must not: tests/openmetrics over its folders."""

import importlib.machinery
import importlib.util
import os
import unittest

from vherd import ROOT

PATH = os.path.join(ROOT, "tests", "openmetrics")


def load_runner():
    loader = importlib.machinery.SourceFileLoader("openmetrics", PATH)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("openmetrics", loader))
    loader.exec_module(module)
    return module


class OpenMetrics(unittest.TestCase):
    def check(self, directory, least):
        failed, passed, skipped = load_runner().run(directory)
        self.assertEqual(failed, {})
        self.assertEqual(skipped, 0)
        self.assertGreaterEqual(passed, least)

    def test_own_cases(self):
        self.check(os.path.join(ROOT, "tests", "data", "openmetrics"), 40)

    def test_conformance_cases(self):
        conformance = os.environ.get("VHERD_CONFORMANCE")
        directory = os.path.join(conformance or "", "openmetrics")
        if not conformance or not os.path.isdir(directory):
            self.skipTest("no conformance cases (VHERD_CONFORMANCE)")
        self.check(directory, 100)

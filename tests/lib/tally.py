# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts outcomes of tests of every kind, one line for each that did not pass."""

import re
import sys
import unittest

TAP_LINE = re.compile(r"^(not ok|ok)\b\s*(?:\d+)?\s*-?\s*(.*)$")


def gist(reason):
    """One line of a reason; of a traceback, what was raised."""
    lines = reason.strip().split("\n")
    if not lines[0].startswith("Traceback"):
        return lines[0]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Expired|Interrupt)\b", line)]
    return raised[-1] if raised else lines[-1]


class Results:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.remarks = []
        self.durations = []

    def took(self, what, seconds):
        self.durations.append((seconds, what))

    def merge(self, other):
        """Count what another process found."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.remarks += other.remarks
        self.durations += other.durations

    def add(self, name, outcome, reason=""):
        """outcome: "passed", "failed" or "skipped"."""
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome == "passed":
            return
        self.remarks.append((outcome, name, gist(reason)))
        print(f"{outcome}: {name}" + (f": {reason.rstrip()}" if reason else ""), flush=True)

    def print_summary(self, seconds):
        if self.remarks:
            print("\nNot passed:")
        for outcome, name, reason in self.remarks:
            print(f"  {outcome}: {name}" + (f": {reason}" if reason else ""))
        longest = sorted(self.durations, reverse=True)[:15]
        if seconds > 60 and longest:
            print("\nTook longest:")
            for part, what in longest:
                print(f"  {part:5.0f} s  {what}")
        print(f"\nin {seconds:.0f} s")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)


def add_tap(results, name, text, status):
    """Count the lines of a TAP stream; a bad exit status without a "not ok" is a failure too."""
    seen = failed = 0
    for line in text.splitlines():
        match = TAP_LINE.match(line)
        if not match:
            continue
        seen += 1
        case = f"{name}: {match.group(2)}"
        skip = re.search(r"#\s*SKIP\b\s*(.*)$", match.group(2), re.IGNORECASE)
        if skip:  # cmocka writes "not ok 1 # SKIP name"
            results.add(case, "skipped", skip.group(1) or "no reason given")
        elif match.group(1) == "not ok":
            failed += 1
            results.add(case, "failed")
        else:
            results.add(case, "passed")
    if failed or (status != 0 and status != 77):
        print(text, file=sys.stderr)
    if status == 77 and seen == 0:
        results.add(name, "skipped", text.strip().split("\n")[-1])
    elif status != 0 and failed == 0:
        results.add(name, "failed", f"exit status {status}")
    elif seen == 0:
        results.add(name, "failed", "ran no test")


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


class UnittestResult(unittest.TestResult):
    """Passes what unittest reports on to Results."""

    def __init__(self, results):
        super().__init__()
        self.results = results
        self.failed_subtests = set()

    def startTest(self, test):
        super().startTest(test)
        print(f"   {test.id()}", flush=True)

    def addSuccess(self, test):
        if test.id() not in self.failed_subtests:
            self.results.add(test.id(), "passed")

    def addSkip(self, test, reason):
        self.results.add(test.id(), "skipped", reason)

    def addFailure(self, test, err):
        self.results.add(test.id(), "failed", self._exc_info_to_string(err, test))

    addError = addFailure

    def _exc_info_to_string(self, err, test):
        text = super()._exc_info_to_string(err, test)
        return text if len(text) < 3000 else text[:2000] + " […] " + text[-500:]

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.failed_subtests.add(test.id())
            self.results.add(subtest.id(), "failed", self._exc_info_to_string(err, test))

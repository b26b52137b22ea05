# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of results: `name  value unit  limit  ok|short`."""

import json
import threading
import time

QUICK_SECONDS = 60


class Report:
    def __init__(self, as_json, silent=False):
        self.as_json = as_json
        self.silent = as_json or silent
        self.started = time.monotonic()
        self.has_time = False
        self.rows = []
        self.notes = []  # of a report that is silent, to be printed by the one that takes it

    def row(self, name, value, unit, limit="", ok=None):
        """ok None: a figure without a limit, such as a peer's."""
        self.rows.append({"name": name, "value": value, "unit": unit, "limit": limit, "ok": ok})
        if not self.silent:
            verdict = {None: "-", True: "ok", False: "short"}[ok]
            print(f"{name:<58} {format_value(value):>10} {unit:<14} {limit or '-':<10} {verdict}",
                  flush=True)

    def aside(self):
        """A report for a thread of its own, to be added later as a whole."""
        return Report(self.as_json, silent=True)

    def add(self, other):
        for row in other.rows:
            self.row(**row)
        for text in other.notes:
            self.note(text)

    def beside(self, tasks):
        """Each in a thread of its own with a report; what they report comes in their order."""
        asides = [self.aside() for _ in tasks]
        threads = [threading.Thread(target=task, args=(aside,))
                   for task, aside in zip(tasks, asides)]
        for thread in threads:
            thread.start()
        for thread, aside in zip(threads, asides):
            thread.join()
            self.add(aside)

    def at_most(self, name, value, unit, limit):
        self.row(name, value, unit, f"<={format_value(limit)}", value is not None and value <= limit)

    def at_least(self, name, value, unit, limit):
        self.row(name, value, unit, f">={format_value(limit)}", value is not None and value >= limit)

    def more_than(self, name, value, unit, limit):
        self.row(name, value, unit, f">{format_value(limit)}", value is not None and value > limit)

    def failed(self, name, reason):
        """A row that could not be measured is short."""
        self.row(name, None, reason.strip().split("\n")[-1][:600], "", False)

    def note(self, text):
        self.notes.append(text)
        if not self.silent:
            print(f"# {text}", flush=True)

    def begin(self):
        """What is built is built, and the lab is up: from here on the time counts."""
        self.started = time.monotonic()

    def took(self, is_limited):
        """A row of the time since begin(); a subject that takes its lab down calls this before."""
        self.has_time = True
        seconds = time.monotonic() - self.started
        if is_limited:
            self.at_most("all of this, once the lab was up", seconds, "s", QUICK_SECONDS)
        else:
            self.row("all of this, once the lab was up", seconds, "s")

    def finish(self):
        """Print what is left; the exit status."""
        if self.as_json:
            print(json.dumps(self.rows, indent=1))
        return 1 if any(row["ok"] is False for row in self.rows) else 0


def format_value(value):
    if value is None:
        return "none"
    if isinstance(value, bool) or isinstance(value, int):
        return str(value)
    if value == round(value) and abs(value) < 1e6:
        return str(round(value))
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"

# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a part of the tests in a process of its own, beside the rest."""

import os
import pickle
import sys
import tempfile
import traceback

import tally


class Lane:
    """function(results) in a child; what it prints is kept and shown by join()."""

    def __init__(self, name, function):
        self.name = name
        self.output = tempfile.TemporaryFile()
        self.outcome = tempfile.TemporaryFile()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._child(function)

    def _child(self, function):
        status = 1
        try:
            os.dup2(self.output.fileno(), 1)
            os.dup2(self.output.fileno(), 2)
            results = tally.Results()
            try:
                function(results)
            except KeyboardInterrupt:
                results.add(self.name, "failed", "interrupted")
            pickle.dump(results, self.outcome)
            self.outcome.flush()
            status = 0
        except BaseException:  # nothing of the parent's may run in the child
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def join(self, results):
        """Wait for the child, show what it printed, count its outcomes into results."""
        _, status = os.waitpid(self.pid, 0)
        self.output.seek(0)
        print(f"\n== beside the others: {self.name}", flush=True)
        sys.stdout.write(self.output.read().decode(errors="replace"))
        sys.stdout.flush()
        self.outcome.seek(0)
        try:
            results.merge(pickle.load(self.outcome))
        except (EOFError, pickle.UnpicklingError):
            results.add(self.name, "failed",
                        f"ended with status {os.waitstatus_to_exitcode(status)}, no outcome")

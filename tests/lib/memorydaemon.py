# SPDX-License-Identifier: GPL-3.0-or-later
"""The real daemon, built with sanitizers, on the in-memory back end."""

import os

import building
import vherd

SUPPRESSIONS = os.path.join(vherd.ROOT, "tests", "lsan.supp")


class MemoryDaemon(vherd.Daemon):
    """A complaint of a sanitizer is an AssertionError when it is closed. Without the rules that come with vherd,
    so that alerts are those of the test; tests/e2e/test_pack.py asks for them."""

    def __init__(self, vms=3, query="", config=None, arguments=()):
        if not building.build("build-asan", "asan"):
            raise AssertionError("build-asan does not build")
        merged = {"libvirt": {"uri": f"memory:///?vms={vms}{query}"}, "rules": {"pack": False}}
        for section, keys in (config or {}).items():
            merged.setdefault(section, {}).update(keys)
        super().__init__(merged, build="build-asan", arguments=arguments, environment={
            "LSAN_OPTIONS": f"suppressions={SUPPRESSIONS}:print_suppressions=0",
            "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"})

    def close(self):
        status = None
        try:
            if self.process is not None:
                status = self.stop(30)
            log = self.log() if os.path.exists(self.log_path) else ""
        finally:
            super().close()
        if "Sanitizer" in log or "runtime error:" in log:
            raise AssertionError(log)
        if status not in (None, 0):
            raise AssertionError(f"ended with {status}: {log}")

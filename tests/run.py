# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and runs every test. Started by ./test, which installs what is needed before."""

import argparse
import importlib
import os
import signal
import subprocess
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "tests", "lib"), os.path.join(ROOT, "tests")]

import building  # noqa: E402
import lanes  # noqa: E402
import lint  # noqa: E402
import tally  # noqa: E402


# Unit tests of code that several threads run, for the thread sanitizer.
THREADED = ("collector", "virt-memory", "virt-libvirt", "host-probe", "act", "log", "jobs",
            "statedb", "tsdb-threads", "tsdb-store", "tsdb-log")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./test", description=__doc__)
    parser.add_argument("--unit", action="store_true",
                        help="only what needs no real guest: style, unit tests, fuzz corpora")
    parser.add_argument("--e2e", action="store_true",
                        help="only the tests of the real daemon")
    parser.add_argument("--long", action="store_true",
                        help="higher counts, and all unit tests under the thread sanitizer")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only tests whose name contains one of these")
    return parser.parse_args()


def timed_build(results, *arguments, **options):
    started = time.monotonic()
    done = building.build(*arguments, **options)
    results.took("build " + arguments[0], time.monotonic() - started)
    return done


def unit_targets(directory, sanitizer, names, only):
    """What to build for the tests that names choose; all of it where there are none. May be
    nothing. None: it cannot be configured."""
    if not names:
        return [f"tests/test-{name}" for name in only] or ["meson-test-prereq", "all"]
    if only and not any(name in test for name in names for test in only):
        return []
    if not building.configure(directory, sanitizer):
        return None
    return sorted(building.chosen_tests(directory, names, only).values())


def run_unit(results, arguments):
    lint.run(results, arguments.names)
    threaded = () if arguments.long else THREADED
    for sanitizer, directory, only in (("asan", "build-asan", ()), ("tsan", "build-tsan", threaded)):
        targets = unit_targets(directory, sanitizer, arguments.names, only)
        if targets == []:
            continue
        if not targets or not timed_build(results, directory, sanitizer, targets, whole=False):
            results.add("build " + directory, "failed", "see above")
            continue
        results.add("build " + directory, "passed")
        building.run_meson_tests(directory, results, arguments.names, only)
    # What a sanitizer cannot live with, as it is shipped.
    if not arguments.names or any(name in "sandbox" for name in arguments.names):
        if timed_build(results, "build", None, ["tests/test-sandbox"]):
            building.run_meson_tests("build", results, ["sandbox"])
        else:
            results.add("build", "failed", "see above")


# Of tests/e2e what begins so runs in a process of its own, beside the rest.
LANES = {
    "tests on real guests": ("test_real_",),
    "tests that wait": ("test_run.", "test_export.", "test_remote_write_sender."),
}


def e2e_files(results, names):
    """(file, suite) of each module of tests/e2e with a test case that names choose."""
    loader = unittest.TestLoader()
    directory = os.path.join(ROOT, "tests", "e2e")
    for file in sorted(os.listdir(directory)):
        if not file.startswith("test_") or not file.endswith(".py"):
            continue
        try:
            suite = loader.loadTestsFromModule(importlib.import_module("e2e." + file[:-3]))
        except Exception as error:  # the others run all the same
            results.add("e2e/" + file, "failed", f"cannot be loaded: {error!r}")
            continue
        chosen = [case for case in tally.flatten(suite)
                  if not names or any(name in case.id() for name in names)]
        if chosen:
            yield file, unittest.TestSuite(chosen)


def run_files(results, files):
    import labhost
    try:
        for file, suite in files:
            print(f"== e2e/{file}", flush=True)
            started = time.monotonic()
            suite.run(tally.UnittestResult(results))
            results.took(f"e2e/{file}", time.monotonic() - started)
    finally:
        labhost.down_all()


def run_e2e(results, arguments):
    """Some mostly wait: they run beside the others."""
    if not timed_build(results, "build", None,
                       ["tests/fake-core", "tests/virt-probe", "tests/tsdb-crash"]):
        results.add("build", "failed", "see above")
        return
    results.add("build", "passed")
    groups = {}
    for file, suite in e2e_files(results, arguments.names):
        lane = next((lane for lane, starts in LANES.items() if file.startswith(starts)), None)
        groups.setdefault(lane, []).append((file, suite))
    here = groups.pop(None, None) or (groups.popitem()[1] if groups else [])
    beside = [lanes.Lane(lane, lambda found, files=files: run_files(found, files))
              for lane, files in groups.items()]
    try:
        run_files(results, here)
    finally:
        for lane in beside:
            lane.join(results)
    run_lab_selftest(results, arguments)


def run_lab_selftest(results, arguments):
    selftest = os.path.join(ROOT, "lab", "selftest")
    if arguments.names and not any(name in "lab/selftest" for name in arguments.names):
        return
    if not os.access(selftest, os.X_OK):
        results.add("lab/selftest", "skipped", "there is none")
        return
    if os.geteuid() != 0:
        results.add("lab/selftest", "skipped", "needs root")
        return
    print("== lab/selftest", flush=True)
    environment = dict(os.environ, VHERD_LAB_ID="selftest")
    try:
        done = subprocess.run([selftest], cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600, env=environment)
    except subprocess.TimeoutExpired as error:
        results.add("lab/selftest", "failed", f"not done after 600 s\n{error.output}")
        return
    tally.add_tap(results, "lab/selftest", done.stdout, done.returncode)


def heed_signals():
    """What this process ignores, as one that a shell put into the background does SIGINT, would be
    ignored by all that the tests start; what it catches, even to do nothing, is not."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def main():
    heed_signals()
    arguments = parse_arguments()
    conformance = os.path.join(ROOT, "..", "shared", "conformance")
    if os.path.isdir(conformance):
        os.environ.setdefault("VHERD_CONFORMANCE", os.path.realpath(conformance))
    data = os.path.join(ROOT, "..", "shared", "data")
    if os.path.isdir(data):
        os.environ.setdefault("VHERD_DATA", os.path.realpath(data))
    if arguments.long:
        os.environ["VHERD_TEST_LONG"] = "1"
    started = time.monotonic()
    results = tally.Results()
    everything = arguments.unit == arguments.e2e
    try:
        if arguments.unit or everything:
            run_unit(results, arguments)
        if arguments.e2e or everything:
            run_e2e(results, arguments)
    except KeyboardInterrupt:
        results.add("the run", "failed", "interrupted")
    results.print_summary(time.monotonic() - started)
    return 1 if results.failed or not results.passed else 0


if __name__ == "__main__":
    sys.exit(main())

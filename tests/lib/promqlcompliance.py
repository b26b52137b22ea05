# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries over made-up samples, answered by us and by Debian's Prometheus: they must be equal."""

import argparse
import json
import os
import sys

import building
import demodata
import promqldaemon
import promqlpeer

START_MS = 1_700_000_000_000 // 7_200_000 * 7_200_000
SECONDS = 7200
STEP_MS = 5000
# Not at multiples of 10 s, where subqueries have their steps; and late enough that no window begins
# before the samples do, since 2 and 3 also differ in how far they extrapolate a counter that does.
QUERY_TIMES = START_MS + 3703_000, START_MS + 7003_000, 10_000

# Where Prometheus 3 and 2 differ whatever the samples: what 2 must be asked instead. Since 3 a
# label's name may be any UTF-8 text.
SINCE_3 = {'label_replace(demo_num_cpus, "~invalid", "", "src", "(.*)")': "demo_num_cpus"}


def compare(ours, theirs, queries, times):
    """Yields (query, None or the difference)."""
    for row in queries:
        query = row["query"]
        mine = ours.query(*times, query)
        other = theirs.query(*times, SINCE_3.get(query, query))
        problem = promqlpeer.difference(mine, other)
        if row["should_fail"] and query not in SINCE_3 and mine["status"] != "error":
            problem = "should fail"
        yield query, problem


def run(path, make_ours=promqlpeer.Ours, every=1):
    """Prints what differs; (passed, failed, skipped). every: only each so-manyth query."""
    with open(path, encoding="utf-8") as file:
        queries = json.load(file)[::every]
    with promqlpeer.scratch() as scratch:
        samples = os.path.join(scratch, "samples")
        demodata.write(samples, demodata.series(START_MS, SECONDS, STEP_MS))
        times = QUERY_TIMES
        try:
            with promqlpeer.Prometheus(scratch, samples) as theirs, \
                    make_ours(samples) as ours:
                passed = failed = 0
                for query, problem in compare(ours, theirs, queries, times):
                    passed, failed = passed + (problem is None), failed + (problem is not None)
                    if problem:
                        print(f"FAIL {query}\n    {problem}")
                return passed, failed, 0
        except promqlpeer.PeerMissing as error:
            print(f"skipped {len(queries)}: {error}")
            return 0, 0, len(queries)


def main():
    parser = argparse.ArgumentParser(prog="promql-compliance")
    parser.add_argument("file", metavar="FILE.json")
    parser.add_argument("--daemon", action="store_true",
                        help="ask the real daemon, with the samples in its store")
    arguments = parser.parse_args()
    if not building.build("build", None, ["tests/promql-query", "tests/tsdb-load"]):
        sys.exit(2)
    passed, failed, skipped = run(arguments.file,
                                  promqldaemon.Stored if arguments.daemon
                                  else promqlpeer.Ours)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)

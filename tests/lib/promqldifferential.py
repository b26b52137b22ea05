# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated queries, answered by us and by Debian's Prometheus on the same samples."""

import os
import subprocess
import sys

import building
import promqlpeer

# Off the multiples of 10 s, where subqueries have their steps and where 2 and 3 differ; late enough
# that no window begins before the samples.
TIMES = 1_203_500, 1_803_500, 75_000

# What Prometheus 2.42 is known to answer otherwise, whatever the samples.
KNOWN = {
    "topk": "equal values are cut by another order of series", "bottomk": "the same",
    "atan2": "keeps the name", "stddev": "of a single NaN: 0", "stdvar": "of a single NaN: 0",
    "quantile": "of a quantile that is NaN: not NaN", "hour(": "of NaN: an hour",
    "month(": "of NaN: a month", "day_of_week(": "of NaN: a day",
    "[5m]": "extrapolates counters that begin within the window otherwise",
    "[7m30s]": "the same",
    ")[": "a subquery in a subquery has its steps on borders",
}


def is_known(ours):
    """3 refuses several series for one match even where the comparison drops them."""
    return "multiple matches for labels" in ours.get("error", "")


def generate(*arguments):
    program = os.path.join(building.ROOT, "build", "tests", "promql-generate")
    return subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def run(seed, count):
    """(passed, failed, skipped); prints what differs."""
    with promqlpeer.scratch() as scratch:
        samples = os.path.join(scratch, "samples")
        with open(samples, "w", encoding="utf-8") as file:
            file.write(generate("samples"))
        queries = generate("queries", str(seed), str(count)).splitlines()
        asked = [query for query in queries if not any(word in query for word in KNOWN)]
        passed = failed = 0
        try:
            with promqlpeer.Prometheus(scratch, samples) as theirs, \
                    promqlpeer.Ours(samples) as ours:
                for query in asked:
                    mine = ours.query(*TIMES, query)
                    problem = None if is_known(mine) else promqlpeer.difference(
                        mine, theirs.query(*TIMES, query))
                    passed, failed = passed + (not problem), failed + bool(problem)
                    if problem:
                        print(f"FAIL {query}\n    {problem}")
        except promqlpeer.PeerMissing as error:
            print(f"skipped {len(asked)}: {error}")
            return 0, 0, len(queries)
        print(f"skipped {len(queries) - len(asked)}: contain what 2.42 is known to do otherwise")
        return passed, failed, len(queries) - len(asked)


def main():
    seed, count = (sys.argv[1:] + ["1", "500"][len(sys.argv) - 1:])[:2]
    if not building.build("build", None, ["tests/promql-query", "tests/promql-generate"]):
        sys.exit(2)
    passed, failed, skipped = run(int(seed), int(count))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)

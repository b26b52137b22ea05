# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what a subject promises; started by ./bench."""

import argparse
import importlib
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "tests", "lib"), os.path.join(ROOT, "benchmarks")]

SUBJECTS = ("see", "remember", "answer", "tell", "think", "act")


def main():
    if sys.argv[1:2] == ["record"]:
        import record
        return record.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="./bench", description=__doc__)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--quick", action="store_true", help="smaller windows: within a minute, once the lab is up")
    parser.add_argument("--long", action="store_true", help="full counts and durations; remember: some 20 minutes, and an hour "
                        "more where there is no recording")
    parser.add_argument("--real-time", action="store_true",
                        help="tell: the alert-generator specification in real time too, 37 minutes; "
                        "--long has it")
    parser.add_argument("--recording", metavar="DIR",
                        help="remember: where the recorded hour of --long is kept; one that is "
                        "there is used again")
    parser.add_argument("--queries", action="store_true",
                        help="answer: also how long each query took, ours beside the peers'")
    parser.add_argument("--part", action="append", default=[], metavar="NAME",
                        help="act, tell: only this part; may be repeated")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    parser.add_argument("--keep-lab", action="store_true",
                        help="leave the guests running, for the next measurement")
    arguments = parser.parse_args()
    if arguments.recording:
        arguments.recording = os.path.join(os.environ.get("VHERD_CALLER", ""), arguments.recording)
    conformance = os.path.join(ROOT, "..", "shared", "conformance")
    if os.path.isdir(conformance):
        os.environ.setdefault("VHERD_CONFORMANCE", os.path.realpath(conformance))
    data = os.path.join(ROOT, "..", "shared", "data")
    if os.path.isdir(data):
        os.environ.setdefault("VHERD_DATA", os.path.realpath(data))

    import building
    import report
    if not building.build("build", None):
        return 1
    results = report.Report(arguments.json)
    importlib.import_module(arguments.subject).run(arguments, results)
    if not results.has_time:
        results.took(arguments.quick and not arguments.part)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())

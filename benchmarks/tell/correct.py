# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules, restarts and receivers must do: the specification, others' files, a storm of
kills, and peers as Debian has them."""

import os
import subprocess
import sys
import time
import unittest

import building
import generatorplay
import stormplay
import vherd

CONFORMANCE = os.environ.get("VHERD_CONFORMANCE", "")
TOOL = os.path.join(building.ROOT, "build", "src", "main", "vherd")
GENERATOR = os.path.join(building.ROOT, "build", "tests", "test-rule-generator")
PEERS = ("test_alertmanager", "test_nagios", "test_mail_with_starttls_and_password",
         "test_mail_program_nagios")


def fake_clock(report):
    """cmocka's TAP: own rules, then the specification's."""
    done = subprocess.run([GENERATOR], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", VHERD_TEST_DATA=(
                              os.path.join(building.ROOT, "tests", "data"))))
    good = sum(line.startswith("ok ") and "# SKIP" not in line.upper()
               for line in done.stdout.splitlines())
    report.at_least("alert generator under a fake clock: rule files through all phases",
                    good if done.returncode == 0 else 0, "of 2", 2)


def on_the_clock(report, pace, slack_s=None):
    rules = os.path.join(CONFORMANCE, "alert_generator", "rules.yaml")
    what = "alert generator, the daemon " + (
        "in real time" if pace == 1 else f"with times divided by {pace}")
    if not CONFORMANCE or not os.path.exists(rules):
        report.failed(what, "no alert_generator/rules.yaml (VHERD_CONFORMANCE)")
        return
    started = time.monotonic()
    phases = generatorplay.play(rules, pace, slack_s)
    wrong = [phase for phase in phases if phase[1]]
    report.at_least(f"{what}: phases as they should be", len(phases) - len(wrong),
                    f"of {len(phases)}", len(phases))
    report.row(f"{what}: took", time.monotonic() - started, "s")
    for name, complaint in wrong:
        report.note(f"{name}: {complaint}")


def verdicts(report):
    table = os.path.join(CONFORMANCE, "verdicts.tsv")
    if not CONFORMANCE or not os.path.exists(table):
        report.failed("verdicts.tsv", "not there (VHERD_CONFORMANCE)")
        return
    with open(table, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    right = 0
    for path, command, *_, expected in rows:
        done = subprocess.run([TOOL, "rules", command, os.path.join(CONFORMANCE, path)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        got = {0: "accept", 1: "reject"}.get(done.returncode)
        right += got == expected
        if got != expected:
            report.note(f"{command} {path}: {got or done.returncode}, not {expected}")
    report.at_least("verdicts.tsv: rows with the expected verdict", right, f"of {len(rows)}",
                    len(rows))


def storm(report, kills):
    def make(config):
        return vherd.Daemon({"libvirt": {"uri": "memory:///?vms=1"}, **config,
                             "rules": {**config["rules"], "pack": False}})
    result = stormplay.storm(make, kills, 200)
    what = f"{result.alerts} alerts, {kills} kill -9 of the daemon"
    report.at_most(f"{what}: lost", len(result.lost), "", 0)
    report.at_most(f"{what}: notifications told twice", len(result.duplicates), "", 0)
    report.at_most(f"{what}: states that went back", len(result.regressions), "", 0)
    report.row(f"{what}: deliveries repeated with the same id", result.repeated, "")
    for text in result.lost + result.duplicates + result.regressions:
        report.note(str(text))


def peers(report):
    """The tests of real receivers, on the program as it is shipped."""
    os.environ["VHERD_MEMORY_BUILD"] = "build"
    sys.path.append(os.path.join(building.ROOT, "tests"))
    from e2e import test_tell
    suite = unittest.TestSuite(test_tell.Telling(name) for name in PEERS)
    result = unittest.TestResult()
    suite.run(result)
    good = result.testsRun - len(result.failures) - len(result.errors) - len(result.skipped)
    report.at_least("real peers (Alertmanager, Nagios, NSCA-ng, SMTP): plays that went well", good,
                    f"of {len(PEERS)}", len(PEERS))
    for test, text in result.failures + result.errors + result.skipped:
        report.note(f"{test.id()}: {text.strip().splitlines()[-1]}")


def section(report, what, function, *arguments):
    try:
        function(report, *arguments)
    except (AssertionError, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
        report.failed(what, f"{type(error).__name__}: {error}")


def compressed(report, quick):
    # Beside other measurements something may come late.
    on_the_clock(report, *((60, 6) if quick else (30, None)))


# Name, what a person calls it, the function, its arguments.
SECTIONS = (
    ("phases", "alert generator under a fake clock", fake_clock, lambda a: ()),
    ("verdicts", "verdicts.tsv", verdicts, lambda a: ()),
    ("clock", "alert generator", compressed, lambda a: (a.quick,)),
    ("storm", "storm of kills", storm, lambda a: (2 if a.quick else 50 if a.long else 12,)),
    ("peers", "real peers", peers, lambda a: ()),
    ("real-time", "alert generator in real time", on_the_clock, lambda a: (1,)),
)
PARTS = tuple(name for name, *_ in SECTIONS)


def run(arguments, report, parts):
    for name, what, function, words in SECTIONS:
        asked = arguments.long or arguments.real_time or name in arguments.part
        if name in parts and (name != "real-time" or asked):
            section(report, what, function, *words(arguments))

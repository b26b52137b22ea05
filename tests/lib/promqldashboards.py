# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions of Grafana dashboards: all must parse; those that concern libvirt must answer as
Debian's Prometheus does on the same samples."""

import argparse
import os
import random
import re
import sys

import building
import demodata
import promqldaemon
import promqlpeer

START_MS = 1_700_000_000_000 // 7_200_000 * 7_200_000
SECONDS = 7200
STEP_MS = 15_000
QUERY_TIMES = START_MS + 3703_000, START_MS + 7003_000, 60_000

VARIABLES = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h", "__interval_ms": "60000",
             "__range_s": "3600", "__range_ms": "3600000", "__auto": "1m"}
VARIABLE = re.compile(r"\$\{(\w+)(?::[^}]*)?\}|\$(\w+)|\[\[(\w+)(?::[^\]]*)?\]\]")
LABEL_VALUES = re.compile(r"^\s*label_values\(\s*(.*?)\s*,\s*\w+\s*\)\s*$", re.DOTALL)
LABELS_ONLY = re.compile(r"^\s*(label_values|label_names|metrics)\([^,()]*\)\s*$")
QUERY_RESULT = re.compile(r"^\s*query_result\((.*)\)\s*$", re.DOTALL)
METRIC = re.compile(r"\b(?:libvirt|openstack)_\w+")


def filled_in(text):
    """Grafana's variables replaced: those of its own by a time, others match everything."""
    def value(match):
        name = next(group for group in match.groups() if group)
        return VARIABLES.get(name, ".*")
    return VARIABLE.sub(value, text)


def as_expression(kind, text):
    """The PromQL in a row; None where it asks for names only."""
    text = filled_in(text)
    if kind == "expr":
        return text
    for pattern in (LABEL_VALUES, QUERY_RESULT):
        match = pattern.match(text)
        if match:
            return match.group(1)
    return None if LABELS_ONLY.match(text) else text


def read(path):
    """[(line, expression)] of a table with the columns file, kind, expression."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            parts = line.rstrip("\n").split("\t", 2)
            if number == 1 and parts[:2] == ["file", "kind"]:
                continue
            if len(parts) == 3:
                rows.append((number, as_expression(parts[1], unescape(parts[2]))))
    return rows


def unescape(text):
    return text.replace("\\n", "\n").replace("\\t", "\t")


def series(metrics):
    """Three domains on one host, with the labels that dashboards join on."""
    rng = random.Random(11)
    times = list(demodata.clocked(START_MS, SECONDS, STEP_MS, rng))
    for metric in sorted(metrics):
        if metric.startswith("libvirt_up"):
            yield f'{metric}{{dns_name="host1",instance="host1:9177",job="libvirt_exporter"}}', [
                (t, 1) for t in times]
            continue
        for number in (1, 2, 3):
            for more in extra_labels(metric, number):
                labels = f'domain="vm{number}",instance="host1:9177",job="libvirt_exporter"{more}'
                yield f"{metric}{{{labels}}}", list(zip(times, values(metric, rng)))


def extra_labels(metric, number):
    if metric.startswith("openstack_"):
        return [f',project_id="p{number}",placement_resource="{kind}"' for kind in ("VCPU", "DISK")]
    if metric.endswith("_meta"):
        return [f',dns_name="host1",flavor="small",instance_name="i{number}",project_name="p",'
                f'project_uuid="u{number}",uuid="u-{number}"']
    if "_vcpu" in metric and "virtual_cpus" not in metric:
        return [f',vcpu="{i}"' for i in (0, 1)]
    if "_block_" in metric:
        return [f',dns_name="host1",target_device="{name}"' for name in ("vda", "vdb")]
    if "_interface_" in metric:
        return [f',dns_name="host1",source_bridge="br0",target_device="tap{number}"']
    return [',dns_name="host1"']


def values(metric, rng):
    if metric.endswith("_meta") or "_state" in metric:
        return iter(lambda: 1, None)
    if metric.endswith("_total"):
        return demodata.counter(rng, 100, 211)
    return demodata.gauge(rng, 50, 5)


def check_parsing(ours, rows):
    for number, expression in rows:
        answer = ours.query(START_MS, START_MS, 0, expression)
        if answer.get("errorType") == "bad_data":
            yield number, expression, answer["error"]


def compare(ours, theirs, rows):
    """Yields (number, expression, problem or None, whether the answer holds anything)."""
    for number, expression in rows:
        mine = ours.query(*QUERY_TIMES, expression)
        other = theirs.query(*QUERY_TIMES, expression)
        some = bool(mine.get("data", {}).get("result"))
        yield number, expression, promqlpeer.difference(mine, other), some


def run(path, make_ours=promqlpeer.Ours):
    """(passed, failed, skipped, how many answers compared held something; None: none compared)"""
    rows = read(path)
    asked = [(number, expression) for number, expression in rows if expression]
    libvirt = [row for row in asked if "libvirt" in row[1]]
    passed = failed = held = 0
    skipped = len(rows) - len(asked)
    if skipped:
        print(f"skipped {skipped}: names only, no expression")
    with promqlpeer.scratch() as scratch:
        samples = os.path.join(scratch, "samples")
        names = {name for _, expression in asked for name in METRIC.findall(expression)}
        demodata.write(samples, series(names))
        with make_ours(samples) as ours:
            bad = list(check_parsing(ours, asked))
            for number, expression, problem in bad:
                print(f"FAIL line {number}: {expression}\n    {problem}")
            passed, failed = len(asked) - len(bad), len(bad)
            try:
                with promqlpeer.Prometheus(scratch, samples) as theirs:
                    for number, expression, problem, some in compare(ours, theirs, libvirt):
                        passed, failed = passed + (not problem), failed + bool(problem)
                        held += some
                        if problem:
                            print(f"FAIL line {number}: {expression}\n    {problem}")
            except promqlpeer.PeerMissing as error:
                print(f"skipped {len(libvirt)}: {error}")
                skipped += len(libvirt)
                held = None
    if held is not None:
        print(f"{len(asked)} parsed, {len(libvirt)} compared, of which {held} answered something")
    return passed, failed, skipped, held


def main():
    parser = argparse.ArgumentParser(prog="dashboards")
    parser.add_argument("file", metavar="FILE.tsv")
    parser.add_argument("--daemon", action="store_true",
                        help="ask the real daemon, with the samples in its store")
    arguments = parser.parse_args()
    if not building.build("build", None, ["tests/promql-query", "tests/tsdb-load"]):
        sys.exit(2)
    passed, failed, skipped, _ = run(arguments.file, promqldaemon.Stored if arguments.daemon
                                     else promqlpeer.Ours)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of what comes from outside, fuzzed for a while."""

import fuzzing

# What it reads: the target.
TARGETS = {
    "JSON bodies": "deed",
    "YAML files": "yaml-json",
    "cron": "cron",
    "schedules": "schedule",
    "templates": "template",
    "seeds for cloud-init": "seed",
    "token parsing": "token",
    "label patterns": "scope",
    "image headers": "qcow2",
}


def build(parts, report):
    """Before the lab is up: compiling is no part of what is measured."""
    return "fuzz" not in parts or fuzzing.build(report, TARGETS)


def run(arguments, report, _stage):
    fuzzing.run(report, TARGETS, 1 if arguments.quick else 300 if arguments.long else 60)

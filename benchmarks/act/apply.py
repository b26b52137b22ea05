# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of wanted VMs, applied twice."""

import json
import os
import time


def wanted(prefix, count):
    """Guests that have nothing to boot: only libvirt's and QEMU's work is measured."""
    vms = "".join(f"  - {{name: {prefix}many{i:02}, memory: 32M, labels: {{set: bench}},"
                  f" disks: [{{pool: images, size: 1M}}]}}\n" for i in range(count))
    return "vms:\n" + vms


def count_of(arguments):
    return 6 if arguments.quick else 20


def make(arguments, stage):
    """What apply says as JSON, and the file it was given."""
    path = os.path.join(stage.daemon.directory, "wanted.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(wanted(stage.prefix, count_of(arguments)))
    return json.loads(stage.vherd("apply", path, "--json")), path


def run(arguments, report, stage):
    count = count_of(arguments)
    start = time.monotonic()
    first, path = make(arguments, stage)
    report.row(f"vherd apply: {count} VMs made", time.monotonic() - start, "s")
    report.at_least("vherd apply: VMs made", len(first["tasks"]), "VMs", count)
    again = json.loads(stage.vherd("apply", path, "--json"))
    report.at_most("vherd apply again: calls", len(again["tasks"]), "calls", 0)

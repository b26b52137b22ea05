# SPDX-License-Identifier: GPL-3.0-or-later
"""Many VMs started, beside virsh in a loop."""

import json
import time

from act import apply


def destroy(stage, names):
    stage.host.run("sh", "-c", f"for i in {' '.join(names)}; do virsh -q destroy $i & done; wait",
                   timeout=300)


def virsh(stage, names):
    start = time.monotonic()
    # One shell inside the host, so that only virsh itself is counted.
    stage.host.run("sh", "-c", f"for i in {' '.join(names)}; do virsh -q start $i || exit 1; done",
                   timeout=300)
    return time.monotonic() - start


def ours(stage, names):
    start = time.monotonic()
    tasks = json.loads(stage.vherd("vm", "start", *names, "--wait", "--json"))
    return time.monotonic() - start, sum(1 for task in tasks if task["state"] != "done")


def run(arguments, report, stage):
    """Several rounds of each in turn, as the machine may carry others: their medians."""
    names = [f"{stage.prefix}many{i:02}" for i in range(apply.count_of(arguments))]
    if not set(names) <= set(stage.vms()):
        apply.make(arguments, stage)
    theirs, own, failed = [], [], 0
    for _ in range(1 if arguments.quick else 3):
        theirs.append(virsh(stage, names))
        destroy(stage, names)
        took, failures = ours(stage, names)
        own.append(took)
        failed += failures
        destroy(stage, names)
    limit = sorted(theirs)[len(theirs) // 2]
    report.row(f"virsh start in a loop, {len(names)} guests", limit, "s")
    report.at_most(f"vherd vm start of {len(names)} guests", sorted(own)[len(own) // 2], "s", limit)
    report.at_most("vherd vm start: failures", failed, "guests", 0)
    stage.vherd("vm", "delete", "--match", f"{stage.prefix}many*", "--disks", "delete", "--wait")

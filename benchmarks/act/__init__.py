# SPDX-License-Identifier: GPL-3.0-or-later
"""What managing VMs promises: every deed, ends in the middle, snapshots, apply, audit, many starts,
and the parsers of what comes from outside."""

import os
import time

import labhost
import realact
import vherd
from act import apply, audit, deeds, fuzz, starts

LAB = os.environ.get("VHERD_BENCH_LAB", "bench-act")

# In the order in which they run; --part NAME runs one.
PARTS = {
    "apply": apply.run,
    "starts": starts.run,
    "audit": audit.run,
    "refusals": deeds.refusals,
    "deeds": deeds.every_deed,
    "sequences": deeds.sequences,
    "kills": deeds.kills,
    "fuzz": fuzz.run,
}


def section(name, arguments, report, stage):
    """A part that breaks is one short row, and the others go on."""
    start = time.monotonic()
    try:
        PARTS[name](arguments, report, stage)
    except Exception as error:
        report.failed(name, str(error))
        stage.heal()
        stage.remove_all()
    report.note(f"{name}: {time.monotonic() - start:.0f} s")


def chosen(arguments):
    unknown = set(arguments.part) - set(PARTS)
    if unknown:
        raise SystemExit(f"./bench act: no part is called {', '.join(sorted(unknown))};"
                         f" there are {', '.join(PARTS)}")
    return [name for name in PARTS if not arguments.part or name in arguments.part]


def run(arguments, report):
    names = chosen(arguments)
    if not fuzz.build(names, report):
        return
    host = labhost.LabHost(LAB)
    if os.path.exists(f"/run/vherd-lab-{LAB}/up"):
        host.down()
    host.up()
    daemon = vherd.Daemon({"libvirt": {"uri": "qemu:///system"}}, prefix=host.prefix)
    stage = realact.Stage(host, daemon, "bench")
    start = time.monotonic()
    try:
        stage.make_pools()
        daemon.start()
        vherd.wait_for("libvirt", 30, lambda: daemon.status()["libvirt"]["up"])
        for name in names:
            section(name, arguments, report, stage)
    finally:
        report.note(f"all parts, once the lab was up: {time.monotonic() - start:.0f} s")
        stage.heal()
        daemon.close()
        host.down()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What managing VMs promises: every deed, ends in the middle, snapshots, apply, audit, many starts,
and the parsers of what comes from outside."""

import concurrent.futures
import contextlib
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


# Those that --quick runs at the same time, each on a host of its own, after those that measure time.
ALONE = ("apply", "starts")
LANES = (("refusals", "deeds"), ("kills", "audit"), ("sequences", "fuzz"))


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


@contextlib.contextmanager
def staged(lab):
    """A lab's host with a daemon on it."""
    host = labhost.LabHost(lab)
    if os.path.exists(f"/run/vherd-lab-{lab}/up"):
        host.down()
    host.up()
    daemon = vherd.Daemon({"libvirt": {"uri": "qemu:///system"}}, prefix=host.prefix)
    stage = realact.Stage(host, daemon, "bench")
    try:
        stage.make_pools()
        daemon.start()
        vherd.wait_for("libvirt", 30, lambda: daemon.status()["libvirt"]["up"])
        yield stage
    finally:
        stage.heal()
        daemon.close()
        host.down()


def lane(names, arguments, report, lab):
    try:
        with staged(lab) as stage:
            for name in names:
                section(name, arguments, report, stage)
    except Exception as error:
        report.failed(", ".join(names), str(error))
    return report


def side_by_side(arguments, report):
    """The first lane's host is also that of the parts that measure time."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with staged(LAB) as stage:
            for name in ALONE:
                section(name, arguments, report, stage)
            others = [pool.submit(lane, names, arguments, report.aside(), f"{LAB}-{i}")
                      for i, names in enumerate(LANES[1:], 2)]
            for name in LANES[0]:
                section(name, arguments, report, stage)
        for other in others:
            report.add(other.result())


def run(arguments, report):
    names = chosen(arguments)
    if not fuzz.build(names, report):
        return
    start = time.monotonic()
    if arguments.quick and not arguments.part:
        side_by_side(arguments, report)
    else:
        with staged(LAB) as stage:
            for name in names:
                section(name, arguments, report, stage)
    report.note(f"all parts, with their labs: {time.monotonic() - start:.0f} s")

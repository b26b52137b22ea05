# SPDX-License-Identifier: GPL-3.0-or-later
"""What managing VMs promises: every deed, ends in the middle, snapshots, apply, audit, many starts,
and the parsers of what comes from outside."""

import os

import labhost
import realact
import vherd
from act import apply, audit, deeds, fuzz, starts

LAB = "bench-act"


def run(arguments, report):
    host = labhost.LabHost(LAB)
    if os.path.exists(f"/run/vherd-lab-{LAB}/up"):
        host.down()
    host.up()
    daemon = vherd.Daemon({"libvirt": {"uri": "qemu:///system"}}, prefix=host.prefix)
    stage = realact.Stage(host, daemon, "bench")
    try:
        stage.make_pools()
        daemon.start()
        vherd.wait_for("libvirt", 30, lambda: daemon.status()["libvirt"]["up"])
        for part in (apply, starts, audit, deeds, fuzz):
            part.run(arguments, report, stage)
    finally:
        stage.heal()
        daemon.close()
        host.down()

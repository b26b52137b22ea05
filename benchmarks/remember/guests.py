# SPDX-License-Identifier: GPL-3.0-or-later
"""Records real guests, idle and busy, with ./bench record: for --long, and once for guests.zst."""

import os
import time

import labhost
import record
from vherd import Daemon, wait_for

GUESTS = 12
LAB = os.environ.get("VHERD_BENCH_LAB", "bench-remember")

# What a third of them do; the others are idle, as most VMs are most of the time.
LOADS = {"vm01": "cpu=6,net=40", "vm02": "cpu=3,write=300", "vm03": "mem=8",
         "vm04": "write=60,net=5"}


def bring_up(host):
    host.up()
    host.lab("guests", "1", str(GUESTS), "--vcpus", "2", "--cpu-cap", "20",
             timeout=1200)
    for name, load in LOADS.items():
        for word in load.split(","):
            host.serial(name, word)


def record_guests(path, seconds):
    """Samples written; the lab is gone afterwards."""
    host = labhost.LabHost(LAB)
    try:
        bring_up(host)
        with Daemon({"libvirt": {"uri": "qemu:///system"}}, prefix=host.prefix) as daemon:
            wait_for("every VM with its libvirt data", 60, lambda: all(
                "libvirt_age_seconds" in daemon.vm(name) for name in host.qemus()), pause=0.5)
            # The first round of the sources that are read seldom is over by then.
            time.sleep(10)
            return record.record(path, seconds, lambda: page(daemon))
    finally:
        host.down()


def page(daemon):
    status, _, text = daemon.get("/metrics?set=vherd")
    if status != 200:
        raise OSError(f"/metrics: status {status}")
    return text

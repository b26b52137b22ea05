# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench see: every figure that watching promises, on 20 real guests, beside the peers."""

import os
import socket
import subprocess
import threading
import time

import dropin
import labhost
from see import cost, memory, names, peers, stalls
from vherd import Daemon, wait_for

GUESTS = 20
PORT = 9177
LAB = os.environ.get("VHERD_BENCH_LAB", "bench-see")
SPECIAL = "vm20"

# Seconds of each window, and the number of define/destroy cycles.
QUICK = {"settle": 1, "window": 7, "stall": 5, "peer": 3, "many": 1, "cycles": 2500}
NORMAL = {"settle": 60, "window": 60, "stall": 20, "peer": 15, "many": 10, "cycles": 4000}
LONG = {"settle": 60, "window": 300, "stall": 60, "peer": 60, "many": 30, "cycles": 8000}


def lab_is_up(host):
    return os.path.exists(f"/run/vherd-lab-{host.lab_id}/up")


def bring_up(report):
    """20 guests, of which three are busy, so that there is something to compare."""
    host = labhost.LabHost(LAB)
    if lab_is_up(host) and len(host.qemus()) == GUESTS:
        report.note("the lab is up already")
        dropin.make_pool(host)
        return host
    if lab_is_up(host):
        host.down()
    started = time.monotonic()
    host.up()
    host.lab("guests", "1", str(GUESTS - 1), "--vcpus", "2", timeout=1200)
    host.guest(SPECIAL, "--vcpus", "2", *dropin.GUEST_OPTIONS)
    host.wait_guest(SPECIAL)
    dropin.make_pool(host)
    report.note(f"lab up in {time.monotonic() - started:.0f} s")
    return host


def busy(host, on):
    for name, load in (("vm01", "cpu=15"), ("vm02", "cpu=10"), ("vm03", "cpu=5")):
        host.serial(name, load if on else "idle")


def section(report, what, function, *arguments):
    """A part that breaks is one short row, and the others go on."""
    try:
        return function(*arguments)
    except (AssertionError, OSError, RuntimeError, ValueError, KeyError, peers.PeerMissing,
            subprocess.SubprocessError) as error:
        report.failed(what, f"{type(error).__name__}: {error}")
        return None


def measure_in_memory(report, times):
    """What needs no real guest and no quiet machine runs beside the others."""
    section(report, "many VMs", memory.many_in_memory, report, 500, times["many"])
    section(report, "churn", memory.churn, report, times["cycles"])


def watch(report, host, times):
    """All that needs our daemon on the real guests; our cost for the comparison."""
    config = {"libvirt": {"uri": "qemu:///system"}, "web": {"listen": [f"127.0.0.1:{PORT}"]},
              "metrics": {"misnamed": False}}
    with Daemon(config, prefix=host.prefix) as daemon:
        wait_for("every VM with its libvirt data", 40, lambda: all(
            "libvirt_age_seconds" in daemon.vm(name) for name in host.qemus()), pause=0.5)
        section(report, "new VM", stalls.new_vm, report, daemon, host)
        section(report, "promtool", names.report_promtool, report, daemon)
        aside = report.aside()
        in_memory = threading.Thread(target=measure_in_memory, args=(aside, times))
        in_memory.start()
        with dropin.running_job(host, SPECIAL):
            section(report, "stopped QEMUs", stalls.qemu_stall, report, daemon, host,
                    times["stall"])
            section(report, "drop-in", names.report_dropin, report, daemon, SPECIAL)
        in_memory.join()
        report.add(aside)
        section(report, "stopped libvirtd", stalls.libvirtd_stall, report, daemon, host, PORT,
                times["stall"])
        # The first round of the costly sources is over by now, and what the faults stirred up.
        time.sleep(times["settle"])
        idle = section(report, "cost", cost.Idle, daemon, host, GUESTS, times["window"])
        if idle:
            cost.report_own(report, idle)
        section(report, "memory", memory.report_real, report, daemon, GUESTS)
        scraped = section(report, "scraped", cost.scraped, daemon, host, PORT, GUESTS,
                          times["peer"])
        section(report, "restart", stalls.libvirtd_restart, report, daemon, host)
    return idle.cost if idle else None, scraped


def run(arguments, report):
    times = QUICK if arguments.quick else LONG if arguments.long else NORMAL
    peers.unpack()
    alone = socket.socket(socket.AF_UNIX)
    try:
        alone.bind(f"\0vherd-bench-{LAB}")  # gone with us, whatever happens
    except OSError:
        report.failed("the lab", f"another ./bench uses the lab {LAB}")
        return
    host = bring_up(report)
    report.begin()
    try:
        busy(host, True)
        ours, scraped = watch(report, host, times)
        others = [section(report, name, measure, host, GUESTS, times["peer"])
                  for name, measure in (("prometheus-libvirt-exporter", peers.measure_exporter),
                                        ("collectd", peers.measure_collectd))]
        if ours and scraped:
            cost.report_peers(report, ours, scraped, [peer for peer in others if peer])
        report.took(arguments.quick)
    finally:
        if arguments.keep_lab:
            busy(host, False)
        else:
            host.down()

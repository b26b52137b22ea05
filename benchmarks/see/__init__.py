# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench see: every figure that watching promises, on 20 real guests, beside the peers."""

import contextlib
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

# Seconds of each window, and the number of define/destroy cycles. Guest agents are asked each two
# minutes, all at once.
QUICK = {"settle": 11, "window": 10, "stall": 5, "peer": 3, "many": 10, "cycles": 20000}
NORMAL = {"settle": 60, "window": 120, "stall": 60, "peer": 15, "many": 10, "cycles": 24000}
LONG = {"settle": 60, "window": 300, "stall": 60, "peer": 60, "many": 30, "cycles": 48000}


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
    begin = time.monotonic()
    try:
        return function(*arguments)
    except (AssertionError, OSError, RuntimeError, ValueError, KeyError, peers.PeerMissing,
            subprocess.SubprocessError) as error:
        report.failed(what, f"{type(error).__name__}: {error}")
        return None
    finally:
        report.note(f"{what}: {time.monotonic() - begin:.0f} s")


class Beside:
    """What needs no real guest and no quiet machine runs beside what waits more than it works."""

    def __init__(self, report):
        self.report = report
        self.parts = []

    def start(self, what, function, *arguments):
        aside = self.report.aside()
        thread = threading.Thread(target=section, args=(aside, what, function, aside, *arguments))
        thread.start()
        self.parts.append((thread, aside))

    def join(self):
        for thread, aside in self.parts:
            thread.join()
            self.report.add(aside)


def all_known(daemon, host):
    wait_for("every VM with its libvirt data", 40, lambda: all(
        "libvirt_age_seconds" in daemon.vm(name) for name in host.qemus()), pause=0.2)


def watch(report, host, times, beside):
    """All that needs our daemon on the real guests; our cost for the comparison."""
    config = {"libvirt": {"uri": "qemu:///system"}, "web": {"listen": [f"127.0.0.1:{PORT}"]},
              "metrics": {"misnamed": False}}
    beside.start("many VMs", memory.many_in_memory, 500, times["many"])
    with contextlib.ExitStack() as job:
        # Before the daemon, whose first reading then shows it.
        job.enter_context(dropin.running_job(host, SPECIAL))
        with Daemon(config, prefix=host.prefix) as daemon:
            section(report, "start", all_known, daemon, host)
            section(report, "new VM", stalls.new_vm, report, daemon, host)
            section(report, "promtool", names.report_promtool, report, daemon)
            section(report, "drop-in", names.report_dropin, report, daemon, SPECIAL)
            job.close()
            section(report, "stopped QEMUs", stalls.qemu_stall, report, daemon, host,
                    times["stall"])
            faults_over = time.monotonic()
            section(report, "the rest of what ran beside", beside.join)
            # Before libvirtd is disturbed, after which VMs are asked one by one for a while.
            costs = measure_cost(report, daemon, host, times, faults_over)
            section(report, "stopped libvirtd", stalls.libvirtd_stall, report, daemon, host, PORT,
                    times["stall"])
            section(report, "restart", stalls.libvirtd_restart, report, daemon, host)
            return costs


def measure_cost(report, daemon, host, times, faults_over):
    # The first round of the costly sources is over by now, and what the faults stirred up; what
    # ran beside has left the machine to itself for a second.
    time.sleep(max(1, faults_over + times["settle"] - time.monotonic()))
    idle = section(report, "cost", cost.Idle, daemon, host, GUESTS, times["window"])
    if idle:
        cost.report_own(report, idle)
    section(report, "memory", memory.report_real, report, daemon, GUESTS)
    scraped = section(report, "scraped", cost.scraped, daemon, host, PORT, GUESTS, times["peer"])
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
    beside = Beside(report)
    beside.start("churn", memory.churn, times["cycles"])  # which needs no lab
    host = bring_up(report)
    report.begin()
    try:
        busy(host, True)
        ours, scraped = watch(report, host, times, beside)
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

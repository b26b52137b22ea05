# SPDX-License-Identifier: GPL-3.0-or-later
"""Sick hypervisors and a sick libvirtd: who misses samples, and how old data gets."""

import os
import signal
import time

from see import peers
from vherd import wait_for

FLAGS = {"stopped", "blocked", "quarantined"}


def flagged(daemon):
    return {one["name"] for one in daemon.status()["flagged"]}


def gaps(daemon, names, seconds):
    """Seconds without a CPU figure in the last `seconds` of each VM's history."""
    missing = 0
    for name in names:
        cpu = daemon.vm(name)["history"]["cpu"]
        # The newest point may still be open.
        missing += sum(1 for value in cpu[-seconds - 1:-1] if value is None)
    return missing


def missed(daemon):
    return daemon.status()["samples"]["missed"]


def qemu_stall(report, daemon, host, seconds, count=5):
    """Stop some QEMUs, watch all."""
    qemus = host.qemus()
    names = sorted(qemus)
    sick, well = names[:count], names[count:]
    before = missed(daemon)
    started = time.monotonic()
    oldest, flag_after = 0.0, None
    stopped = []
    try:
        for name in sick:
            os.kill(qemus[name], signal.SIGSTOP)
            stopped.append(name)
        while time.monotonic() - started < seconds:
            if flag_after is None and flagged(daemon) >= set(sick):
                flag_after = time.monotonic() - started
            oldest = max([oldest] + [daemon.vm(name).get("libvirt_age_seconds", 1e9)
                                     for name in well])
            time.sleep(0.25)
    finally:
        for name in stopped:
            os.kill(qemus[name], signal.SIGCONT)
    resumed = time.monotonic()
    try:
        wait_for("flags cleared", 30, lambda: not flagged(daemon) & set(sick))
        clear_after = time.monotonic() - resumed
    except AssertionError:
        clear_after = None
    time.sleep(2)
    window = int(min(300, time.monotonic() - started))
    report.at_most(f"{count} QEMUs stopped {seconds} s: samples missed, all VMs",
                   missed(daemon) - before + gaps(daemon, names, window), "samples", 0)
    report.at_most("  oldest libvirt data of the others", oldest, "s", 12)
    report.at_most("  all flagged after", flag_after, "s", 5)
    report.at_most("  all cleared after SIGCONT", clear_after, "s", 5)


NEW_DOMAIN = """<domain type='qemu'><name>bench-new</name><memory unit='MiB'>96</memory>
<vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os></domain>"""


def new_vm(report, daemon, host):
    """From the end of `virsh define` to the VM in the list."""
    path = os.path.join(host.path(), "run", "bench-new.xml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(NEW_DOMAIN)
    host.virsh("define", "/run/bench-new.xml")
    defined = time.monotonic()
    try:
        wait_for("the new VM", 20, lambda: "bench-new" in daemon.vms(), pause=0.01)
        report.at_most("new VM seen after", time.monotonic() - defined, "s", 1)
    finally:
        host.virsh("undefine", "bench-new")
        os.unlink(path)


def libvirtd_restart(report, daemon, host):
    """libvirtd killed and started again; from its start until its data are back."""
    name = sorted(host.qemus())[0]
    host.stop_libvirtd()
    wait_for("the loss is seen", 20, lambda: not daemon.status()["libvirt"]["up"])
    host.start_libvirtd()
    started = time.monotonic()
    wait_for("the state is known again", 30, lambda: daemon.vms()[name].get("state"), pause=0.02)
    report.at_most("libvirtd killed and restarted: back after", time.monotonic() - started, "s", 5)


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def libvirtd_stall(report, daemon, host, port, seconds, scrapers=10):
    """Stop libvirtd, scrape from many sides."""
    names = sorted(host.qemus())
    libvirtd = host.libvirtd()
    before = missed(daemon)
    started = time.monotonic()
    os.kill(libvirtd, signal.SIGSTOP)
    try:
        latencies, _ = peers.scrape_many(host, port, seconds, 1.0, scrapers)
    finally:
        os.kill(libvirtd, signal.SIGCONT)
    window = int(min(300, time.monotonic() - started))
    report.at_most(f"libvirtd stopped {seconds} s: samples missed, all VMs",
                   missed(daemon) - before + gaps(daemon, names, window), "samples", 0)
    report.at_most(f"  /metrics p99 with {scrapers} scrapers", percentile(latencies, 0.99) * 1e3,
                   "ms", 20)
    report.row("  /metrics median", percentile(latencies, 0.5) * 1e3, "ms")
    resumed = time.monotonic()
    wait_for("connected again", 30, lambda: daemon.status()["libvirt"]["up"])
    report.row("  connected again after", time.monotonic() - resumed, "s")

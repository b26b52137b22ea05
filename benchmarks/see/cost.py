# SPDX-License-Identifier: GPL-3.0-or-later
"""What watching costs: CPU of our processes, of the kernel lane, memory; beside the peers."""

import time

import procfs
from see import peers, truth

SAMPLER = "sampler"
PROCESSES = ("core", "act", "web", "send")


def sampler_ns(core):
    for tid, name in procfs.threads(core).items():
        if name == SAMPLER:
            return procfs.schedstat(core, tid)[0]
    raise AssertionError(f"vherd-core has no thread \"{SAMPLER}\"")


def domain_series(metrics):
    return sum(1 for rows in metrics.samples.values() for labels, _ in rows if "domain" in labels)


class Idle:
    """Both rows that need an undisturbed window, measured over the same one."""

    def __init__(self, daemon, host, vms, seconds):
        core = daemon.process_named("core")
        pids = daemon.processes()
        reader = truth.Reader(host.qemus())
        reader.start()
        time.sleep(2.5)
        first_at, first = time.monotonic(), truth.sampled(daemon.metrics(), reader.keys)
        taken = daemon.status()["samples"]["taken"]
        lane = sampler_ns(core)
        parts = {name: procfs.cpu_seconds([daemon.process_named(name)]) for name in PROCESSES}
        own, libvirtd = peers.measured_window(host, pids, seconds)
        self.parts = {name: (procfs.cpu_seconds([daemon.process_named(name)]) - before)
                      / vms / seconds * 1e6 for name, before in parts.items()}
        self.kernel_us = (sampler_ns(core) - lane) / vms / seconds / 1e3
        self.samples = daemon.status()["samples"]["taken"] - taken
        metrics = daemon.metrics()
        last_at, last = time.monotonic(), truth.sampled(metrics, reader.keys)
        reader.stop()
        self.truth = truth.compare(reader, first, last, first_at, last_at, last_at - first_at)
        self.cost = peers.Cost("vherd", vms, seconds, own, libvirtd, domain_series(metrics) / vms)


def scraped(daemon, host, port, vms, seconds):
    """The same while somebody scrapes every second, which a peer's figure includes."""
    pids, libvirtd = daemon.processes(), [host.libvirtd()]
    before = procfs.cpu_seconds(pids), procfs.cpu_seconds(libvirtd)
    latencies, _ = peers.scrape(host, port, seconds)
    after = procfs.cpu_seconds(pids), procfs.cpu_seconds(libvirtd)
    return peers.Cost("vherd, scraped", vms, len(latencies), after[0] - before[0],
                      after[1] - before[1], 0)


def report_own(report, idle):
    report.at_most("CPU of all processes, per VM and second", idle.cost.own_us, "us", 100)
    report.at_most("  of it the kernel lane", idle.kernel_us, "us", 50)
    for name, microseconds in idle.parts.items():
        report.row(f"  of it {name}", microseconds, "us")
    worst = max(idle.truth.run, idle.truth.wait) * 100
    report.at_most("vCPU run time against schedstat, worst deviation", idle.truth.run * 100, "%", 0.5)
    report.at_most("vCPU wait against schedstat, worst deviation", idle.truth.wait * 100, "%", 0.5)
    if idle.truth.compared == 0:
        report.failed("vCPU counters compared", "no vCPU was busy enough to compare")
    report.row("  counters compared", idle.truth.compared, "counters")
    report.at_most("  samples off our own readings", idle.truth.misfit_ns / 1e3, "us", 1000)
    report.at_most("busiest vCPU", idle.truth.highest_ratio * 100, "%", 100)
    return worst


def report_peers(report, ours, ours_scraped, others):
    report.row("vherd: own CPU per VM and sample", ours.own_us, "us")
    report.row("  libvirtd's share", ours.libvirtd_us, "us")
    report.row("  series per VM", ours.series, "series")
    report.row("  own and libvirtd's, scraped every second", ours_scraped.total_us, "us")
    for peer in others:
        report.row(f"{peer.name}: own CPU per VM and sample", peer.own_us, "us")
        report.row("  libvirtd's share", peer.libvirtd_us, "us")
        report.row("  series per VM", peer.series, "series")
    for peer in others:
        report.at_least(f"times less CPU than {peer.name}", peer.total_us / ours.total_us,
                        "times", 15)
        report.more_than("  times its series", ours.series / peer.series, "times", 4)

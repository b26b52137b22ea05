# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory: PSS of all processes, and whether churn makes it grow."""

import time

import procfs
from vherd import Daemon, wait_for

MB = 1e6


def pss(daemon):
    return procfs.pss_total(daemon.processes())


def report_real(report, daemon, vms):
    report.at_most(f"PSS of all processes, {vms} real guests", pss(daemon) / MB, "MB", 40)


# In-memory daemons that run beside what is timed give way to it.
ASIDE = ("nice", "-n", "10")


def many_in_memory(report, vms, seconds):
    uri = f"memory:///?vms={vms}"
    with Daemon(config={"libvirt": {"uri": uri}}, prefix=ASIDE) as daemon:
        wait_for("every VM known", 30, lambda: daemon.status()["vms"]["running"] == vms)
        time.sleep(seconds)
        daemon.metrics()
        report.at_most(f"PSS of all processes, {vms} in-memory VMs", pss(daemon) / MB, "MB", 60)


# So many VMs come and go at a time that the store's head fills and is written away every few
# seconds, and memory rises and falls with it. What stays is the slope of all readings after the
# first few times: of that of the first head, and of what the allocator keeps, nothing is counted.
CHURNERS = 8
WARM_UP_CYCLES = 6000


def readings(daemon):
    """(cycles so far, memory that no file stands behind in KiB), until the churn is over."""
    points = []
    while True:
        names = daemon.vms()
        daemon.metrics()
        kib = procfs.anonymous_total(daemon.processes()) / 1024
        if "churned" in names:
            return points
        cycles = [int(name[len("churn"):]) for name in names if name.startswith("churn")]
        if cycles:
            points.append((max(cycles), kib))
        time.sleep(0.1)


def slope(points):
    """Of the line of least squares."""
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    return (sum((x - x_mean) * (y - y_mean) for x, y in points)
            / sum((x - x_mean) ** 2 for x, _ in points))


def churn(report, cycles):
    """How memory grows in so many cycles after a warm-up."""
    uri = f"memory:///?vms=20&churners={CHURNERS}&churn={WARM_UP_CYCLES + cycles}"
    with Daemon(config={"libvirt": {"uri": uri}}, prefix=ASIDE) as daemon:
        points = [(x, y) for x, y in readings(daemon) if x >= WARM_UP_CYCLES]
    if len(points) < 20:
        raise ValueError(f"only {len(points)} readings")
    report.at_most(f"growth over 1000 define/start/destroy cycles, of {cycles}",
                   max(0.0, slope(points) * 1000), "KiB", 128)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporters' names, the dashboards on them, and promtool's opinion."""

import signal
import subprocess
import time

import dropin
from see import peers
from vherd import wait_for


def with_misnamed(daemon):
    """The exposition with the two rows whose upstream names promtool rejects; by a reload."""
    daemon.config["metrics"]["misnamed"] = True
    daemon.write_config()
    daemon.process.send_signal(signal.SIGHUP)
    return wait_for("reloaded", 10, lambda: with_pgalloc(daemon))


def with_pgalloc(daemon):
    metrics = daemon.metrics()
    return metrics if "libvirt_domain_memory_stats_hugetlb_pgalloc_total" in metrics.types else None


def all_there(daemon, paths):
    """The exposition once every source has been read, or as it is after two rounds of the slowest
    but one: what then lacks is missing."""
    until = time.monotonic() + 30
    while True:
        metrics = daemon.metrics()
        if not any(dropin.missing(metrics, path)[1] for path in paths) or time.monotonic() > until:
            return metrics
        time.sleep(0.5)


def report_dropin(report, daemon, guest):
    tables = [("our own table", dropin.OWN_TABLE),
              ("conformance", dropin.conformance("exporters", "metrics.tsv"))]
    try:
        wait_for("the job is seen", 70, lambda: (daemon.vm(guest).get("job_type") or 0) > 0,
                 pause=0.5)
    except AssertionError as error:
        report.failed("running job seen", str(error))
    with_misnamed(daemon)
    metrics = all_there(daemon, [path for _, path in tables if path])
    for name, path in tables:
        if not path:
            report.note(f"no {name} table: VHERD_CONFORMANCE is not set")
            continue
        rows, missing = dropin.missing(metrics, path)
        report.row(f"drop-in rows, {name}", rows, "rows")
        report.at_most("  missing or different", len(missing), "rows", 0)
        for text in missing:
            report.note(text)
    folder = dropin.conformance("dashboards")
    if folder:
        names = dropin.dashboard_names(folder)
        absent = sorted(names - set(metrics.samples))
        report.row("metrics of the dashboards", len(names), "names")
        report.at_most("  not answered", len(absent), "names", 0)
        for name in absent:
            report.note(name)
    else:
        report.note("no dashboards: VHERD_CONFORMANCE is not set")


def report_promtool(report, daemon):
    text = daemon.get("/metrics")[2]
    done = subprocess.run([peers.promtool(), "check", "metrics"], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    complaints = [line for line in done.stdout.splitlines() if line.strip()]
    report.at_most("promtool check metrics: complaints", len(complaints) + (done.returncode != 0),
                   "lines", 0)
    for line in complaints[:10]:
        report.note(line)

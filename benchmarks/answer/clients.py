# SPDX-License-Identifier: GPL-3.0-or-later
"""Instant queries of many clients at once, while VMs are sampled."""

import json
import os
import subprocess
import sys
import time
import urllib.parse

from fakedaemon import free_port
from vherd import ROOT, Daemon, wait_for

LOAD = os.path.join(ROOT, "benchmarks", "answer", "load.py")
VMS = 200
CLIENTS = 50
# What a page about one VM asks for.
EXPRESSIONS = (
    'sum by (domain) (rate(libvirt_domain_vcpu_time_seconds_total{{domain="{vm}"}}[1m]))',
    'vherd_vm_resident_bytes{{domain="{vm}"}}',
    'sum(rate(libvirt_domain_block_stats_read_bytes_total{{domain="{vm}"}}[1m]))',
    'libvirt_domain_info_virtual_cpus{{domain="{vm}"}}',
)


def paths():
    return ["/api/v1/query?" + urllib.parse.urlencode({"query": expression.format(vm=f"vm{n}")})
            for n in range(1, VMS + 1, 7) for expression in EXPRESSIONS]


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def load(port, seconds):
    done = subprocess.run([sys.executable, "-B", LOAD, f"127.0.0.1:{port}", str(CLIENTS),
                           str(seconds), *paths()], stdout=subprocess.PIPE, check=True,
                          timeout=seconds + 60)
    return json.loads(done.stdout)


def measure(report, daemon, port, seconds):
    """With a daemon that has samples of all VMs."""
    load(port, 1)  # connections, caches
    before = daemon.status()["samples"]
    result = load(port, seconds)
    missed = daemon.status()["samples"]["missed"] - before["missed"]
    latencies = result["latencies"]
    if result["failures"] or not latencies:
        raise AssertionError(f"{result['failures']} of {len(latencies)} queries failed")
    what = f"instant query, {CLIENTS} clients, {VMS} VMs sampled"
    report.row(f"median of an {what}", percentile(latencies, 0.5) * 1e3, "ms")
    report.at_most(f"p99 of an {what}", percentile(latencies, 0.99) * 1e3, "ms", 20)
    report.at_most("samples missed meanwhile", missed, "", 0)
    report.row("instant queries answered", len(latencies) / seconds, "/s")


def run(report, seconds):
    """The rows of `./bench answer` about concurrent clients."""
    port = free_port()
    config = {"libvirt": {"uri": f"memory:///?vms={VMS}"}, "web": {"listen": [f"127.0.0.1:{port}"]}}
    with Daemon(config=config) as daemon:
        wait_for("every VM known", 30, lambda: daemon.status()["vms"]["running"] == VMS)
        started = time.monotonic()

        def has_rates():
            query = urllib.parse.urlencode({"query": "count(rate(vherd_samples_total[1m]))"})
            return daemon.json(f"/api/v1/query?{query}")["data"]["result"]
        wait_for("samples in the store", 60, has_rates, pause=0.5)
        time.sleep(max(0, 20 - (time.monotonic() - started)))
        measure(report, daemon, port, seconds)

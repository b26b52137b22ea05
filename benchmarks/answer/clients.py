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


class Herd:
    """The daemon with its VMs, sampling since it was entered."""

    SETTLED_SECONDS = 20

    def __enter__(self):
        self.port = free_port()
        self.daemon = Daemon(config={"libvirt": {"uri": f"memory:///?vms={VMS}"},
                                     "web": {"listen": [f"127.0.0.1:{self.port}"]}})
        self.daemon.__enter__()
        self.started = time.monotonic()
        return self

    def __exit__(self, *unused):
        self.daemon.close()

    def answers(self):
        return all(self.daemon.json("/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression.format(vm=f"vm{VMS}")}))["data"]["result"]
                   for expression in EXPRESSIONS)

    def run(self, report, seconds):
        """The rows of `./bench answer` about concurrent clients."""
        wait_for("every VM known", 30,
                 lambda: self.daemon.status()["vms"]["running"] == VMS)
        wait_for("samples in the store", 60, self.answers, pause=0.5)
        time.sleep(max(0, self.SETTLED_SECONDS - (time.monotonic() - self.started)))
        measure(report, self.daemon, self.port, seconds)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's prometheus-libvirt-exporter and collectd's virt plugin, measured on a lab host.

The packages are unpacked under build/peers, not installed, so that no service of theirs starts.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import exposition
import procfs
from vherd import ROOT, wait_for

PEERS = os.path.join(ROOT, "build", "peers")
SCRAPE = os.path.join(ROOT, "benchmarks", "see", "scrape.py")
EXPORTER_PORT = 19177

COLLECTD_CONFIG = """
BaseDir "{directory}"
PIDFile "{directory}/pid"
PluginDir "{peers}/root/usr/lib/collectd"
TypesDB "{peers}/root/usr/share/collectd/types.db"
Interval 1
Hostname "lab"
FQDNLookup false
LoadPlugin virt
LoadPlugin csv
<Plugin virt>
  Connection "qemu:///system"
  RefreshInterval 60
  HostnameFormat name
  PluginInstanceFormat name
  ExtraStats "disk disk_err domain_state memory pcpu vcpu"
</Plugin>
<Plugin csv>
  DataDir "{directory}/csv"
  StoreRates false
</Plugin>
"""


class PeerMissing(Exception):
    pass


def unpack():
    """Download and unpack the peers' packages, once."""
    done = os.path.join(PEERS, "complete")
    if os.path.exists(done):
        return
    shutil.rmtree(PEERS, ignore_errors=True)
    os.makedirs(PEERS)
    names = package_names()
    for update in (False, True):
        if update:
            subprocess.run(["apt-get", "-qq", "update"], stdin=subprocess.DEVNULL)
        fetched = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download",
                                  *names], cwd=PEERS, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if fetched.returncode == 0:
            break
    else:
        raise PeerMissing(f"apt-get download: {fetched.stdout.strip()}")
    for package in glob.glob(os.path.join(PEERS, "*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, os.path.join(PEERS, "root")], check=True)
    open(done, "w").close()


def package_names():
    with open(os.path.join(ROOT, "packaging", "debian-packages.txt"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("unpack "):
                return line.split()[1:]
    raise PeerMissing("no \"unpack\" line in packaging/debian-packages.txt")


def promtool():
    unpack()
    return os.path.join(PEERS, "root", "usr", "bin", "promtool")


class Cost:
    """What one way of watching cost, in a window of whole samples."""

    def __init__(self, name, vms, samples, own_seconds, libvirtd_seconds, series):
        self.name = name
        self.own_us = own_seconds / vms / samples * 1e6
        self.libvirtd_us = libvirtd_seconds / vms / samples * 1e6
        self.series = series

    @property
    def total_us(self):
        return self.own_us + self.libvirtd_us


def measured_window(host, pids, seconds):
    """CPU seconds that these processes and libvirtd use while we wait."""
    libvirtd = host.libvirtd()
    before = procfs.cpu_seconds(pids), procfs.cpu_seconds([libvirtd])
    time.sleep(seconds)
    after = procfs.cpu_seconds(pids), procfs.cpu_seconds([libvirtd])
    return after[0] - before[0], after[1] - before[1]


def scrape(host, port, count):
    """Scrape every second from inside the host; see scrape_many()."""
    return scrape_many(host, port, count, 1.0, 1)


def scrape_many(host, port, count, interval, scrapers):
    """(latencies in seconds, text of the last answer) of so many scrapers at the same moments."""
    done = host.run(sys.executable, "-B", SCRAPE, f"127.0.0.1:{port}", str(count), str(interval),
                    str(scrapers), timeout=count * (interval + 10) + 30)
    answer = json.loads(done.stdout)
    return answer["latencies"], answer["text"]


def measure_exporter(host, vms, seconds):
    unpack()
    program = os.path.join(PEERS, "root", "usr", "bin", "prometheus-libvirt-exporter")
    process = subprocess.Popen([*host.prefix, program,
                                f"--web.listen-address=127.0.0.1:{EXPORTER_PORT}",
                                "--libvirt.uri=qemu:///system"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answers():
            try:
                return scrape(host, EXPORTER_PORT, 1)[1]
            except RuntimeError:
                return None
        text = wait_for("the exporter answers", 15, answers)
        libvirtd = host.libvirtd()
        pids = [process.pid], [libvirtd]
        before = [procfs.cpu_seconds(group) for group in pids]
        latencies, text = scrape(host, EXPORTER_PORT, seconds)
        after = [procfs.cpu_seconds(group) for group in pids]
    finally:
        process.terminate()
        process.wait()
    samples = exposition.Exposition(text).samples
    series = sum(1 for rows in samples.values() for labels, _ in rows if "domain" in labels)
    return Cost("prometheus-libvirt-exporter", vms, len(latencies), after[0] - before[0],
                after[1] - before[1], series / vms)


def collectd_series(directory):
    """Values, not files: a collectd file holds one or two."""
    total = 0
    for path in glob.glob(os.path.join(directory, "csv", "*", "virt-*", "*")):
        with open(path, encoding="utf-8") as file:
            total += len(file.readline().split(",")) - 1
    return total


def measure_collectd(host, vms, seconds):
    unpack()
    directory = tempfile.mkdtemp(prefix="vherd-bench-collectd-")
    config = os.path.join(directory, "conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(COLLECTD_CONFIG.format(directory=directory, peers=PEERS))
    program = os.path.join(PEERS, "root", "usr", "sbin", "collectd")
    with open(os.path.join(directory, "log"), "wb") as log:
        process = subprocess.Popen([*host.prefix, program, "-f", "-C", config],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def all_written():
            return len(glob.glob(os.path.join(directory, "csv", "*", "virt-*", "virt_cpu*"))) >= vms
        wait_for("collectd has written of every VM", 20, all_written)
        own, libvirtd = measured_window(host, [process.pid], seconds)
        return Cost("collectd virt", vms, seconds, own, libvirtd,
                    collectd_series(directory) / vms)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)

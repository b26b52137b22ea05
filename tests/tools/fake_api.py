#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers vherd's HTTP API on a Unix socket with made-up data, for tests of the clients.

Usage: fake_api.py SOCKET [--vms N] [--hostile] [--libvirt-down] [--flag NAME=FLAG]
Prints "ready" once it listens. Serves until it is terminated. SIGUSR1 makes it slow (each answer
takes 5 s), SIGUSR2 quick again.
"""

import argparse
import json
import math
import os
import signal
import socketserver
import sys
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler

HOSTILE = [
    "--option",
    "<script>alert(1)</script>",
    'quote"and\nnewline',
    "\x1b[31mred\x1b[0m",
    "日本語の仮想マシン",
    "b\u00fcro-\u202egnp.exe",
    "é" * 127,
    "%s%n",
]
SPACE = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Herd:
    def __init__(self, options):
        self.options = options
        self.start = time.time()
        self.delay = 0.0
        self.looks = 0  # at the task
        names = [f"vm{i:02}" for i in range(1, options.vms + 1)]
        self.names = sorted(names + (HOSTILE if options.hostile else []))
        self.names += [".."] if options.hostile else []
        self.flags = dict(pair.split("=", 1) for pair in options.flag)

    def libvirt(self):
        if self.options.libvirt_down:
            return {"uri": "qemu:///system", "status": "not running", "up": False,
                    "message": "Failed to connect socket", "since": 1763670000}
        return {"uri": "qemu:///system", "status": "connected", "up": True, "message": "",
                "since": 1763670000}

    def brief(self, name):
        i = self.names.index(name)
        vm = {"uuid": str(uuid.uuid5(SPACE, name)), "name": name, "state": "running",
              "state_reason": "booted", "process_state": "S", "pid": str(1000 + i),
              "agent": "connected" if i % 2 else "none", "id": i + 1, "vcpus_current": 2,
              "memory_maximum_bytes": 2 << 30, "memory_current_bytes": (1 + i) << 28,
              "cpu_seconds": 12.5 + i, "resident_bytes": (1 + i) << 26,
              "guest_usable_bytes": 100 << 20, "timed_out": 0, "stalled": 0, "libvirt_age_seconds": 3.2,
              "cpu_ratio": 0.11 * ((i * 7) % 17), "cpu_utilisation_ratio": 0.055 * ((i * 7) % 17),
              "cpu_wait_ratio": 0.001 * i, "memory_used_ratio": min(1.0, 0.05 * (i + 1)),
              "read_bytes_per_second": 1000.0 * i * i, "write_bytes_per_second": 150000.0 * i,
              "disk_requests_per_second": 12.5 * i, "disk_latency_seconds": 0.0005 * (i + 1),
              "receive_bytes_per_second": 2048.0 * i, "transmit_bytes_per_second": 99.0 * i}
        if i % 2:
            vm["guest_hostname"] = f"guest{i}.example"
            vm["guest_os"] = "Debian GNU/Linux 12 (bookworm)"
        if name in self.flags:
            vm["flag"] = self.flags[name]
            vm["stalled"] = 1
            vm["libvirt_age_seconds"] = 75.5
            vm["process_state"] = "T"
            for key in ("disk_requests_per_second", "disk_latency_seconds",
                        "read_bytes_per_second", "write_bytes_per_second"):
                del vm[key]
        if name == "vm04":
            for key in ("process_state", "pid", "id", "cpu_ratio", "cpu_utilisation_ratio",
                        "cpu_wait_ratio", "memory_used_ratio", "read_bytes_per_second",
                        "write_bytes_per_second", "disk_requests_per_second",
                        "disk_latency_seconds", "receive_bytes_per_second",
                        "transmit_bytes_per_second", "resident_bytes", "cpu_seconds"):
                vm.pop(key, None)
            vm["state"], vm["state_reason"] = "crashed", "panicked"
        return vm

    def full(self, name):
        vm = self.brief(name)
        wave = [None] * 200 + [0.5 + 0.5 * math.sin(i / 8) for i in range(100)]
        vm.update({
            "libvirt": self.libvirt(), "time": time.time(),
            "start_time_seconds": self.start - 3700, "os_type": "hvm", "arch": "x86_64",
            "machine": "pc-q35-7.2", "domain_type": "qemu",
            "vcpus": [{"vcpu": str(n), "run_seconds": 10.5, "wait_seconds": 0.25, "cpu": n,
                       "utilisation_ratio": 0.5 - 0.25 * n, "wait_ratio": 0.01,
                       "process_state": "R"} for n in range(2)],
            "disks": [{"target": "vda", "source": "/var/lib/libvirt/images/a.qcow2",
                       "bus": "virtio", "capacity_bytes": 10 << 30, "allocation_bytes": 3 << 30,
                       "physical_bytes": 3 << 30, "read_bytes_per_second": 1500.0,
                       "write_bytes_per_second": 250000.0, "reads_per_second": 3.0,
                       "writes_per_second": 40.0, "read_latency_seconds": 0.00035,
                       "write_latency_seconds": 0.0021}],
            "nics": [{"target": "vnet0", "type": "bridge", "source": "br0",
                      "mac": "52:54:00:12:34:56", "receive_bytes_per_second": 2048.0,
                      "transmit_bytes_per_second": 99.0, "receive_drops": 0,
                      "transmit_drops": 2, "receive_errors": 0, "transmit_errors": 0}],
            "filesystems": [{"mountpoint": "/", "device": "vda1", "type": "ext4",
                             "total_bytes": 9 << 30, "used_bytes": 3 << 30}],
            "perf_events": [],
            "events": [{"event": "started", "count": 1}],
            "unavailable": [{"what": "kvm_stats", "reason": "no readable source"}],
            "history": {"seconds": 300, "cpu": wave, "wait": wave, "memory": wave,
                        "read": [v and v * 1e6 for v in wave],
                        "write": [v and v * 1e7 for v in wave],
                        "receive": [v and v * 1e3 for v in wave], "transmit": [None] * 300},
        })
        return vm

    def host(self):
        return {
            "name": "fake.example", "kernel": "6.1.0-test", "vherd_version": "0.1.0",
            "libvirt_uri": "qemu:///system", "libvirt_status": self.libvirt()["status"],
            "libvirt_up": int(self.libvirt()["up"]), "online_cpus": 4, "load1": 0.52,
            "load5": 0.4, "load15": 0.3, "memory_total_bytes": 16 << 30,
            "memory_free_bytes": 2 << 30, "memory_available_bytes": 9 << 30,
            "swap_total_bytes": 1 << 30, "swap_free_bytes": 1 << 30,
            "cpu_utilisation_ratio": 0.37, "cpu_steal_ratio": 0.02, "cpu_iowait_ratio": 0.01,
            "domains": len(self.names), "domains_running": len(self.names) - 1,
            "boot_time_seconds": self.start - 86400 * 3, "time": time.time(),
            "cpus": [{"cpu": str(n), "user_seconds": 100.0, "utilisation_ratio": 0.1 * n}
                     for n in range(4)],
            "numa_nodes": [{"node": "0", "memory_total_bytes": 16 << 30,
                            "memory_free_bytes": 2 << 30}],
            "hugepages": [{"id": "0:2097152", "node": "0", "page_size_bytes": "2097152",
                           "total": 128, "free": 100}],
            "disks": [{"device": "sda", "read_bytes": 1 << 30, "write_bytes": 2 << 30,
                       "io_seconds": 55.5, "in_flight": 0}],
            "nics": [{"device": "eth0", "receive_bytes": 123456789, "transmit_bytes": 987654,
                      "up": 1}],
            "pools": [{"name": "default", "state": 2, "capacity_bytes": 100 << 30,
                       "allocation_bytes": 40 << 30, "available_bytes": 60 << 30}],
            "networks": [{"name": "default", "bridge": "virbr0", "active": 1, "autostart": 1}],
            "processes": self.processes(), "lanes": self.lanes(),
            "unavailable": [{"what": "psi", "reason": "the kernel has it switched off"}],
            "libvirt": self.libvirt(),
        }

    def processes(self):
        return [{"process": name, "sandbox": "none", "cpu_seconds": 1.25,
                 "resident_bytes": 9 << 20, "restarts": 0}
                for name in ("core", "act", "web", "send")]

    def lanes(self):
        return [{"lane": name, "calls": 100, "errors": 1, "timeouts": 2, "in_flight": 0,
                 "written_off": 1, "quarantined": 0} for name in ("kernel", "libvirt", "agent")]

    def status(self):
        flagged = [{"uuid": str(uuid.uuid5(SPACE, name)), "name": name, "flag": flag,
                    "since": time.time() - 65} for name, flag in self.flags.items()]
        return {"version": "0.1.0", "uptime_seconds": 3725.5, "time": time.time(),
                "libvirt": self.libvirt(),
                "vms": {"known": len(self.names), "running": len(self.names) - 1},
                "samples": {"taken": 3725, "missed": 0}, "lanes": self.lanes(),
                "flagged": flagged, "processes": self.processes(),
                "unavailable": [{"what": "psi", "reason": "the kernel has it switched off",
                                 "vms": 4}]}

    def task(self):
        """One that is further each time it is looked at."""
        self.looks += 1
        task = {"id": 7, "deed": "snapshot.delete", "vm": "vm02", "state": "running",
                "progress": 0.25 * self.looks, "eta_seconds": 90, "doing": "merging images"}
        if self.looks < 4:
            return task
        return {**task, "state": "done", "progress": 1}


METRICS = """# HELP libvirt_up Whether scraping libvirt's metrics was successful.
# TYPE libvirt_up gauge
libvirt_up 1
# HELP vherd_vm_cpu_seconds_total CPU time.
# TYPE vherd_vm_cpu_seconds_total counter
vherd_vm_cpu_seconds_total{domain="a\\"b\\\\c\\nd",uuid="u"} 12.5
vherd_vm_cpu_seconds_total{domain="b"} 1e+21
vherd_vm_cpu_seconds_total{domain="c",} NaN 1763670000000
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    herd = None

    def do_GET(self):
        time.sleep(self.herd.delay)
        url = urllib.parse.urlsplit(self.path)
        parts = [urllib.parse.unquote(part) for part in url.path.split("/")][1:]
        if url.path == "/metrics":
            sets = urllib.parse.parse_qs(url.query).get("set", [])
            text = METRICS + "".join(f"# set {name}\n" for name in sets)
            return self.answer(200, "text/plain; version=0.0.4", text.encode())
        if url.path == "/vherd/v1/vms":
            return self.json({"vms": [self.herd.brief(name) for name in self.herd.names],
                              "libvirt": self.herd.libvirt(), "time": time.time()})
        if url.path == "/vherd/v1/host":
            return self.json(self.herd.host())
        if url.path == "/vherd/v1/status":
            return self.json(self.herd.status())
        if url.path == "/vherd/v1/tasks/7":
            return self.json(self.herd.task())
        if parts[:3] == ["vherd", "v1", "vms"] and len(parts) in (4, 5):
            return self.vm(parts[3], parts[4] if len(parts) == 5 else None, url.query)
        return self.problem(404, "Not Found", f'no such resource: "{url.path}"')

    def vm(self, name, what, query):
        for known in self.herd.names:
            if name in (known, str(uuid.uuid5(SPACE, known))):
                break
        else:
            return self.problem(404, "Not Found", f'no VM is called "{name}"')
        if what == "dirty-rate":
            seconds = urllib.parse.parse_qs(query).get("seconds", ["1"])[0]
            return self.json({"uuid": str(uuid.uuid5(SPACE, known)), "name": known,
                              "dirty_bytes_per_second": 1048576 * float(seconds)})
        if what is None:
            return self.json(self.herd.full(known))
        return self.problem(404, "Not Found", "no such resource")

    def json(self, value):
        text = json.dumps(value, ensure_ascii=False)
        self.answer(200, "application/json", text.encode())

    def problem(self, status, title, detail):
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        self.answer(status, "application/problem+json", json.dumps(body).encode())

    def answer(self, status, media_type, body):
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (BrokenPipeError, ConnectionResetError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socket")
    parser.add_argument("--vms", type=int, default=5)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--libvirt-down", action="store_true")
    parser.add_argument("--flag", action="append", default=[])
    options = parser.parse_args()
    Handler.herd = Herd(options)
    if os.path.exists(options.socket):
        os.unlink(options.socket)
    server = Server(options.socket, Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    signal.signal(signal.SIGUSR1, lambda *_: setattr(Handler.herd, "delay", 5.0))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(Handler.herd, "delay", 0.0))
    print("ready", flush=True)
    server.serve_forever()
    os.unlink(options.socket)


if __name__ == "__main__":
    main()

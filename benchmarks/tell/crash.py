# SPDX-License-Identifier: GPL-3.0-or-later
"""How long from kill -9 of a real guest's QEMU until a webhook's server has the message."""

import json
import os
import shutil
import signal
import tempfile
import time

import labhost
import vherd

LAB = os.environ.get("VHERD_BENCH_LAB", "bench-tell")
GUEST = "victim"
# In the host's own network, hence a process of its own. One line a message: time, status.
SERVER = """
import http.server, json, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        at = time.time()
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(sys.argv[1], "a") as file:
            file.write(f"{at} {message['status']}\\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *unused):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 18099), Handler).serve_forever()
"""


def percentile(values, ratio):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(ratio * len(ordered)))]


def told(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [(float(line.split()[0]), line.split()[1]) for line in file]


def crash(host, path, daemon):
    """One round; seconds."""
    def runs():
        # libvirt takes a while to notice that the last one is gone.
        host.virsh("start", GUEST, check=False)
        vm = daemon.vms().get(GUEST, {})
        return vm.get("pid") and vm["state"] == "running"

    vherd.wait_for("its process is known", 90, runs, 1)
    vherd.wait_for("the end of the last alert", 60,
                   lambda: not told(path) or told(path)[-1][1] == "resolved")
    time.sleep(3)
    before = len(told(path))
    pid = int(host.run("cat", f"/run/libvirt/qemu/{GUEST}.pid").stdout)
    at = time.time()
    os.kill(pid, signal.SIGKILL)
    vherd.wait_for("the message", 30, lambda: len(told(path)) > before)
    return told(path)[before][0] - at


def run(arguments, report):
    if os.geteuid() != 0:
        report.failed("crash to webhook", "real guests need root")
        return
    rounds = 5 if arguments.quick else 40 if arguments.long else 12
    directory = tempfile.mkdtemp(prefix="vherd-tell-")
    os.chmod(directory, 0o755)
    path, rules = os.path.join(directory, "told"), os.path.join(directory, "rules.yaml")
    with open(rules, "w", encoding="utf-8") as file:
        json.dump({"groups": [{"name": "g", "interval": "5s", "rules": [
            {"alert": "VmDown", "expr": "libvirt_domain_info_vstate == 5"}]}]}, file)
    host = labhost.LabHost(LAB)
    if os.path.exists(f"/run/vherd-lab-{LAB}/up"):
        host.down()
    host.up()
    server = None
    try:
        host.guest(GUEST)
        host.wait_guest(GUEST)
        server = labhost.subprocess.Popen([*host.prefix, "python3", "-c", SERVER, path])
        config = {"libvirt": {"uri": "qemu:///system"}, "rules": {"files": [rules]},
                  "notify": {"receivers": [
                      {"name": "w", "webhook": {"url": "http://127.0.0.1:18099/"}}],
                      "route": {"receiver": "w", "group_interval": "1s"}}}
        with vherd.Daemon(config, prefix=host.prefix) as daemon:
            seconds = [crash(host, path, daemon) for _ in range(rounds)]
        report.at_most(f"kill -9 of QEMU to webhook, p95 of {rounds}", percentile(seconds, 0.95),
                       "s", 0.5)
        report.row("kill -9 of QEMU to webhook, median", percentile(seconds, 0.5), "s")
    finally:
        if server:
            server.terminate()
        host.down()
        shutil.rmtree(directory, ignore_errors=True)

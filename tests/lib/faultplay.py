# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of real guests, one after the other, and what a person was told of each."""

import collections
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from vherd import wait_for

# In the host's own network, hence a process of its own. First line: its port; then one a message.
SERVER = """
import http.server, json, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        at = time.time()
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(sys.argv[1], "a") as file:
            file.write(json.dumps({"at": at, "message": message}) + "\\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *unused):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "a") as file:
    file.write(str(server.server_address[1]) + "\\n")
server.serve_forever()
"""

Told = collections.namedtuple("Told", "at status alert domain text")


def clock_is_off(host, name):
    """By what the guest says itself."""
    try:
        before = time.time()
        seconds = int(host.serial(name, "sh date +%s"))
        return not before - 5 <= seconds <= time.time() + 5
    except (OSError, ValueError, RuntimeError, AssertionError, subprocess.SubprocessError):
        return False


class Sink:
    """A webhook's server inside a lab host."""

    def __init__(self, host):
        self.host = host
        self.clocks = {}  # (guest, when told): whether the guest's clock is really off
        self.directory = tempfile.mkdtemp(prefix="vherd-told-")
        self.path = os.path.join(self.directory, "told")
        self.process = subprocess.Popen([*host.prefix, "python3", "-c", SERVER, self.path],
                                        stdin=subprocess.DEVNULL)
        try:
            port = wait_for("the webhook's port", 30, lambda: self.lines()[:1])[0]
        except BaseException:
            self.close()
            raise
        self.url = f"http://127.0.0.1:{port.strip()}/"

    def lines(self):
        """Whole ones only."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8") as file:
            return [line for line in file if line.endswith("\n")]

    def told(self):
        """Each message: one alert, since the route groups by all that names one. An emulated guest that
        boots on a busy machine may take its clock for many times as fast as it is: that its clock is
        off is then right, and no message too many; see wild()."""
        told = [told_of(json.loads(line)) for line in self.lines()[1:]]
        return [t for t in told if not self.is_wild(t)]

    def is_wild(self, told):
        if told.alert != "GuestClockOff" or not told.domain:
            return False
        key = told.domain, told.at
        if key not in self.clocks:
            known = any(off for (name, _), off in self.clocks.items() if name == told.domain)
            self.clocks[key] = known or clock_is_off(self.host, told.domain)
        return self.clocks[key]

    def wild(self):
        """Guests whose clocks were found to be off by asking them, when vherd had said so."""
        return sorted({name for (name, _), off in self.clocks.items() if off})

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def told_of(line):
    message = line["message"]
    labels = message["alerts"][0]["labels"]
    return Told(line["at"], message["status"], labels["alertname"], labels.get("domain"),
                message["subject"] + "\n" + message["text"])


def config(sink):
    """The rules that vherd ships."""
    return {"libvirt": {"uri": "qemu:///system"},
            "notify": {"receivers": [{"name": "w", "webhook": {"url": sink.url}}],
                       "route": {"receiver": "w", "group_interval": "1s",
                                 "group_by": ["alertname", "domain", "instance"]}}}


# Guests whose storage can fail


class Storage:
    """A small file system inside the host, and a server of disks, which a test can end."""

    def __init__(self, host):
        self.host = host
        self.folder = f"/run/vherd-small-{os.getpid()}"
        self.servers = {}
        host.run("mkdir", "-p", self.folder)

    def close(self):
        for guest in list(self.servers):
            self.kill_server(guest)
        self.host.run("umount", "-l", self.folder, check=False)

    def guest_on_small(self, name):
        """A disk of 64 MiB where there is room for 12."""
        self.host.run("mount", "-t", "tmpfs", "-o", "size=12m", "small", self.folder)
        self.host.run("qemu-img", "create", "-q", "-f", "raw", f"{self.folder}/{name}", "64M")
        self.make(name, f"""<disk type='file' device='disk'>
            <driver name='qemu' type='raw' cache='writeback' error_policy='stop'/>
            <source file='{self.folder}/{name}'/>""")

    def guest_on_server(self, name):
        self.host.run("qemu-img", "create", "-q", "-f", "raw",
                      f"/var/lib/libvirt/images/{name}-1.raw", "64M")
        self.start_server(name)
        self.make(name, f"""<disk type='network' device='disk'>
            <driver name='qemu' type='raw' cache='writeback' error_policy='stop'
                    rerror_policy='stop'/>
            <source protocol='nbd'><host transport='unix' socket='{self.socket(name)}'/></source>
            """)

    def make(self, name, disk):
        """Define a guest with that disk instead of its own, and start it."""
        self.host.guest(name, "--define-only")
        text = self.host.virsh("dumpxml", name)
        text = re.sub(r"<disk .*?<target dev='vda'", disk + "<target dev='vda'", text, count=1,
                      flags=re.DOTALL)
        with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            self.host.virsh("define", file.name)
        self.host.virsh("start", name)

    def socket(self, name):
        return f"/run/vherd-nbd-{name}-{os.getpid()}.sock"

    def start_server(self, name):
        socket = self.socket(name)
        self.host.run("rm", "-f", socket)
        self.servers[name] = subprocess.Popen(
            [*self.host.prefix, "qemu-nbd", "-k", socket, "-f", "raw", "-t",
             f"/var/lib/libvirt/images/{name}-1.raw"], stdin=subprocess.DEVNULL)
        wait_for("the server of disks", 30,
                 lambda: self.host.run("test", "-S", socket, check=False).returncode == 0)

    def kill_server(self, name):
        server = self.servers.pop(name)
        server.kill()
        server.wait()


# The faults


class Fault:
    """cause() returns when the fault is there, in seconds since the epoch; mend() undoes it."""

    def __init__(self, name, alert, words, guest, cause, mend):
        self.name, self.alert, self.words, self.guest = name, alert, words, guest
        self.cause, self.mend = cause, mend


def pid_of(host, name):
    return int(host.run("cat", f"/run/libvirt/qemu/{name}.pid").stdout)


def kill(host, name, number):
    pid = pid_of(host, name)
    at = time.time()
    os.kill(pid, number)
    return at


def start_again(host, name):
    """libvirt takes a while to notice that the last one is gone."""
    def starts():
        host.virsh("destroy", name, check=False)
        host.virsh("start", name, check=False)
        return host.virsh("domstate", name).strip() == "running"
    wait_for(f"{name} runs again", 90, starts, 0.5)


def panic(host, name):
    """After its answer, as it gives none later."""
    host.serial(name, "sh (sleep 1; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger) "
                      ">/dev/null 2>&1 &")
    return time.time() + 1


def fill(host, name):
    at = time.time()
    host.serial(name, "fill")
    return at


def write_endlessly(host, name):
    host.serial(name, "sh (while :; do echo a >/data/a; sync; sleep 0.3; done) >/dev/null 2>&1 &")


def lose_storage(host, storage, name):
    write_endlessly(host, name)
    at = time.time()
    storage.kill_server(name)
    return at


def regain_storage(host, storage, name):
    host.virsh("destroy", name, check=False)
    storage.start_server(name)
    start_again(host, name)


def kill_libvirtd(host):
    at = time.time()
    host.stop_libvirtd()
    return at


def faults(host, storage, victim, full, lost, panics=None, crashes=None):
    """In the order in which each leaves the guests as the next one needs them. Those of the last two
    are victim's too unless they have guests of their own."""
    panics, crashes = panics or victim, crashes or victim
    return (
        Fault("SIGSTOP of QEMU", "VmProcessStopped", ("stopped",), victim,
              lambda: kill(host, victim, signal.SIGSTOP),
              lambda: kill(host, victim, signal.SIGCONT)),
        Fault("libvirtd killed", "LibvirtUnreachable", ("libvirt",), None,
              lambda: kill_libvirtd(host), host.start_libvirtd),
        Fault("no space", "VmPausedNoSpace", ("paused", "no space"), full,
              lambda: fill(host, full), lambda: host.remove(full)),
        Fault("I/O error", "VmPausedIoError", ("paused", "I/O error"), lost,
              lambda: lose_storage(host, storage, lost),
              lambda: host.remove(lost)),
        Fault("panic", "VmPanicked", ("panic",), panics,
              lambda: panic(host, panics), lambda: start_again(host, panics)),
        Fault("kill -9 of QEMU", "VmCrashed", ("crashed",), crashes,
              lambda: kill(host, crashes, signal.SIGKILL), lambda: start_again(host, crashes)),
    )


Outcome = collections.namedtuple("Outcome", "seconds wrong")


def play(daemon, sink, fault, dwell_s, limit_s=120):
    """Cause it, wait until it is told and as long again as others might come; mend it and wait
    for its end. How soon it was told, and what is wrong with what was told; an empty list is good."""
    before = len(sink.told())

    def mine():
        return [t for t in sink.told()[before:] if t.alert == fault.alert and
                t.domain == fault.guest]

    at = fault.cause()
    try:
        first = wait_for(f"{fault.alert} is told", limit_s, mine)[0]
        time.sleep(dwell_s)
        wrong = complaints(sink.told()[before:], fault)
    finally:
        fault.mend()
    wait_for(f"the end of {fault.alert}", limit_s, lambda: any(
        t.status == "resolved" for t in mine()), 0.2)
    wait_for("all is known again", limit_s, lambda: is_well(daemon), 0.5)
    time.sleep(dwell_s)
    wrong += late_complaints(sink.told()[before:], fault)
    return Outcome(first.at - at, wrong)


def play_together(sink, wanted, dwell_s, limit_s=60):
    """As many incidents at once, on guests of their own; then libvirtd dies too, which is one more
    and the end of none. What is wrong with what was told, by the fault's name; mends libvirtd."""
    first = len(sink.told())
    wrong = play_guests(sink, wanted, dwell_s, limit_s)
    wrong.update(play_libvirtd(sink, wanted, dwell_s, limit_s))
    add_strays(wrong, sink.told()[first:], wanted)
    return wrong


def play_guests(sink, wanted, dwell_s, limit_s=60):
    """Those of guests, all at once; they stay as they are."""
    faults = [fault for fault in wanted if fault.guest]
    before = len(sink.told())
    with concurrent.futures.ThreadPoolExecutor(len(faults)) as pool:
        list(pool.map(lambda fault: fault.cause(), faults))
    wait_told(sink, before, faults, limit_s)
    time.sleep(dwell_s)
    told = sink.told()[before:]
    return {f.name: complaints([t for t in told if t.domain == f.guest], f) for f in faults}


def play_libvirtd(sink, wanted, dwell_s, limit_s=60):
    fault = libvirtd_of(wanted)
    before = len(sink.told())
    fault.cause()
    try:
        wait_told(sink, before, [fault], limit_s)
        time.sleep(dwell_s)
        return {fault.name: complaints(sink.told()[before:], fault)}
    finally:
        fault.mend()


def libvirtd_of(wanted):
    return next(fault for fault in wanted if fault.guest is None)


def add_strays(wrong, told, wanted):
    """What was told of nothing that was done is held against libvirtd's end."""
    known = {(f.alert, f.guest) for f in wanted}
    besides = {f"{t.alert}({t.domain})" for t in told if (t.alert, t.domain) not in known}
    if besides:
        wrong[libvirtd_of(wanted).name].append("told besides: " + ", ".join(sorted(besides)))


def wait_told(sink, before, wanted, limit_s):
    """What never comes is found by the complaints."""
    try:
        wait_for("all are told", limit_s, lambda: {(f.alert, f.guest) for f in wanted} <= {
            (t.alert, t.domain) for t in sink.told()[before:]})
    except AssertionError:
        pass


def is_well(daemon):
    return daemon.status()["libvirt"]["up"] and all(
        "state" in vm for vm in daemon.vms().values())


def complaints(told, fault):
    wrong = []
    firing = [t for t in told if t.status == "firing"]
    if len(firing) != 1:
        wrong.append(f"{len(firing)} messages: " + ", ".join(f"{t.alert}({t.domain})"
                                                             for t in firing))
    text = firing[0].text if firing else ""
    for word in (*fault.words, *([fault.guest] if fault.guest else [])):
        if word.lower() not in text.lower():
            wrong.append(f'"{word}" is not in: {text}')
    if any(t.status != "firing" for t in told):
        wrong.append("its end was told while it lasted")
    return wrong


def late_complaints(told, fault):
    """Until all was well again nothing else, and one end."""
    others = [f"{t.alert}({t.domain}) {t.status}" for t in told
              if (t.alert, t.domain) != (fault.alert, fault.guest)]
    ends = [t for t in told if t.status == "resolved" and t.alert == fault.alert]
    again = [t for t in told if t.status == "firing" and t.alert == fault.alert]
    wrong = ["told besides: " + ", ".join(others)] if others else []
    if len(ends) != 1 or len(again) != 1:
        wrong.append(f"told {len(again)} times, ended {len(ends)} times")
    return wrong


# SPDX-License-Identifier: GPL-3.0-or-later
"""A real guest that is managed, and what it keeps: records that it checks itself."""

import base64
import json
import os
import signal
import subprocess

import procfs
from vherd import wait_for

POOLS = ("images", "boot")
# With room for DIMMs Linux would set 64 MiB aside as bounce buffers (swiotlb).
WORDS = ("console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off ipv6.disable=1 "
         "memhp_default_state=online_movable swiotlb=512 vherd.name={0} vherd.host={0} vherd.mode=idle")
CHECK = ("echo 3 > /proc/sys/vm/drop_caches; cat /data/record;"
         " if md5sum -c /data/sums > /dev/null; then echo WHOLE; fi")


def is_lost(error):
    """Did virsh fail because libvirtd was away?"""
    return "Failed to connect" in str(error) or "end of file" in str(error).lower()


class Stage:
    """A lab host and a daemon on it, with what tests and benchmarks do to VMs called `prefix`*."""

    def __init__(self, host, daemon, prefix="act"):
        self.host = host
        self.daemon = daemon
        self.prefix = prefix

    def make_pools(self):
        for pool in POOLS:
            if self.host.run("virsh", "-q", "pool-info", pool, check=False).returncode:
                self.host.virsh("pool-define-as", pool, "dir", "--target",
                                f"/var/lib/libvirt/{pool}")
                self.host.virsh("pool-autostart", pool)
                self.host.virsh("pool-start", pool)

    def remove_all(self):
        for name in self.vms():
            self.host.virsh("destroy", name, check=False)
            self.host.virsh("undefine", name, "--snapshots-metadata", "--checkpoints-metadata",
                            "--managed-save", check=False)
        for name in self.volumes():
            self.host.virsh("vol-delete", name, "images", check=False)

    def drop_pools(self):
        for pool in POOLS:  # other tests of this host have pools of their own at these places
            self.host.virsh("pool-destroy", pool, check=False)
            self.host.virsh("pool-undefine", pool, check=False)

    def vms(self):
        return [name for name in self.host.virsh("list", "--all", "--name").split()
                if name.startswith(self.prefix)]

    def volumes(self):
        self.host.virsh("pool-refresh", "images", check=False)
        lines = self.host.virsh("vol-list", "images").splitlines()
        return sorted(line.split()[0] for line in lines if line.split() and
                      line.split()[0].startswith(self.prefix))

    def state(self, name):
        return self.host.virsh("domstate", name).strip()

    def run(self, *words, timeout=240):
        return subprocess.run(self.daemon.command(*words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout)

    def vherd(self, *words, status=0):
        done = self.run(*words)
        if done.returncode != status:
            raise AssertionError(f"{words}: {done.returncode}: {done.stdout} {done.stderr}")
        return done.stdout + done.stderr

    def do(self, *words):
        """A deed, waited for; its task."""
        return json.loads(self.vherd(*words, "--wait", "--json"))

    def attempt(self, *words):
        """A deed that may be refused: (done, what was said). One that fails on its way is an error."""
        done = self.run(*words, "--wait", "--json")
        if done.returncode == 0:
            return True, ""
        if json.loads(done.stdout or "[]"):
            raise AssertionError(f"{words} was begun and failed: {done.stdout} {done.stderr}")
        return False, done.stderr.strip()

    def create(self, name, *more, memory="128M", most="160M"):
        return self.do("vm", "create", name, "--memory", memory, "--max-memory", most,
                       "--disk", "pool=images,size=64M", "--kernel", "pool=boot,volume=vmlinux",
                       "--initrd", "pool=boot,volume=initramfs", "--cmdline", WORDS.format(name),
                       *more)

    def ping(self, name):
        return self.host.run("virsh", "-q", "qemu-agent-command", name,
                             '{"execute":"guest-ping"}', check=False).returncode == 0

    def boot(self, name):
        wait_for("the guest's agent", 120, lambda: self.ping(name), pause=0.5)

    def guest(self, name, command):
        """Run a shell command inside the guest through its agent; its output."""
        start = {"execute": "guest-exec", "arguments": {
            "path": "/bin/sh", "arg": ["-c", command], "capture-output": True}}
        pid = json.loads(self.host.virsh("qemu-agent-command", name,
                                         json.dumps(start)))["return"]["pid"]
        ask = json.dumps({"execute": "guest-exec-status", "arguments": {"pid": pid}})

        def ended():
            answer = json.loads(self.host.virsh("qemu-agent-command", name, ask))["return"]
            return answer if answer["exited"] else None
        answer = wait_for("the command in the guest", 30, ended, pause=0.2)
        return base64.b64decode(answer.get("out-data", "")).decode()

    def record(self, name, text, kib=100):
        """A line, and a file of that name with its checksum."""
        self.guest(name, f"echo {text} >> /data/record; head -c {kib * 1024} /dev/urandom >"
                         f" /data/f.{text}; md5sum /data/f.{text} >> /data/sums; sync")

    def records(self, name):
        """The lines, as the disk has them; every file must have its checksum."""
        lines = self.guest(name, CHECK).split()
        if not lines or lines[-1] != "WHOLE":
            raise AssertionError(f"{name}: the guest's records do not check: {lines}")
        return lines[:-1]

    def snapshots(self, name):
        return sorted(self.host.virsh("snapshot-list", name, "--name").split())

    def chain(self, name):
        """Images of vda of a running VM, first the one it writes to."""
        lines = self.host.run("virsh", "-q", "dumpxml", name).stdout.split("<disk ")[1]
        lines = lines.split("</disk>")[0].splitlines()
        return [line.split("'")[1].rpartition("/")[2] for line in lines if "<source file=" in line]

    # Ends in the middle.

    def kill_act(self):
        os.kill(self.daemon.process_named("act"), signal.SIGKILL)

    def kill_libvirtd(self):
        pid = self.host.libvirtd()
        os.kill(pid, signal.SIGKILL)
        # One that is still ending would be taken for one that runs.
        wait_for("libvirtd's end", 60, lambda: not procfs.alive(pid))

    def kill_daemon(self):
        for pid in [*procfs.descendants(self.daemon.process.pid), self.daemon.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.daemon.process.wait()
        self.daemon.process = None

    def heal(self):
        if self.host.libvirtd() is None:
            self.host.start_libvirtd()
        if self.daemon.process is None:
            self.daemon.start()

    def closed(self):
        """All tasks, once none is open."""
        def look():
            done = self.run("task", "list", "--json")
            if done.returncode:
                return None
            tasks = json.loads(done.stdout)["tasks"]
            return all(t["state"] not in ("queued", "running") for t in tasks) and tasks
        return wait_for("every task is closed", 90, look, pause=0.5)

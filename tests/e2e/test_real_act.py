# SPDX-License-Identifier: GPL-3.0-or-later
"""Deeds on real guests: each at least once, and with processes killed in the middle of them."""

import base64
import json
import os
import random
import signal
import subprocess
import time
import unittest

import procfs
import realhost
from vherd import wait_for

ROUNDS = int(os.environ.get("VHERD_TEST_KILLS", "4"))
POOLS = ("images", "boot")
WORDS = ("console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off ipv6.disable=1 "
         "vherd.name={0} vherd.host={0} vherd.mode=idle")


class Act(unittest.TestCase):
    def setUp(self):
        self.host = realhost.get()
        for pool in POOLS:
            if self.host.run("virsh", "-q", "pool-info", pool, check=False).returncode:
                self.host.virsh("pool-define-as", pool, "dir", "--target",
                                f"/var/lib/libvirt/{pool}")
                self.host.virsh("pool-autostart", pool)
                self.host.virsh("pool-start", pool)
        self.daemon = realhost.daemon()
        # Readable by whoever looks at a failed test; act makes its own folder in it.
        self.daemon.config["act"] = {"state": os.path.join(self.daemon.directory, "act")}
        self.daemon.write_config()
        self.addCleanup(self.daemon.close)
        self.addCleanup(self.remove_all)
        self.daemon.start()

    def remove_all(self):
        for name in self.vms():
            self.host.virsh("destroy", name, check=False)
            self.host.virsh("undefine", name, "--snapshots-metadata", "--managed-save", check=False)
        for name in self.volumes():
            self.host.virsh("vol-delete", name, "images", check=False)
        for pool in POOLS:  # other tests of this host have pools of their own at these places
            self.host.virsh("pool-destroy", pool, check=False)
            self.host.virsh("pool-undefine", pool, check=False)

    def vms(self):
        return [name for name in self.host.virsh("list", "--all", "--name").split()
                if name.startswith("act")]

    def volumes(self):
        self.host.virsh("pool-refresh", "images", check=False)
        lines = self.host.virsh("vol-list", "images").splitlines()
        return [line.split()[0] for line in lines if line.split() and
                line.split()[0].startswith("act")]

    def vherd(self, *words, status=0):
        done = subprocess.run(self.daemon.command(*words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=240)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout} {done.stderr}")
        return done.stdout + done.stderr

    def do(self, *words):
        """A deed, waited for; its task."""
        return json.loads(self.vherd(*words, "--wait", "--json"))

    def create(self, name, *more):
        return self.do("vm", "create", name, "--memory", "128M", "--max-memory", "160M",
                       "--disk", "pool=images,size=64M", "--kernel", "pool=boot,volume=vmlinux",
                       "--initrd", "pool=boot,volume=initramfs", "--cmdline", WORDS.format(name),
                       *more)

    def ping(self, name):
        return self.host.run("virsh", "-q", "qemu-agent-command", name,
                             '{"execute":"guest-ping"}', check=False).returncode == 0

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
        answer = wait_for("the command in the guest", 30, ended, pause=0.3)
        return base64.b64decode(answer.get("out-data", "")).decode()

    def record(self, name, text):
        self.guest(name, f"echo {text} >> /data/record; sync")

    def records(self, name):
        return self.guest(name, "cat /data/record").split()

    def boot(self, name):
        wait_for("the guest's agent", 120, lambda: self.ping(name), pause=0.5)

    def test_life_of_a_guest(self):
        self.create("act1", "--max-vcpus", "2", "--label", "role=test", "--start")
        self.boot("act1")
        self.record("act1", "one")
        self.assertIn("running already", self.vherd("vm", "start", "act1", status=1))
        self.do("vm", "pause", "act1")
        self.assertIn("paused", self.host.virsh("domstate", "act1"))
        self.do("vm", "resume", "act1")
        self.do("vm", "set-memory", "act1", "--memory", "112M")
        self.do("vm", "limit-disk", "act1", "--target", "vda", "--write-iops", "500")
        self.do("vm", "set-cpu", "act1", "--shares", "512", "--scope", "live")
        self.do("vm", "pin", "act1", "--vcpu", "0", "--cpus", "0")
        self.do("vm", "attach-disk", "act1", "--pool", "images", "--size", "16M")
        self.do("vm", "grow-disk", "act1", "--target", "vdb", "--size", "32M")
        self.do("vm", "attach-nic", "act1", "--bridge", "br0", "--mac", "52:54:00:aa:bb:01")
        self.do("vm", "limit-nic", "act1", "--mac", "52:54:00:aa:bb:01", "--in", "1M",
                "--scope", "config")  # a kernel may lack the queue that the live limit needs
        self.do("vm", "detach-nic", "act1", "--mac", "52:54:00:aa:bb:01")
        self.do("vm", "detach-disk", "act1", "--target", "vdb", "--volume-fate", "delete")
        self.assertEqual(self.volumes(), ["act1-vda.qcow2"])

        self.do("snapshot", "create", "act1", "--name", "before")
        self.record("act1", "two")
        self.do("snapshot", "revert", "act1", "--name", "before")
        self.boot("act1")
        self.assertEqual(self.records("act1"), ["one"])
        self.do("snapshot", "delete", "act1", "--name", "before")
        for name in ("low", "high"):
            self.do("snapshot", "create", "act1", "--name", name, "--kind", "external")
            self.record("act1", name)
        self.assertIn("cannot go back", self.vherd("snapshot", "revert", "act1", "--name", "low",
                                                   status=1))
        self.do("snapshot", "delete", "act1", "--name", "low")
        self.do("snapshot", "delete", "act1", "--name", "high")
        self.assertEqual(self.records("act1"), ["one", "low", "high"])

        self.do("vm", "save", "act1")
        self.assertIn("shut off", self.host.virsh("domstate", "act1"))
        self.do("vm", "restore", "act1")
        self.boot("act1")
        self.do("vm", "reset", "act1")
        time.sleep(2)
        self.boot("act1")
        self.do("vm", "set-vcpus", "act1", "--vcpus", "2", "--scope", "config")
        self.do("vm", "shutdown", "act1", "--timeout", "90s", "--fallback", "destroy")
        self.do("vm", "clone", "act1", "--name", "act2")
        self.do("vm", "rename", "act2", "--name", "act3")
        self.do("vm", "start", "act3")
        self.boot("act3")
        self.assertEqual(self.records("act3"), ["one", "low", "high"])
        self.do("vm", "destroy", "act3")
        self.do("vm", "clone", "act1", "--name", "act4", "--linked")
        self.assertIn("linked clone", self.vherd("vm", "start", "act1", status=1))
        for name in ("act4", "act3", "act1"):
            self.do("vm", "delete", name, "--disks", "delete")
        self.assertEqual((self.vms(), self.volumes()), ([], []))
        self.vherd("audit-log", "--verify")

    def victims(self):
        """What is killed in the middle of a deed."""
        def act():
            os.kill(self.daemon.process_named("act"), signal.SIGKILL)

        def libvirtd():
            os.kill(self.host.libvirtd(), signal.SIGKILL)

        def everything():
            for pid in [*procfs.descendants(self.daemon.process.pid),
                        self.daemon.process.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.daemon.process.wait()
            self.daemon.process = None
        return [act, libvirtd, everything]

    def heal(self):
        if self.host.libvirtd() is None:
            self.host.start_libvirtd()
        if self.daemon.process is None:
            self.daemon.start()

    def closed(self):
        """All tasks, once none is open."""
        def look():
            try:
                tasks = json.loads(self.vherd("task", "list", "--json"))["tasks"]
            except AssertionError:
                return None
            return all(t["state"] not in ("queued", "running") for t in tasks) and tasks
        return wait_for("every task is closed", 90, look, pause=0.5)

    def test_killed_in_the_middle(self):
        dice = random.Random(6)
        self.create("act1", "--start")
        self.boot("act1")
        self.record("act1", "kept")
        for i in range(ROUNDS):
            name, kill = f"act-k{i}", self.victims()[i % 3]
            off = [one for one in self.vms() if one.startswith("act-k")]
            deeds = [
                ("vm", "create", name, "--memory", "64M", "--disk", "pool=images,size=64M",
                 "--disk", "pool=images,image=act1-vda.qcow2"),
                ("snapshot", "create", "act1", "--name", f"s{i}", "--kind", "external"),
            ]
            if off:
                deeds += [("vm", "clone", off[0], "--name", f"act-c{i}"),
                          ("vm", "delete", off[0], "--disks", "delete")]
            deed = dice.choice(deeds)
            with self.subTest(round=i, deed=deed[1], kill=kill.__name__):
                before = self.closed()[0]["id"]
                asked = subprocess.Popen(self.daemon.command(*deed), stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
                time.sleep(dice.uniform(0.01, 0.25))
                kill()
                asked.wait(120)
                self.heal()
                last = self.closed()[0]
                # A request that was killed on its way made no task, and nothing else.
                done = last["id"] > before and last["state"] == "done"
                if deed[1] == "create" and deed[0] == "vm":
                    self.assertEqual(name in self.vms(), done, last)
                    self.assertEqual(any(v.startswith(f"{name}-") for v in self.volumes()), done, last)
                elif deed[1] == "create":
                    listed = self.host.virsh("snapshot-list", "act1", "--name").split()
                    self.assertEqual(f"s{i}" in listed, done, last)
                elif deed[1] == "clone":
                    self.assertEqual(f"act-c{i}" in self.vms(), done, last)
                    self.assertEqual(any(v.startswith(f"act-c{i}-") for v in self.volumes()), done,
                                     last)
                else:
                    self.assertEqual(deed[2] not in self.vms(), done, last)
                    self.assertEqual(any(v.startswith(f"{deed[2]}-") for v in self.volumes()),
                                     not done, last)
                self.assertIn("running", self.host.virsh("domstate", "act1"))
                self.assertEqual(self.records("act1"), ["kept"])


if __name__ == "__main__":
    unittest.main()

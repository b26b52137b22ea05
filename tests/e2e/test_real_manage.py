# SPDX-License-Identifier: GPL-3.0-or-later
"""Consoles, seed images and NUMA placement on real guests."""

import json
import os
import subprocess
import tempfile
import unittest

import realact
import realhost
from e2e import test_console
from vherd import wait_for

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvciB0aGUgdGVzdA me@here"


class Manage(unittest.TestCase):
    def setUp(self):
        self.host = realhost.get()
        self.daemon = realhost.daemon()
        self.stage = realact.Stage(self.host, self.daemon, "man")
        self.stage.make_pools()
        self.addCleanup(self.daemon.close)
        self.addCleanup(self.stage.drop_pools)
        self.addCleanup(self.remove_all)
        self.daemon.start()

    def remove_all(self):
        self.stage.remove_all()
        for name in self.seeds():
            self.host.virsh("vol-delete", name, "images", check=False)

    def seeds(self):
        self.host.virsh("pool-refresh", "images", check=False)
        return [line.split()[0] for line in self.host.virsh("vol-list", "images").splitlines()
                if line.split() and line.split()[0].startswith("seed-")]

    def terminal(self, *words):
        return test_console.Terminal(self.daemon.command("console", *words), os.environ)

    def records(self):
        text = self.stage.vherd("audit-log", "--verb", "vm.console", "--json")
        return [r for r in reversed(json.loads(text)["records"])]

    def ask(self, terminal, command, answer):
        """The guest takes words one line at a time; a busy one may miss what comes too early."""
        for _ in range(12):
            terminal.send(b"\r1 sh " + command + b"\r")
            try:
                terminal.expect(answer, 15)
                return
            except AssertionError:
                continue
        terminal.expect(answer, 1)

    def test_console(self):
        self.stage.create("man1", "--start")
        self.stage.boot("man1")
        t = self.terminal("man1")
        t.expect(b"Attached to man1")
        self.ask(t, b"echo said-$((40+2))", b"said-42")
        # libvirt itself lets one in: whoever it is, they are put off by force only.
        self.assertIn("attached to this console", self.stage.vherd("console", "man1", status=1))
        t.send(b"\x1d")
        self.assertEqual(t.ended(), 0)
        theirs = test_console.Terminal(
            [*self.host.prefix, "virsh", "-c", "qemu:///system", "console", "man1"], os.environ)
        theirs.expect(b"Escape character", 60)
        self.assertIn("in use", self.stage.vherd("console", "man1", status=1))
        t = self.terminal("man1", "--force")
        t.expect(b"Attached to man1")
        theirs.process.wait(60)
        theirs.ended()
        self.ask(t, b"echo said-$((50+2))", b"said-52")
        # The line ends with the VM.
        self.stage.do("vm", "destroy", "man1")
        t.expect(b"the line ended", 60)
        self.assertEqual(t.ended(), 1)
        kinds = [(r["kind"], r["result"]) for r in self.records()]
        self.assertEqual(kinds, [("intent", ""), ("outcome", "done"), ("intent", ""),
                                 ("outcome", "failed"), ("intent", ""), ("outcome", "done")])
        self.stage.vherd("audit-log", "--verify")

    def test_console_outlives_no_libvirtd(self):
        self.stage.create("man1", "--start")
        self.stage.boot("man1")
        t = self.terminal("man1")
        t.expect(b"Attached to man1")
        self.host.stop_libvirtd()
        t.expect(b"the line ended", 90)
        self.assertEqual(t.ended(), 1)
        self.host.start_libvirtd()
        wait_for("a new console", 90, lambda: self.stage.run(
            "console", "man1").returncode == 0)

    def read_seed(self, path):
        """{name: text}, and the label, as xorriso sees them."""
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(
                ["xorriso", "-osirrox", "on", "-indev", path, "-pvd_info", "-extract", "/",
                 directory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout)
            label = [line.split(":", 1)[1].strip() for line in done.stdout.splitlines()
                     if line.startswith("Volume Id")]
            files = {}
            for name in os.listdir(directory):
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    files[name] = file.read()
            return label[0], files

    def test_seed(self):
        self.stage.create("man1", "--seed", "pool=images,hostname=www,address=10.0.0.5/24", "--seed-user",
                    f"name=ann,sudo,ssh_key={KEY}", "--seed-package", "nginx", "--seed-command",
                    "echo 'a: b' > /etc/x", "--start")
        (volume,) = self.seeds()
        path = self.host.virsh("vol-path", volume, "images").strip()
        with tempfile.NamedTemporaryFile(suffix=".iso") as copy:
            copy.write(self.read_inside(path))
            copy.flush()
            label, files = self.read_seed(copy.name)
        self.assertEqual(label, "cidata")
        self.assertEqual(sorted(files), ["meta-data", "network-config", "user-data"])
        head, data = files["user-data"].split("\n", 1)
        data = json.loads(data)
        self.assertEqual(head, "#cloud-config")
        self.assertEqual(data["runcmd"], ["echo 'a: b' > /etc/x"])
        self.assertEqual(data["users"][0]["ssh_authorized_keys"], [KEY])
        self.assertEqual(json.loads(files["meta-data"])["local-hostname"], "www")
        self.stage.boot("man1")
        # ECMA-119: the volume's name stands 40 bytes into sector 16.
        seen = self.stage.guest("man1", "dd if=/dev/vdb bs=1 skip=32808 count=6 2>/dev/null")
        self.assertEqual(seen.lower(), "cidata")
        self.assertIn("failed", self.stage.guest("man1", "dd if=/dev/zero of=/dev/vdb bs=512 count=1 "
                                           ">/dev/null 2>&1 || echo failed"))
        self.stage.do("vm", "destroy", "man1")
        self.stage.do("vm", "delete", "man1", "--disks", "delete")
        self.assertEqual((self.stage.volumes(), self.seeds()), ([], []))

    def read_inside(self, path):
        return subprocess.run([*self.host.prefix, "cat", path], stdin=subprocess.DEVNULL, check=True,
                              stdout=subprocess.PIPE, timeout=60).stdout

    def test_numa(self):
        nodes = os.listdir("/sys/devices/system/node")
        if "node0" not in nodes:
            self.skipTest("this kernel knows no NUMA nodes")
        refused = self.stage.vherd("vm", "create", "man2", "--memory", "64M", "--numa", "nodes=0-99",
                             status=1)
        self.assertIn("the host has no NUMA node", refused)
        self.stage.create("man1", "--numa", "nodes=0,pin_vcpus", "--vcpus", "2", "--start")
        shown = json.loads(self.stage.vherd("vm", "definition", "man1", "--json"))
        self.assertEqual(shown["numa"], {"nodes": "0", "mode": "strict"})
        with open("/sys/devices/system/node/node0/cpulist", encoding="ascii") as file:
            cpus = file.read().strip()
        self.assertEqual([p["cpus"] for p in shown["pins"]], [cpus, cpus])
        self.stage.boot("man1")
        task = self.stage.do("vm", "set-numa", "man1", "--nodes", "0", "--pin-vcpus")
        self.assertEqual(task["result"], {"nodes": "0", "mode": "strict", "pins": [cpus, cpus]})
        text = self.host.virsh("numatune", "man1")
        self.assertIn("numa_nodeset   : 0", text)
        with open(f"/proc/{self.host.qemu('man1')}/status", encoding="ascii") as file:
            allowed = [line.split()[1] for line in file if line.startswith("Mems_allowed_list")]
        self.assertEqual(allowed, ["0"])
        self.assertIn("mode", self.stage.vherd("vm", "set-numa", "man1", "--nodes", "0", "--mode",
                                         "interleave", "--scope", "live", "--wait", status=1))
        self.assertTrue(self.stage.ping("man1"))


if __name__ == "__main__":
    unittest.main()

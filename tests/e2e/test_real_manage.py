# SPDX-License-Identifier: GPL-3.0-or-later
"""Consoles, seed images and NUMA placement on real guests."""

import json
import os
import subprocess
import tempfile
import unittest

import test_console
import test_real_act
from vherd import wait_for

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvciB0aGUgdGVzdA me@here"


class Manage(unittest.TestCase):
    # The same host and daemon as the deeds' test has, and its ways of asking.
    setUp, vms, volumes = (test_real_act.Act.setUp, test_real_act.Act.vms,
                           test_real_act.Act.volumes)
    vherd, do, create = test_real_act.Act.vherd, test_real_act.Act.do, test_real_act.Act.create
    boot, ping, guest = test_real_act.Act.boot, test_real_act.Act.ping, test_real_act.Act.guest

    def remove_all(self):
        for name in self.vms():
            self.host.virsh("destroy", name, check=False)
        for name in self.seeds():
            self.host.virsh("vol-delete", name, "images", check=False)
        test_real_act.Act.remove_all(self)

    def seeds(self):
        self.host.virsh("pool-refresh", "images", check=False)
        return [line.split()[0] for line in self.host.virsh("vol-list", "images").splitlines()
                if line.split() and line.split()[0].startswith("seed-")]

    def terminal(self, *words):
        return test_console.Terminal(self.daemon.command("console", *words), os.environ)

    def records(self):
        text = self.vherd("audit-log", "--verb", "vm.console", "--json")
        return [r for r in reversed(json.loads(text)["records"])]

    def test_console(self):
        self.create("act1", "--start")
        self.boot("act1")
        t = self.terminal("act1")
        t.expect(b"Attached to act1")
        t.send(b"\rt1 sh echo said-$((40+2))\r")
        t.expect(b"said-42", 60)
        # libvirt itself lets one in: whoever it is, they are put off by force only.
        self.assertIn("attached to this console", self.vherd("console", "act1", status=1))
        t.send(b"\x1d")
        self.assertEqual(t.ended(), 0)
        theirs = test_console.Terminal(
            [*self.host.prefix, "virsh", "-c", "qemu:///system", "console", "act1"], os.environ)
        theirs.expect(b"Escape character", 60)
        self.assertIn("in use", self.vherd("console", "act1", status=1))
        t = self.terminal("act1", "--force")
        t.expect(b"Attached to act1")
        theirs.process.wait(60)
        theirs.ended()
        t.send(b"\rt2 sh echo said-$((50+2))\r")
        t.expect(b"said-52", 60)
        # The line ends with the VM.
        self.do("vm", "destroy", "act1")
        t.expect(b"the line ended", 60)
        self.assertEqual(t.ended(), 1)
        kinds = [(r["kind"], r["result"]) for r in self.records()]
        self.assertEqual(kinds, [("intent", ""), ("outcome", "done"), ("intent", ""),
                                 ("outcome", "failed"), ("intent", ""), ("outcome", "done")])
        self.vherd("audit-log", "--verify")

    def test_console_outlives_no_libvirtd(self):
        self.create("act1", "--start")
        self.boot("act1")
        t = self.terminal("act1")
        t.expect(b"Attached to act1")
        self.host.stop_libvirtd()
        t.expect(b"the line ended", 90)
        self.assertEqual(t.ended(), 1)
        self.host.start_libvirtd()
        wait_for("a new console", 90, lambda: subprocess.run(
            self.daemon.command("console", "act1"), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0)

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
        self.create("act1", "--seed", "pool=images,hostname=www,address=10.0.0.5/24", "--seed-user",
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
        self.boot("act1")
        # ECMA-119: the volume's name stands 40 bytes into sector 16.
        seen = self.guest("act1", "dd if=/dev/vdb bs=1 skip=32808 count=6 2>/dev/null")
        self.assertEqual(seen.lower(), "cidata")
        self.assertIn("failed", self.guest("act1", "dd if=/dev/zero of=/dev/vdb bs=512 count=1 "
                                           ">/dev/null 2>&1 || echo failed"))
        self.do("vm", "destroy", "act1")
        self.do("vm", "delete", "act1", "--disks", "delete")
        self.assertEqual((self.volumes(), self.seeds()), ([], []))

    def read_inside(self, path):
        return subprocess.run([*self.host.prefix, "cat", path], stdin=subprocess.DEVNULL, check=True,
                              stdout=subprocess.PIPE, timeout=60).stdout

    def test_numa(self):
        nodes = os.listdir("/sys/devices/system/node")
        if "node0" not in nodes:
            self.skipTest("this kernel knows no NUMA nodes")
        refused = self.vherd("vm", "create", "act2", "--memory", "64M", "--numa", "nodes=0-99",
                             status=1)
        self.assertIn("the host has no NUMA node", refused)
        self.create("act1", "--numa", "nodes=0,pin_vcpus", "--vcpus", "2", "--start")
        shown = json.loads(self.vherd("vm", "definition", "act1", "--json"))
        self.assertEqual(shown["numa"], {"nodes": "0", "mode": "strict"})
        with open("/sys/devices/system/node/node0/cpulist", encoding="ascii") as file:
            cpus = file.read().strip()
        self.assertEqual([p["cpus"] for p in shown["pins"]], [cpus, cpus])
        self.boot("act1")
        task = self.do("vm", "set-numa", "act1", "--nodes", "0", "--pin-vcpus")
        self.assertEqual(task["result"], {"nodes": "0", "mode": "strict", "pins": [cpus, cpus]})
        text = self.host.virsh("numatune", "act1")
        self.assertIn("numa_nodeset   : 0", text)
        with open(f"/proc/{self.host.qemu('act1')}/status", encoding="ascii") as file:
            allowed = [line.split()[1] for line in file if line.startswith("Mems_allowed_list")]
        self.assertEqual(allowed, ["0"])
        self.assertIn("mode", self.vherd("vm", "set-numa", "act1", "--nodes", "0", "--mode",
                                         "interleave", "--scope", "live", "--wait", status=1))
        self.assertTrue(self.ping("act1"))


if __name__ == "__main__":
    unittest.main()

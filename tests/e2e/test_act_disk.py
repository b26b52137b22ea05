# SPDX-License-Identifier: GPL-3.0-or-later
"""A full disk under act's database: a deed whose audit record cannot be written is not done, and
deeds are done again when there is room."""

import json
import os
import subprocess
import unittest

import smalldisk
import vherd
from vherd import wait_for

MANY = 400  # each takes a few KiB; the disk has 4 MiB


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.disk = self.enterContext(smalldisk.SmallDisk())
        self.daemon = vherd.Daemon({"libvirt": {"uri": "memory:///?vms=2"},
                                    "act": {"state": os.path.join(self.disk.top, "act")}})
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        wait_for("act's connection", 60,
                 lambda: self.ask("vm", "reset", "vm1", "--dry-run").returncode == 0)

    def ask(self, *words):
        return subprocess.run(self.daemon.command(*words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)

    def is_paused(self):
        """As act sees it: each process has a hypervisor in memory of its own."""
        return self.ask("vm", "resume", "vm1", "--dry-run").returncode == 0

    def until_refused(self):
        """How many pauses and resumes were done before one was refused; the refusal."""
        for n in range(MANY):
            self.disk.fill()
            word = "resume" if n % 2 else "pause"
            done = self.ask("vm", word, "vm1", "--wait", "--json")
            if done.returncode:
                return n, done.stderr
        raise AssertionError("a full disk was never noticed")

    def intents(self):
        lines = self.ask("audit-log", "--export").stdout.splitlines()
        return [one for one in map(json.loads, lines)
                if one["kind"] == "intent" and one["verb"] in ("vm.pause", "vm.resume")]

    def test_deeds_wait_for_room(self):
        n, why = self.until_refused()
        self.assertIn("nothing was done", why)
        self.assertIn("No space left on device", why)
        # The VM is as the last deed that was taken left it, and reading goes on.
        paused = n % 2 == 1
        self.assertEqual(self.is_paused(), paused)
        self.assertEqual(self.ask("vm", "pause" if not paused else "resume", "vm1").returncode, 1)
        self.assertEqual(self.is_paused(), paused)
        self.assertEqual(self.ask("list").returncode, 0)
        self.disk.free()
        words = ("vm", "resume" if paused else "pause", "vm1", "--wait", "--json")
        wait_for("a deed", 60, lambda: self.ask(*words).returncode == 0, 0.5)
        self.assertEqual(self.is_paused(), not paused)
        self.assertEqual(self.ask("audit-log", "--verify").returncode, 0)
        # Everything that was taken is there once, and nothing that was refused.
        self.assertEqual(len(self.intents()), n + 1)
        tasks = json.loads(self.ask("task", "list", "--json").stdout)["tasks"]
        self.assertEqual([t["state"] for t in tasks], ["done"] * (n + 1))
        # Also after a restart.
        self.assertEqual(self.daemon.stop(30), 0)
        self.daemon.start()
        wait_for("act's connection", 60,
                 lambda: self.ask("vm", "reset", "vm2", "--dry-run").returncode == 0)
        self.assertEqual(self.ask("audit-log", "--verify").returncode, 0)
        self.assertEqual(len(self.intents()), n + 1)


if __name__ == "__main__":
    unittest.main()

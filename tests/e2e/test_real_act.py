# SPDX-License-Identifier: GPL-3.0-or-later
"""Deeds on real guests: each at least once, and with processes killed in the middle of them."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import unittest

import everydeed
import killplay
import procfs
import realact
import realhost
from vherd import wait_for

ROUNDS = int(os.environ.get("VHERD_TEST_KILLS", "6"))
SEED = int(os.environ.get("VHERD_TEST_SEED", "6"))


class Act(unittest.TestCase):
    def setUp(self):
        host = realhost.get()
        self.daemon = realhost.daemon()
        self.stage = realact.Stage(host, self.daemon, "act")
        self.stage.make_pools()
        self.addCleanup(self.daemon.close)
        self.addCleanup(self.stage.drop_pools)
        self.addCleanup(self.stage.remove_all)
        self.daemon.start()

    def test_every_deed(self):
        """The table's deeds are all done on a real guest, and refused to roles without the right."""
        deeds = set(everydeed.table())
        self.assertGreater(len(deeds), 25)
        everydeed.perform_all(self.stage, "act1")
        self.assertEqual(deeds - everydeed.done(self.stage), set())
        self.assertEqual((self.stage.vms(), self.stage.volumes()), ([], []))
        self.stage.do("vm", "create", "act2", "--memory", "64M", "--disk", "pool=images,size=1M")
        before = len(self.stage.vherd("task", "list").splitlines())
        self.assertEqual(deeds - everydeed.refused(self.stage, "act2"), set())
        self.assertEqual(len(self.stage.vherd("task", "list").splitlines()), before)
        self.stage.vherd("audit-log", "--verify")

    def test_life_of_a_guest(self):
        s = self.stage
        s.create("act1", "--start")
        s.boot("act1")
        s.record("act1", "one")
        self.assertIn("running already", s.vherd("vm", "start", "act1", status=1))
        s.do("vm", "pause", "act1")
        self.assertEqual(s.state("act1"), "paused")
        s.do("vm", "resume", "act1")
        s.do("vm", "save", "act1")
        self.assertEqual(s.state("act1"), "shut off")
        s.do("vm", "restore", "act1")
        self.assertEqual(s.records("act1"), ["one"])
        s.do("vm", "shutdown", "act1", "--timeout", "90s", "--fallback", "destroy")
        s.do("vm", "clone", "act1", "--name", "act3")
        s.do("vm", "start", "act3")
        s.boot("act3")
        self.assertEqual(s.records("act3"), ["one"])
        # What stands on an image, however deep, keeps it.
        s.do("vm", "destroy", "act3")
        s.do("vm", "clone", "act1", "--name", "act4", "--linked")
        s.do("snapshot", "create", "act4", "--name", "deep", "--kind", "external")
        self.assertIn("linked clone", s.vherd("vm", "start", "act1", status=1))
        s.do("vm", "delete", "act1", "--disks", "delete")
        self.assertIn("act1-vda.qcow2", s.volumes())
        s.do("vm", "start", "act4")
        s.boot("act4")
        self.assertEqual(s.records("act4"), ["one"])
        s.do("vm", "destroy", "act4")
        s.do("vm", "delete", "act4", "--disks", "delete", "--snapshots", "delete")
        s.do("vm", "delete", "act3", "--disks", "delete")
        self.assertEqual((s.vms(), s.volumes()), ([], ["act1-vda.qcow2"]))

    def lose(self, name, pid):
        """libvirtd ends, and comes back without what it had written of a running VM."""
        host = self.stage.host
        self.stage.kill_libvirtd()
        host.run("rm", f"/run/libvirt/qemu/{name}.xml")
        os.kill(pid, signal.SIGCONT)
        host.start_libvirtd()
        wait_for("act has libvirt again", 60,
                 lambda: self.daemon.status()["libvirt"]["up"], pause=0.2)

    def noted(self, deed):
        path = os.path.join(self.daemon.directory, "act", "act.db")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(*) FROM task, task_note WHERE task.id = task_note.task"
                              " AND task.deed = ? AND task.state = 1",
                              (deed,)).fetchone()[0]

    def lost_in_the_middle(self, name, pid, snapshot):
        """Lose it while it writes its memory; False where it was done before."""
        with subprocess.Popen(self.daemon.command("snapshot", "create", name, "--name", snapshot,
                                                  "--kind", "external", "--memory", "--wait"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as asked:
            wait_for("the deed has begun", 60, lambda: self.noted("snapshot.create") or
                     asked.poll() is not None, pause=0.01)
            os.kill(pid, signal.SIGSTOP)
            if not self.noted("snapshot.create"):
                os.kill(pid, signal.SIGCONT)
                return False
            self.lose(name, pid)
        return True

    def test_a_process_that_libvirt_has_lost(self):
        """Somebody else's is told of and left alone; a deed's own is ended, and the VM started."""
        s = self.stage
        s.create("act1", "--start")
        s.boot("act1")
        s.record("act1", "one")
        pid = s.host.qemu("act1")
        self.lose("act1", pid)
        self.assertEqual(s.state("act1"), "shut off")
        for words in (("start",), ("start", "--dry-run"), ("delete", "--disks", "delete")):
            said = s.vherd("vm", words[0], "act1", *words[1:], status=1)
            self.assertIn(f"process {pid} still runs", said)
        self.assertTrue(procfs.alive(pid))
        os.kill(pid, signal.SIGTERM)
        wait_for("its end", 60, lambda: not procfs.alive(pid))
        s.do("vm", "start", "act1")
        s.boot("act1")
        pid = s.host.qemu("act1")
        self.assertTrue(any(self.lost_in_the_middle("act1", pid, f"s{i}") for i in range(8)))
        task = s.closed()[0]
        self.assertIn("started again", task["message"])
        self.assertFalse(procfs.alive(pid))
        s.boot("act1")
        self.assertEqual(s.records("act1"), ["one"])

    def test_killed_in_the_middle(self):
        killplay.Rounds(self.stage, SEED).run(ROUNDS)


if __name__ == "__main__":
    unittest.main()

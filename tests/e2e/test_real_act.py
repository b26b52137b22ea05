# SPDX-License-Identifier: GPL-3.0-or-later
"""Deeds on real guests: each at least once, and with processes killed in the middle of them."""

import os
import unittest

import everydeed
import killplay
import realact
import realhost

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

    def test_killed_in_the_middle(self):
        killplay.Rounds(self.stage, SEED).run(ROUNDS)


if __name__ == "__main__":
    unittest.main()

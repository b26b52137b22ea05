# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of real guests: every kind, and what is refused."""

import json
import os
import time
import unittest

import realact
import realhost
import snapshotplay

SEQUENCES = int(os.environ.get("VHERD_TEST_SEQUENCES", "1"))
STEPS = int(os.environ.get("VHERD_TEST_STEPS", "5"))


class Snapshots(unittest.TestCase):
    def setUp(self):
        host = realhost.get()
        self.daemon = realhost.daemon()
        self.stage = realact.Stage(host, self.daemon, "snap")
        self.stage.make_pools()
        self.addCleanup(self.daemon.close)
        self.addCleanup(self.stage.drop_pools)
        self.addCleanup(self.stage.remove_all)
        self.daemon.start()

    def guest(self, name="snap1"):
        self.stage.create(name, "--start")
        self.stage.boot(name)
        self.stage.record(name, "first")
        return name

    def refuses(self, says, *words):
        done, why = self.stage.attempt(*words)
        self.assertFalse(done, words)
        self.assertIn(says, why)

    def test_external_with_memory(self):
        s, name = self.stage, self.guest()
        s.guest(name, "echo kept > /run/memory")
        s.do("snapshot", "create", name, "--name", "m", "--kind", "external", "--memory")
        s.record(name, "second")
        s.guest(name, "echo lost > /run/memory")
        s.do("vm", "set", name, "--owner", "somebody-else")
        s.do("snapshot", "revert", name, "--name", "m")
        self.assertEqual(s.state(name), "running")
        self.assertEqual(s.records(name), ["first"])
        self.assertEqual(s.guest(name, "cat /run/memory").strip(), "kept")
        self.assertEqual(json.loads(s.vherd("vm", "definition", name))["owner"], "somebody-else")
        # Another branch, and the way back to the same snapshot once more, now from off.
        s.record(name, "third")
        s.do("snapshot", "create", name, "--name", "n", "--kind", "external")
        s.record(name, "fourth")
        s.do("vm", "destroy", name)
        s.do("snapshot", "revert", name, "--name", "m")
        self.assertEqual((s.records(name), s.guest(name, "cat /run/memory").strip()),
                         (["first"], "kept"))
        tree = json.loads(s.vherd("snapshot", "list", name, "--json"))["snapshots"]
        self.assertEqual([(one["name"], one["depth"], one["chain_depth"], one["memory"])
                          for one in tree], [("m", 0, 1, True), ("n", 1, 2, False)])
        self.refuses("stands on it", "snapshot", "delete", name, "--name", "m")
        s.do("snapshot", "delete", name, "--name", "n")
        s.do("snapshot", "delete", name, "--name", "m", "--merge", "pull")
        self.assertEqual(s.records(name), ["first"])
        self.assertEqual(len(s.volumes()), 1, s.volumes())
        self.assertEqual(len(s.chain(name)), 1)

    def test_merges_of_every_layer(self):
        s, name = self.stage, self.guest()
        for one in ("a", "b", "c"):
            s.do("snapshot", "create", name, "--name", one, "--kind", "external")
            s.record(name, f"after-{one}")
        self.assertEqual(len(s.chain(name)), 4)
        self.refuses("commit", "snapshot", "delete", name, "--name", "b", "--merge", "pull")
        s.do("snapshot", "delete", name, "--name", "b")  # an inner layer
        self.assertEqual(len(s.chain(name)), 3)
        s.do("vm", "destroy", name)
        s.do("snapshot", "delete", name, "--name", "a", "--merge", "commit")  # while it is off
        self.assertEqual(s.state(name), "shut off")
        s.do("snapshot", "revert", name, "--name", "c", "--start")
        s.boot(name)
        self.assertEqual(s.records(name), ["first", "after-a", "after-b"])
        s.record(name, "anew")
        s.do("snapshot", "delete", name, "--name", "c")  # the active layer
        self.assertEqual(s.records(name), ["first", "after-a", "after-b", "anew"])
        self.assertEqual((len(s.chain(name)), len(s.volumes())), (1, 1))

    def test_a_dead_agent_is_never_left_frozen(self):
        s, name = self.stage, self.guest()
        s.do("snapshot", "create", name, "--name", "q", "--kind", "external", "--quiesce")
        self.assertIn("thawed", s.host.virsh("qemu-agent-command", name,
                                             '{"execute":"guest-fsfreeze-status"}'))
        s.record(name, "goes-on")
        # Stopped, as a hung agent is: it neither answers nor closes its channel.
        s.guest(name, "(sleep 1; kill -STOP $(pidof qemu-ga)) > /dev/null 2>&1 &")
        time.sleep(3)
        self.refuses("nothing was frozen", "snapshot", "create", name, "--name", "r", "--kind",
                     "external", "--quiesce")
        self.assertEqual(s.snapshots(name), ["q"])
        s.do("snapshot", "create", name, "--name", "r", "--kind", "external")

    def test_a_way_back_that_fails_leads_nowhere_worse(self):
        s, name = self.stage, self.guest()
        s.do("snapshot", "create", name, "--name", "m", "--kind", "external", "--memory")
        s.record(name, "second")
        s.guest(name, "echo alive > /run/memory")
        memory = f"/var/lib/libvirt/images/{name}.m.memory"
        s.host.run("dd", "if=/dev/zero", f"of={memory}", "bs=64k", "seek=40", "count=20",
                   "conv=notrunc")
        done = s.run("snapshot", "revert", name, "--name", "m", "--wait", "--json")
        task = json.loads(done.stdout)
        self.assertEqual((done.returncode, task["state"]), (1, "failed"))
        self.assertIn("as before; the VM is running", task["message"])
        self.assertEqual((s.records(name), s.guest(name, "cat /run/memory").strip()),
                         (["first", "second"], "alive"))
        volumes = s.volumes()
        s.do("snapshot", "delete", name, "--name", "m")
        self.assertEqual((len(volumes), len(s.volumes())), (3, 1))

    def test_sequences(self):
        name = self.guest()
        done = {"create": 0, "revert": 0, "delete": 0}
        for seed in range(SEQUENCES):
            for kind in snapshotplay.KINDS:
                play = snapshotplay.Play(self.stage, name, kind, seed, seed % 3 == 2)
                play.run(STEPS)
                for verb, n in play.done.items():
                    done[verb] += n
        # with checkpoints too
        play = snapshotplay.Play(self.stage, name, "external", 6, True)
        play.run(STEPS)
        self.assertGreater(min(done.values()), 0, done)


if __name__ == "__main__":
    unittest.main()

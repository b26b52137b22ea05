# SPDX-License-Identifier: GPL-3.0-or-later
"""The libvirt back end by itself (tests/tools/virt-probe) on real guests."""

import json
import os
import re
import signal
import subprocess
import time
import unittest

import realhost
from vherd import ROOT, wait_for

PROBE = os.path.join(ROOT, "build", "tests", "virt-probe")


class Probe(unittest.TestCase):
    def setUp(self):
        self.host = realhost.get()

    def probe(self, *words, check=True):
        done = self.host.run(PROBE, "qemu:///system", *words, check=False)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def rows(self, *words):
        """What a command printed: {(key, name): number} of facts, {(key, name): text}."""
        text = re.search(r'^\{"rows".*?^\]\}$', self.probe(*words).stdout, re.DOTALL | re.MULTILINE)
        rows = json.loads(text.group())["rows"]
        return ({(row.get("key", ""), row["fact"]): row["value"] for row in rows if "fact" in row},
                {(row.get("key", ""), row["attr"]): row["text"] for row in rows if "attr" in row})

    def test_stats_agree_with_virsh(self):
        seen, _ = self.rows("stats", "calm")
        said = dict(line.strip().split("=", 1) for line in
                    self.host.virsh("domstats", "--balloon", "--block", "calm").splitlines()
                    if "=" in line)
        self.assertEqual(seen["", "VM_BALLOON_MAXIMUM"], int(said["balloon.maximum"]) * 1024)
        self.assertEqual(seen["", "VM_GUEST_AVAILABLE"], int(said["balloon.available"]) * 1024)
        self.assertEqual(seen["vda", "DISK_CAPACITY"], int(said["block.0.capacity"]))
        self.assertLessEqual(seen["vda", "DISK_WRITES"], int(said["block.0.wr.reqs"]))
        self.assertEqual((seen["", "VM_STATE"], seen["", "VM_JOB_TYPE"]), (1, 0))
        self.assertTrue(0 < seen["", "VM_USED_PERCENT"] < 100)

    def test_xml_agrees_with_virsh(self):
        _, seen = self.rows("xml", "calm")
        self.assertEqual(seen["vda", "DISK_SOURCE"],
                         self.host.virsh("domblklist", "calm").split()[1])
        target, kind, source, model, mac = self.host.virsh("domiflist", "calm").split()
        self.assertEqual((seen[target, "NIC_TYPE"], seen[target, "NIC_SOURCE"],
                          seen[target, "NIC_MODEL"], seen[target, "NIC_MAC"]),
                         (kind, source, model, mac))

    def test_agent_and_dirty_rate(self):
        # A guest's clock may run wild under emulation: what virsh says before and after bounds it.
        before = self.offset_by_virsh()
        seen, texts = self.rows("agent", "calm", "4")
        after = self.offset_by_virsh()
        self.assertEqual(seen["", "VM_AGENT_UP"], 1)
        self.assertGreater(seen["", "VM_TIME_OFFSET"] / 1e9, min(before, after) - 5)
        self.assertLess(seen["", "VM_TIME_OFFSET"] / 1e9, max(before, after) + 5)
        self.assertEqual(texts["", "VM_GUEST_HOSTNAME"], "calm")
        self.assertGreater(seen["/data", "FS_TOTAL"], seen["/data", "FS_USED"])
        self.assertGreaterEqual(self.rows("dirty", "busy", "1")[0]["", "VM_DIRTY_RATE"], 0)

    def offset_by_virsh(self):
        return int(self.host.virsh("domtime", "calm").split()[-1]) - time.time()

    def test_a_stopped_vm_makes_the_second_caller_turn_back(self):
        pid = self.host.qemu("calm")
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        first = subprocess.Popen([*self.host.prefix, PROBE, "qemu:///system", "stats", "calm"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        self.addCleanup(first.communicate)
        time.sleep(3)  # or the second might be the one that gets the domain
        second = wait_for("the domain held", 10, lambda: self.busy_answer(first))
        self.assertIn("another call holds the domain", second)
        # What does not reach QEMU goes on, and so do the others.
        self.assertEqual(self.rows("xml", "calm")[1]["vda", "DISK_BUS"], "virtio")
        self.assertEqual(self.rows("stats", "writer")[0]["", "VM_STATE"], 1)
        self.assertIsNone(first.poll())
        os.kill(pid, signal.SIGCONT)
        out, err = first.communicate(timeout=30)
        self.assertEqual((first.returncode, err), (0, ""))
        self.assertIn("VM_BALLOON_RSS", out)

    def busy_answer(self, first):
        """The second caller's complaint, once the first one has the domain."""
        if first.poll() is not None:
            self.fail("the first caller came back from a stopped VM")
        try:
            done = self.host.run(PROBE, "qemu:///system", "stats", "calm", check=False, timeout=2)
        except subprocess.TimeoutExpired:
            return None
        return done.stderr if done.returncode else None

    def test_events_in_words(self):
        listener = subprocess.Popen([*self.host.prefix, PROBE, "qemu:///system", "events", "x",
                                     "6"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    text=True)
        wait_for("a listener", 5, lambda: self.host.run("pgrep", "-f", "virt-probe.*events",
                                                        check=False).stdout)
        self.host.run("sleep", "1")
        self.host.virsh("suspend", "calm")
        self.host.virsh("resume", "calm")
        self.host.virsh("desc", "calm", "--live", "--title", "Ein <Titel>")
        self.host.virsh("blkdeviotune", "calm", "vda", "--live", "--total-bytes-sec", "90000000")
        self.host.virsh("blkdeviotune", "calm", "vda", "--live", "--total-bytes-sec", "0")
        lines = [line for line in listener.communicate(timeout=30)[0].splitlines()
                 if line.startswith("calm: ")]
        self.assertEqual(lines, ["calm: suspended paused", "calm: resumed unpaused",
                                 "calm: metadata_change", "calm: tunable", "calm: tunable"])
        self.assertEqual(self.rows("xml", "calm")[1]["", "VM_TITLE"], "Ein <Titel>")


if __name__ == "__main__":
    unittest.main()

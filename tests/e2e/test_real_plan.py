# SPDX-License-Identifier: GPL-3.0-or-later
"""A right-sizing plan that is carried out on a real guest."""

import json
import re
import tempfile

import promqldaemon
import test_real_act
from test_plan_apply import used
from vherd import wait_for

MIB = 1 << 20


class Plan(test_real_act.Act):
    test_life_of_a_guest = test_killed_in_the_middle = None

    def test_rightsize_is_applied(self):
        # 150 MB used for three weeks: 192 MiB are enough.
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(used("act9", resident=150000000))
            file.flush()
            self.assertEqual(self.daemon.stop(30), 0)
            promqldaemon.fill(self.daemon.store, file.name)
        self.daemon.config.setdefault("store", {})["keep"] = "365d"
        self.daemon.write_config()
        self.daemon.start()
        self.do("vm", "create", "act9", "--memory", "256M", "--vcpus", "2", "--kernel",
                "pool=boot,volume=vmlinux", "--initrd", "pool=boot,volume=initramfs", "--disk",
                "pool=images,size=64M", "--cmdline", test_real_act.WORDS.format("act9"), "--start")
        self.boot("act9")
        row = wait_for("its size", 60, lambda: next(
            (row for row in self.daemon.json("/vherd/v1/plan/rightsize")["vms"]
             if row["vm"] == "act9" and row["memory_bytes"] == 256 * MIB), None), pause=0.5)
        self.assertEqual((row["advised_memory_bytes"], row["advised_vcpus"]), (192 * MIB, 1))
        out = self.vherd("plan", "apply", "rightsize")
        self.assertIn("act9: would set the memory of the VM and its definition to 201326592", out)
        self.assertEqual(self.balloon(), 256 * MIB)
        done = json.loads(self.vherd("plan", "apply", "rightsize", "--yes", "--json"))
        self.assertEqual({task["state"] for task in done["tasks"]}, {"done"}, done)
        self.assertEqual(self.balloon(), 192 * MIB)
        xml = self.host.virsh("dumpxml", "act9", "--inactive")
        self.assertRegex(xml, rf"<currentMemory unit='KiB'>{192 * 1024}<")
        self.assertRegex(xml, r"<vcpu [^>]*current='1'[^>]*>2<|<vcpu[^>]*>1<")
        shares = re.search(r"cpu_shares +: (\d+)", self.host.virsh("schedinfo", "act9"))
        self.assertEqual(int(shares.group(1)), row["advised_cpu_shares"])
        # The balloon is where it was to be, which the next plan sees.
        wait_for("nothing more for the memory", 60, lambda: not any(
            wish["what"] == "memory" for wish in self.daemon.json(
                "/vherd/v1/plan/rightsize?name=act9")["vms"][0]["deeds"]), pause=0.5)

    def balloon(self):
        return int(re.search(r"actual (\d+)", self.host.virsh("dommemstat", "act9")).group(1)) << 10


if __name__ == "__main__":
    import unittest
    unittest.main()

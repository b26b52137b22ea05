# SPDX-License-Identifier: GPL-3.0-or-later
"""A right-sizing plan that is carried out on a real guest."""

import json
import re
import tempfile
import unittest

import promqldaemon
import realact
import realhost
from e2e.test_plan_apply import used
from vherd import wait_for

MIB = 1 << 20


class Plan(unittest.TestCase):
    def setUp(self):
        self.host = realhost.get()
        self.daemon = realhost.daemon()
        self.stage = realact.Stage(self.host, self.daemon, "plan")
        self.stage.make_pools()
        self.addCleanup(self.daemon.close)
        self.addCleanup(self.stage.drop_pools)
        self.addCleanup(self.stage.remove_all)
        self.daemon.start()

    def test_rightsize_is_applied(self):
        # 300 MB used for three weeks: 384 MiB are enough, which no small guest fills while it boots.
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(used("plan9", resident=300000000))
            file.flush()
            self.assertEqual(self.daemon.stop(30), 0)
            promqldaemon.fill(self.daemon.store, file.name)
        self.daemon.config.setdefault("store", {})["keep"] = "365d"
        self.daemon.write_config()
        self.daemon.start()
        self.stage.create("plan9", "--vcpus", "2", "--start", memory="512M", most="512M")
        self.stage.boot("plan9")
        row = self.row_with_memory_deed()
        self.assertEqual(row["memory_bytes"], 512 * MIB)
        self.assertEqual((row["advised_memory_bytes"], row["advised_vcpus"]), (384 * MIB, 1))
        out = self.stage.vherd("plan", "apply", "rightsize")
        self.assertIn("plan9: would set the memory of the VM and its definition to 402653184", out)
        self.assertEqual(self.balloon(), 512 * MIB)
        done = json.loads(self.stage.vherd("plan", "apply", "rightsize", "--yes", "--json"))
        self.assertEqual({task["state"] for task in done["tasks"]}, {"done"}, done)
        self.assertEqual(self.balloon(), 384 * MIB)
        xml = self.host.virsh("dumpxml", "plan9", "--inactive")
        self.assertRegex(xml, rf"<currentMemory unit='KiB'>{384 * 1024}<")
        self.assertRegex(xml, r"<vcpu [^>]*current='1'[^>]*>2<|<vcpu[^>]*>1<")
        shares = re.search(r"cpu_shares +: (\d+)", self.host.virsh("schedinfo", "plan9"))
        self.assertEqual(int(shares.group(1)), row["advised_cpu_shares"])
        # The balloon is where it was to be, which the next plan sees.
        wait_for("nothing more for the memory", 60, lambda: not any(
            wish["what"] == "memory" for wish in self.daemon.json(
                "/vherd/v1/plan/rightsize?name=plan9")["vms"][0]["deeds"]), pause=0.5)

    def row_with_memory_deed(self):
        """plan9's row once its guest uses less than it is to have: booting, it may use more."""
        row = {}

        def ready():
            row.update(next((row for row in self.daemon.json("/vherd/v1/plan/rightsize")["vms"]
                             if row["vm"] == "plan9"), {}))
            return row.get("memory_bytes") == 512 * MIB and any(
                deed["what"] == "memory" for deed in row["deeds"])
        try:
            wait_for("a deed for the memory", 180, ready, pause=1)
        except AssertionError as error:
            raise AssertionError(f"{error}: {row}") from error
        return row

    def balloon(self):
        return int(re.search(r"actual (\d+)", self.host.virsh("dommemstat", "plan9")).group(1)) << 10


if __name__ == "__main__":
    unittest.main()

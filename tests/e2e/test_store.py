# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemon keeps: it is there again after a restart and after kill -9."""

import json
import os
import signal
import subprocess
import tempfile
import unittest
import urllib.parse

import vherd


def store_of(daemon):
    return daemon.status()["store"]


class Keeping(unittest.TestCase):
    def daemon(self, **store):
        return vherd.Daemon({"libvirt": {"uri": "memory:///?vms=4"}, "store": store})

    def test_samples_are_kept_over_a_restart(self):
        with self.daemon() as daemon:
            vherd.wait_for("samples", 20, lambda: store_of(daemon)["kept_samples"] > 1000)
            before = store_of(daemon)
            self.assertEqual(before["refused_samples"], 0)
            self.assertEqual(daemon.stop(), 0)
            daemon.start()
            after = store_of(daemon)
            self.assertLessEqual(after["oldest"], before["oldest"])
            self.assertGreaterEqual(after["newest"], before["newest"])
            self.assertEqual(after["notes"], [])
            self.assertEqual(after["set_aside"], 0)

    def test_a_killed_core_loses_the_window_at_most(self):
        with self.daemon() as daemon:
            vherd.wait_for("samples", 20, lambda: store_of(daemon)["kept_samples"] > 1000)
            vherd.wait_for("some seconds", 60, lambda: len(self.samples_of(
                daemon, store_of(daemon)["newest"])) > 8, pause=0.5)
            before = store_of(daemon)
            kept = self.samples_of(daemon, before["newest"])
            os.kill(daemon.process_named("core"), signal.SIGKILL)
            after = vherd.wait_for("core again", 20, lambda: self.kept_again(daemon, before))
            self.assertLessEqual(after["oldest"], before["oldest"])
            left = self.samples_of(daemon, before["newest"])
            # A second to the log, and what a busy machine takes to write it.
            safe = [s for s in kept if s[0] <= before["newest"] - 3]
            self.assertGreater(len(safe), 4)
            self.assertEqual([s for s in left if s[0] <= before["newest"] - 3], safe)

    def test_a_corrupt_block_is_named_and_the_rest_answers(self):
        with self.daemon() as daemon:
            vherd.wait_for("samples", 20, lambda: store_of(daemon)["kept_samples"] > 1000)
            daemon.cli("store", "snapshot", "x")  # writes a block
            border = store_of(daemon)["newest"]
            vherd.wait_for("more", 30, lambda: store_of(daemon)["newest"] > border + 3)
            self.assertEqual(daemon.stop(), 0)
            blocks = os.path.join(daemon.store, "blocks")
            name, = os.listdir(blocks)
            size = os.path.getsize(os.path.join(blocks, name))
            os.truncate(os.path.join(blocks, name), size // 2)
            daemon.start()
            self.assertEqual(store_of(daemon)["set_aside"], 1)
            self.assertIn(name, daemon.cli("status").stdout)
            self.assertIn("set aside", daemon.cli("status").stdout)
            self.assertIn(name, daemon.log())
            self.assertEqual(os.path.getsize(os.path.join(blocks, name + ".bad")), size // 2)
            left = self.samples_of(daemon, store_of(daemon)["newest"])
            self.assertGreaterEqual(len([s for s in left if s[0] > border]), 3)

    @staticmethod
    def samples_of(daemon, newest):
        found = daemon.json("/api/v1/query?" + urllib.parse.urlencode({
            "query": 'libvirt_domain_vcpu_time_seconds_total{domain="vm1",vcpu="0"}[60s]',
            "time": newest}))["data"]["result"]
        return found[0]["values"] if found else []

    @staticmethod
    def kept_again(daemon, before):
        try:
            store = store_of(daemon)
        except (OSError, AssertionError, KeyError, ValueError):
            return None
        return store if store["kept_samples"] and store["newest"] > before["newest"] else None

    def test_a_second_daemon_is_refused(self):
        with self.daemon() as first:
            second = vherd.Daemon({"libvirt": {"uri": "memory:///?vms=1"},
                                   "store": {"path": first.store}})
            second.store = second.directory + ".store"
            try:
                second.start(wait=False)
                self.assertNotEqual(second.process.wait(20), 0)
                self.assertIn(first.store, second.log())
                second.process = None
            finally:
                second.close()
            self.assertEqual(first.get("/-/ready")[0], 200)

    def test_where_nothing_can_be_kept_watching_goes_on(self):
        with tempfile.NamedTemporaryFile() as file:
            with self.daemon(path=file.name + "/data") as daemon:
                self.assertIn("error", store_of(daemon))
                self.assertIn("Not a directory", daemon.log())
                self.assertEqual(len(daemon.json("/vherd/v1/vms")["vms"]), 4)

    def test_kept_where_the_configuration_says_and_not_at_all(self):
        with self.daemon(enabled=False) as daemon:
            self.assertEqual(store_of(daemon), {"enabled": False})
            others = set(os.listdir(daemon.store)) if os.path.isdir(daemon.store) else set()
            # Events and alerts are kept all the same.
            self.assertEqual({n for n in others if not n.startswith("state.db")}, set())

    def test_completeness_and_freshness_per_vm(self):
        with self.daemon() as daemon:
            vherd.wait_for("samples", 20, lambda: store_of(daemon)["kept_samples"] > 1000)
            done = subprocess.run(daemon.command("status", "--data", "--json"), check=True,
                                  stdout=subprocess.PIPE, text=True)
            data = {vm["name"]: vm for vm in json.loads(done.stdout)["data"]}
            self.assertEqual(len(data), 5)  # the host's series have no domain
            for vm in daemon.json("/vherd/v1/vms")["vms"]:
                kept = data[vm["name"]]
                self.assertGreater(kept["samples"], 0)
                self.assertEqual(kept["impossible"], 0)
                lanes = {lane["lane"]: lane for lane in kept["lanes"]}
                self.assertGreater(lanes["kernel"]["completeness_ratio"], 0.5)
                self.assertLess(lanes["kernel"]["age_seconds"], 10)
            text = subprocess.run(daemon.command("status", "--data"), check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            self.assertIn("Stored data", text)

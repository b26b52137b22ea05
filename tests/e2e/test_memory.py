# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole daemon under sanitizers on the in-memory back end: many VMs, churn, reload, clients."""

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

from memorydaemon import MemoryDaemon
from vherd import ROOT, http_get, wait_for

sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
from see import peers  # noqa: E402


class InMemory(unittest.TestCase):
    def start(self, *arguments, **options):
        daemon = MemoryDaemon(*arguments, **options)
        self.addCleanup(daemon.close)
        daemon.start()
        return daemon

    def test_every_resource_answers(self):
        daemon = self.start(3)
        wait_for("three VMs", 10, lambda: len(daemon.vms()) == 3)
        for path in ("/vherd/v1/vms", "/vherd/v1/vms/vm1", "/vherd/v1/host", "/vherd/v1/status"):
            self.assertIsInstance(daemon.json(path), dict)
        vm = wait_for("what is stored of it", 30, lambda: (
            daemon.vm("vm1") if "snapshots" in daemon.vm("vm1") else None))
        self.assertEqual((vm["snapshots"], vm["config_differs"]), (0, 0))
        for path in ("/-/healthy", "/-/ready", "/"):
            self.assertEqual(daemon.get(path)[0], 200)
        self.assertEqual(daemon.get("/nothing")[0], 404)
        self.assertEqual(daemon.get("/vherd/v1/vms", method="DELETE")[0], 405)

    def test_rates_are_plausible(self):
        daemon = self.start(5)
        wait_for("rates", 15, lambda: all(vm.get("cpu_ratio") for vm in daemon.vms().values()))
        for vm in daemon.vms().values():
            self.assertLessEqual(vm["cpu_utilisation_ratio"], 1)
            self.assertGreater(vm["cpu_ratio"], 0)

    def test_promtool_has_nothing_against_the_exposition(self):
        try:
            promtool = peers.promtool()
        except peers.PeerMissing as why:
            self.skipTest(str(why))
        daemon = self.start(3)
        wait_for("rates", 15, lambda: all(vm.get("cpu_ratio") for vm in daemon.vms().values()))

        def check(text):
            return subprocess.run([promtool, "check", "metrics"], input=text, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        for sets in ("", "?set=vherd", "?set=tinkoff", "?set=inovex"):
            status, _, text = daemon.get("/metrics" + sets)
            self.assertEqual(status, 200)
            done = check(text)
            self.assertEqual((done.returncode, done.stdout), (0, ""), sets)
        self.assertNotEqual(check("bad_total{ 1\n").returncode, 0)

    def test_the_page_measures_as_the_list_does(self):
        daemon = self.start(5)
        wait_for("rates", 15, lambda: all(vm.get("cpu_ratio") for vm in daemon.vms().values()))
        # CPU times advance by the same amount each second: the list may be a sample older.
        page = daemon.get("/")[2]
        for name, vm in daemon.vms().items():
            shown = re.search(rf"<td>{name}<td>running<td>([0-9.]+) %", page)
            self.assertAlmostEqual(float(shown[1]), vm["cpu_ratio"] * 100, delta=3)

    def test_many_vms_and_many_clients(self):
        daemon = self.start(300)
        wait_for("300 VMs", 30, lambda: daemon.status()["vms"]["running"] == 300)

        def ask(number):
            path = ("/metrics", "/vherd/v1/vms", f"/vherd/v1/vms/vm{number + 1}",
                    "/vherd/v1/host")[number % 4]
            status, _, text = daemon.get(path, timeout=30)
            return status == 200 and len(text) > 100
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertTrue(all(pool.map(ask, range(120))))
        self.assertEqual(len(daemon.metrics().values("libvirt_domain_info_vstate")), 300)

    def test_churn_leaves_nothing(self):
        daemon = self.start(5, "&churn=200")
        wait_for("churned", 90, lambda: "churned" in daemon.vms(), pause=0.5)
        wait_for("only what is there", 15, lambda: len(daemon.vms()) == 6)
        domains = {labels["domain"] for samples in daemon.metrics().samples.values()
                   for labels, _ in samples if "domain" in labels}
        self.assertEqual(domains, {"vm1", "vm2", "vm3", "vm4", "vm5", "churned"})

    def test_reload_many_times(self):
        daemon = self.start(3)
        for round_ in range(6):
            daemon.config["metrics"] = {"sets": ["vherd"] if round_ % 2 else ["tinkoff"]}
            daemon.write_config()
            daemon.process.send_signal(signal.SIGHUP)
            wanted = "vherd_samples_total" if round_ % 2 else "libvirt_domain_info_vstate"
            wait_for(wanted, 10, lambda: wanted in daemon.metrics().types)
        self.assertEqual(daemon.status()["samples"]["missed"], 0)

    def test_samples_arrive_each_second(self):
        daemon = self.start(3)
        time.sleep(1)
        before, started = daemon.status()["samples"]["taken"], time.monotonic()
        time.sleep(5)
        taken = daemon.status()["samples"]["taken"] - before
        self.assertLessEqual(abs(taken - (time.monotonic() - started)), 1.1)

    def test_history_is_oldest_first(self):
        daemon = self.start(1)
        time.sleep(5)
        history = daemon.vm("vm1")["history"]
        self.assertEqual(len(history["cpu"]), history["seconds"])
        self.assertIsNone(history["cpu"][0])
        self.assertIsNotNone(history["cpu"][-2])

    def test_open_to_loopback(self):
        import fakedaemon
        port = fakedaemon.free_port()
        daemon = self.start(2, config={"web": {"listen": [f"127.0.0.1:{port}"]}})
        status, headers, text = http_get("/vherd/v1/vms", tcp=("127.0.0.1", port))
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(len(json.loads(text)["vms"]), 2)


if __name__ == "__main__":
    unittest.main()

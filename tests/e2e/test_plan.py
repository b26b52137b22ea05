# SPDX-License-Identifier: GPL-3.0-or-later
"""`vherd plan`: on herd files without a daemon, and of a daemon; the traces in short form."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import building
import fakeapi
import promqldaemon
from memorydaemon import MemoryDaemon
from vherd import wait_for

HERD = {
    "now": 1700000000,
    "hosts": [{"name": "a", "cpus": 32, "memory_bytes": "128G", "networks": ["lan"]},
              {"name": "b", "cpus": 32, "memory_bytes": "64G", "networks": ["lan"]},
              {"name": "c", "cpus": 8, "memory_bytes": "64G", "maintenance": True}],
    "vms": [{"name": "web", "host": "a", "vcpus": 4, "memory_bytes": "8G", "networks": "lan"},
            {"name": "new", "vcpus": 2, "memory_bytes": "4G", "networks": "lan"},
            {"name": "huge", "vcpus": 64, "memory_bytes": "4G"}],
}


def plan(*words, herd=None):
    """(exit status, output, errors) of `vherd plan`."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(herd if isinstance(herd, str) else json.dumps(HERD if herd is None else herd))
        file.flush()
        done = subprocess.run([fakeapi.PROGRAM, "plan", *words, "--herd", file.name],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]})
        return done.returncode, done.stdout, done.stderr.replace(file.name, "FILE")


class OnFiles(unittest.TestCase):
    def test_place_says_why(self):
        status, out, _ = plan("place", "--json")
        self.assertEqual(status, 0)
        by_name = {vm["vm"]: vm for vm in json.loads(out)["vms"]}
        self.assertEqual(by_name["new"]["host"], "a")
        self.assertEqual(by_name["huge"]["outcome"], "impossible")
        self.assertEqual(by_name["huge"]["reason"],
                         "cpu: asks 64 CPUs, the largest host allows 32 CPUs")
        _, out, _ = plan("place", "new")
        self.assertRegex(out, r"c +no +is in maintenance")
        self.assertRegex(out, r"a +yes +best by best-fit")

    def test_the_documents_example(self):
        with open(os.path.join(building.ROOT, "docs", "herd-file.md"), encoding="utf-8") as file:
            example = file.read().split("```")[1].removeprefix("json")
        status, out, errors = plan("place", "--json", herd=example)
        self.assertEqual((status, errors), (0, ""))
        # Not beside db1, nor in its rack.
        self.assertEqual([(vm["vm"], vm["host"]) for vm in json.loads(out)["vms"]], [("db2", "b")])

    def test_every_plan_answers(self):
        for words in (["balance"], ["consolidate"], ["evacuate", "a"],
                      ["place", "fresh", "--vcpus", "2", "--memory", "1G", "--score",
                       "worst-fit"]):
            status, out, errors = plan(*words)
            self.assertEqual((status, errors), (0, ""), words)
            self.assertTrue(out)
            status, out, _ = plan(*words, "--json")
            self.assertEqual(json.loads(out)["plan"], words[0])

    def test_rightsize_out_of_a_file(self):
        history = [[1690000000 + 300 * i, 0.5 + i % 5 / 10] for i in range(4000)]
        memory = [[t, 1e9] for t, _ in history]
        herd = dict(HERD, vms=[dict(HERD["vms"][0], cpu_history=history, memory_history=memory)])
        status, out, _ = plan("rightsize", "--json", herd=herd)
        self.assertEqual(status, 0)
        self.assertEqual(json.loads(out)["vms"][0]["advised_vcpus"], 2)
        status, out, _ = plan("rightsize", herd=herd)
        self.assertIn("Saved", out)
        status, _, errors = plan("rightsize")
        self.assertEqual(status, 1)
        self.assertIn("cpu_history", errors)

    def test_bad_questions_and_files(self):
        for words, herd, said in (
                (["fly"], None, "plan: place, balance"),
                (["evacuate"], None, "plan evacuate needs the name of a host"),
                (["evacuate", "zz"], None, 'no host is called "zz"'),
                (["place", "--score", "odd"], None, "--score must be"),
                (["place", "--vcpus", "2"], None, "a new VM needs --vcpus"),
                (["place"], "{\n \"hosts\": [1", "2:12"),
                (["place"], {"hosts": [{"name": "a", "cpu": 1}]}, 'hosts[0] "a": cpu: there is no')):
            status, out, errors = plan(*words, herd=herd)
            self.assertNotEqual(status, 0, words)
            self.assertEqual(out, "")
            self.assertIn(said, errors)


class OfTheDaemon(unittest.TestCase):
    def test_plans_of_a_live_host(self):
        daemon = MemoryDaemon(3)
        self.addCleanup(daemon.close)
        daemon.start()
        wait_for("three VMs", 10, lambda: len(daemon.vms()) == 3)
        wait_for("a plan", 10, lambda: daemon.get("/vherd/v1/plan/place")[0] == 200)
        for kind in ("place", "balance", "consolidate"):
            self.assertEqual(daemon.json(f"/vherd/v1/plan/{kind}")["plan"], kind)
        found = daemon.json("/vherd/v1/plan/place?name=fresh&vcpus=1&memory=64M")
        self.assertEqual(found["vms"][0]["outcome"], "placed")
        found = daemon.json("/vherd/v1/plan/place?name=fresh&vcpus=4000&memory=64M")
        self.assertEqual(found["vms"][0]["outcome"], "impossible")
        host = daemon.json("/vherd/v1/host")["name"]
        found = daemon.json(f"/vherd/v1/plan/evacuate?name={host}")
        self.assertEqual({vm["reason"] for vm in found["stuck"]}, {"there is no other host"})
        for path, status in (("fly", 404), ("evacuate?name=zz", 404), ("place?score=odd", 400),
                             ("place?vcpus=1", 400), ("place?vcpus=x", 400),
                             ("place?vcpus=0&memory=1G", 400)):
            answer, headers, body = daemon.get("/vherd/v1/plan/" + path)
            self.assertEqual(answer, status, path)
            self.assertEqual(headers["Content-Type"], "application/problem+json")
            self.assertEqual(json.loads(body)["status"], status)

    def test_rightsize_reads_what_is_stored(self):
        daemon = MemoryDaemon(3, config={"store": {"keep": "365d"}})
        self.addCleanup(daemon.close)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(self.used("vm1", 20) + self.used("vm2", 1))
            file.flush()
            promqldaemon.fill(daemon.store, file.name)
        daemon.start()
        wait_for("three VMs", 10, lambda: len(daemon.vms()) == 3)
        found = daemon.json("/vherd/v1/plan/rightsize")
        by_name = {vm["vm"]: vm for vm in found["vms"]}
        self.assertAlmostEqual(by_name["vm1"]["history_days"], 20, delta=0.1)
        self.assertAlmostEqual(by_name["vm1"]["cpu_p99"], 0.5, delta=0.01)
        self.assertAlmostEqual(by_name["vm1"]["memory_p99_bytes"], 1e8, delta=1e6)
        self.assertEqual(by_name["vm1"]["advised_vcpus"], 1)
        self.assertNotIn("advised_vcpus", by_name["vm2"], "a day is no history to act on")
        self.assertEqual(found["total"]["too_little_history"], len(by_name) - 1)
        found = daemon.json("/vherd/v1/plan/rightsize?name=vm2")
        self.assertEqual([vm["vm"] for vm in found["vms"]], ["vm2"])
        self.assertEqual(daemon.get("/vherd/v1/plan/rightsize?name=zz")[0], 404)

    @staticmethod
    def used(name, days):
        """Half a CPU and 100 MB, up to now."""
        now = int(time.time())
        times = range(now - days * 86400, now, 60)
        return "".join(
            f'{metric}{{domain="{name}"}} {value(t - times[0])} {t}\n'
            for metric, value in (("libvirt_domain_info_cpu_time_seconds_total",
                                   lambda seconds: seconds / 2),
                                  ("vherd_vm_resident_bytes", lambda seconds: 100000000))
            for t in times)

    def test_simulated_on_recorded_history(self):
        daemon = MemoryDaemon(3, config={"store": {"keep": "365d"}})
        self.addCleanup(daemon.close)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(self.used("vm1", 20) + self.used("vm2", 3))
            file.flush()
            promqldaemon.fill(daemon.store, file.name)
        daemon.start()
        wait_for("three VMs", 10, lambda: len(daemon.vms()) == 3)
        for kind in ("balance", "consolidate", "rightsize"):
            found = daemon.json(f"/vherd/v1/plan/{kind}?simulate=true&days=2")["simulation"]
            self.assertAlmostEqual(found["history_days"], 2, delta=0.1)
            self.assertEqual(found["step_seconds"], 300)
            self.assertNotIn("note", found)
            self.assertGreater(found["without"]["energy_kwh"], 0)
            self.assertEqual(found["without"]["moves"], 0)
            self.assertEqual(set(found["with"]), set(found["without"]))
        self.assertNotIn("simulation", daemon.json("/vherd/v1/plan/balance"))
        for query, status in (("place?simulate=true", 400), ("balance?simulate=true&days=0", 400),
                              ("balance?simulate=true&days=x", 400)):
            self.assertEqual(daemon.get("/vherd/v1/plan/" + query)[0], status, query)
        done = subprocess.run([daemon.program, "plan", "balance", "--simulate", "--days", "30",
                               "--config", daemon.config_path], stdout=subprocess.PIPE, text=True,
                              env=dict(daemon.environment, LC_ALL="C.UTF-8"), check=True)
        self.assertIn("with and without the plan", done.stdout)
        self.assertIn("Only 20.0 days of history", done.stdout)
        self.assertRegex(done.stdout, r"without +[0-9.]+ kWh")
        self.assertEqual(daemon.stop(30), 0)
        self.on_a_herd_file(daemon)

    def on_a_herd_file(self, daemon):
        """The store that the daemon has left, for a herd of two hosts: what is packed onto one
        host costs the energy of one."""
        herd = {"now": 1700000000,
                "hosts": [{"name": name, "cpus": 4, "memory_bytes": "8G"} for name in "ab"],
                "vms": [{"name": name, "host": host, "vcpus": 1, "memory_bytes": "1G"}
                        for name, host in (("vm1", "a"), ("vm2", "b"))]}
        words = ("consolidate", "--simulate", "--days", "2", "--json", "--history")
        status, out, errors = plan(*words, daemon.store, herd=herd)
        self.assertEqual((status, errors), (0, ""))
        answer = json.loads(out)
        self.assertEqual(len(answer["moves"]), 1)
        found = answer["simulation"]
        self.assertEqual(found["with"]["moves"], 1)
        self.assertEqual(found["with"]["moves_not_made"], 0)
        self.assertGreater(found["with"]["copy_seconds"], 0)
        self.assertLess(found["with"]["energy_kwh"], 0.7 * found["without"]["energy_kwh"])
        self.assertEqual(plan(*words, daemon.store, herd=herd)[1], out)
        for words, said in ((("balance", "--simulate"), "needs --history"),
                            (("balance", "--simulate", "--history", "/nowhere"), "is no store"),
                            (("place", "--simulate"), "cannot be simulated")):
            status, _, errors = plan(*words, herd=herd)
            self.assertNotEqual(status, 0)
            self.assertIn(said, errors)
        self.as_a_workload(daemon)

    def as_a_workload(self, daemon):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("hosts: [{name: h, cores: 4}]\nduration: 1d\nvms:\n"
                       f"  - {{name: v, count: 2, history: {{store: {daemon.store}, days: 2}}}}\n")
            file.flush()
            done = subprocess.run([fakeapi.PROGRAM, "sim", "run", file.name, "--json", "--report"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.stderr, "")
        loads = [line["load_ratio"] for line in json.loads(done.stdout)["runs"][0]["timeline"]]
        # Two of half a CPU on four, the whole first day.
        self.assertAlmostEqual(sorted(loads)[len(loads) // 2], 0.25, delta=0.02)

    def test_a_short_history_is_used_and_told(self):
        daemon = MemoryDaemon(2)
        self.addCleanup(daemon.close)
        daemon.start()

        def simulated():
            status, _, body = daemon.get("/vherd/v1/plan/balance?simulate=true")
            return json.loads(body)["simulation"] if status == 200 else None
        wait_for("some steps of history", 60, simulated)
        self.assertIn("Less than a day of history", simulated()["note"])

    def test_too_long_a_simulation_is_ended(self):
        daemon = MemoryDaemon(1000, config={"query": {"timeout": "100ms"}})
        self.addCleanup(daemon.close)
        daemon.start()

        def ended():
            status, _, body = daemon.get("/vherd/v1/plan/balance?simulate=true")
            return status == 503 and "query.timeout" in json.loads(body)["detail"]
        wait_for("query.timeout ends it", 60, ended)

    def test_simulation_without_a_store(self):
        daemon = MemoryDaemon(1, config={"store": {"enabled": False}})
        self.addCleanup(daemon.close)
        daemon.start()
        wait_for("a plan", 10, lambda: daemon.get("/vherd/v1/plan/place")[0] == 200)
        status, _, body = daemon.get("/vherd/v1/plan/balance?simulate=true")
        self.assertEqual(status, 409)
        self.assertIn("no history", json.loads(body)["detail"])

    def test_rightsize_without_a_store(self):
        daemon = MemoryDaemon(1, config={"store": {"enabled": False}})
        self.addCleanup(daemon.close)
        daemon.start()
        wait_for("a plan", 10, lambda: daemon.get("/vherd/v1/plan/place")[0] == 200)
        status, _, body = daemon.get("/vherd/v1/plan/rightsize")
        self.assertEqual(status, 409)
        self.assertIn("no history", json.loads(body)["detail"])

    def test_too_long_a_read_is_ended(self):
        """Each VM's 60 days are some reads; so many VMs cannot be read in the least timeout."""
        daemon = MemoryDaemon(1000, config={"query": {"timeout": "100ms"}})
        self.addCleanup(daemon.close)
        daemon.start()

        def ended():
            status, _, body = daemon.get("/vherd/v1/plan/rightsize")
            return status == 503 and "query.timeout" in json.loads(body)["detail"]
        wait_for("query.timeout ends it", 60, ended)


class Measured(unittest.TestCase):
    """What the rows of ./bench think ask of correctness."""

    @classmethod
    def setUpClass(cls):
        if not building.build("build", None, ["tests/think-place"]):
            raise RuntimeError("think-place does not build")
        sys.path.append(os.path.join(building.ROOT, "benchmarks"))
        from think import scheduling
        cls.rows = scheduling
        shared = os.path.join(building.ROOT, "..", "shared", "data")
        if os.path.isdir(shared):
            os.environ.setdefault("VHERD_DATA", os.path.realpath(shared))

    def test_optimum_is_lp_solves(self):
        if not shutil.which("lp_solve"):
            self.skipTest("lp_solve is not installed")
        with tempfile.TemporaryDirectory() as directory:
            cases = self.rows.ask("lp", 100, directory)["cases"]
            for i, case in enumerate(cases):
                self.assertLessEqual(case["breach"], 1e-9)
                self.assertAlmostEqual(self.rows.lp_solve(f"{directory}/{i}.lp"),
                                       case["objective"], delta=1e-6 * max(1, case["objective"]))

    def test_a_large_herd_is_placed_and_balanced_within_its_constraints(self):
        placed = self.rows.ask("speed", "best-fit", 1000, 8000)
        self.assertEqual((placed["placed"], placed["breaches"]), (8000, 0))
        even = self.rows.ask("balance", 1000, 8000)
        self.assertEqual(even["breaches"], 0)
        self.assertLess(even["spread_after"], even["spread_before"])

    def test_azure_arrivals(self):
        with tempfile.TemporaryDirectory() as directory:
            files = self.rows.unpack_azure(directory)
            if not files:
                self.skipTest("no Azure trace: VHERD_DATA")
            best = self.rows.ask("online", "best-fit", 0, 0, *files)
            known = self.rows.ask("online", "departure", 1, 0, *files)
            moved = self.rows.ask("online", "departure", 0, self.rows.MOVES, *files)
        for run in (best, known, moved):
            self.assertEqual((run["breaches"], run["refused"]), (0, 0))
        self.assertLess(known["mean_hosts"], 0.95 * best["mean_hosts"])
        self.assertLess(moved["mean_hosts"], 0.95 * best["mean_hosts"])

    def test_bitbrains(self):
        path = self.rows.data("bitbrains", "rnd-30vms.tar.xz")
        if not path:
            self.skipTest("no Bitbrains traces: VHERD_DATA")

        class Rows:
            found = {}

            def row(self, name, value, unit, limit="", ok=None):
                self.found[name] = ok

            def at_least(self, name, value, unit, limit):
                self.row(name, value, unit, ok=value >= limit)

            def at_most(self, name, value, unit, limit):
                self.row(name, value, unit, ok=value <= limit)
        with tempfile.TemporaryDirectory() as directory:
            self.rows.rightsizing(Rows(), directory)
        self.assertEqual([name for name, ok in Rows.found.items() if ok is False], [])


if __name__ == "__main__":
    unittest.main()

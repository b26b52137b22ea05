# SPDX-License-Identifier: GPL-3.0-or-later
"""`vherd sim` as people start it; on the published traces, where they are at hand, it gives the
figures that CloudSim 3.0.3 gave."""

import glob
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import unittest

import fakeapi
import traces
from memorydaemon import MemoryDaemon
from vherd import wait_for

SCENARIOS = os.path.join(fakeapi.ROOT, "lab", "scenarios")

# Executed with CloudSim 3.0.3 on trace files sorted by name: kWh, migrations, SLA in percent.
EXECUTED = {
    ("20110303", "lr-mmt"): (163.48, 27859, .00464),
    ("20110322", "lr-mmt"): (177.48, 32038, .00464),
    ("20110412", "lr-mmt"): (151.61, 26248, .00487),
    ("20110303", "thr-mmt"): (192.62, 26711, .00318),
    ("20110322", "thr-mmt"): (201.70, 28902, .00306),
    ("20110412", "thr-mmt"): (177.20, 24824, .00329),
    ("20110303", "wake-lr-mmt"): (125.28, 10228, .00114),
    ("20110322", "wake-lr-mmt"): (128.32, 14623, .00195),
    ("20110412", "wake-lr-mmt"): (113.17, 11366, .00203),
    ("20110303", "mad-mmt"): (185.79, 26556, .00334),
    ("20110303", "iqr-mmt"): (189.98, 26282, .00301),
    ("20110303", "lr-mu"): (175.60, 30166, .00613),
    ("20110303", "mad-mu"): (200.14, 29611, .00485),
    ("20110303", "iqr-mu"): (201.54, 29410, .00454),
    ("20110303", "thr-mu"): (207.79, 30653, .00494),
}


def vherd(*arguments):
    return subprocess.run([fakeapi.PROGRAM, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


def cloudsim(folder, policy, mode="A"):
    done = vherd("sim", "cloudsim", "--traces", folder, "--policy", policy, "--mode", mode,
                 "--json")
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


RULED = """\
duration: 3h
step: 60s
policy: none
hosts: [{name: h, count: 2, cores: 4, mips: 1000}]
vms:
  - {name: a, count: 3, vcpus: 2, mips: 1000, mean: 0.5, noise: 0.1}
events:
  - {at: 10m, for: 2m, fault: vm-crash, target: a-0}
  - {at: 1h, for: 5m, fault: vm-crash, target: a-2}
"""
RULES = """\
groups:
  - name: vms
    interval: 15s
    rules:
      - alert: Crashed
        expr: vherd_vm_state{state="crashed"} == 6
      - alert: CrashedForLong
        expr: vherd_vm_state{state="crashed"} == 6
        for: 3m
      - alert: Silent
        expr: sum by (domain) (rate(libvirt_domain_vcpu_time_seconds_total[2m])) == 0
        for: 30m
"""


class Rules(unittest.TestCase):
    """Rules on what the collector sees of a data centre that does not exist."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.scenario = self.write("scenario.yaml", RULED)
        self.rules = self.write("rules.yml", RULES)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_faults_are_told_as_often_as_they_are_there(self):
        done = vherd("sim", "run", self.scenario, "--rules", self.rules, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        rules = json.loads(done.stdout)["rules"]["rules"]
        fired = {rule["alert"]: [(f["labels"]["domain"], f["seconds"]) for f in rule["firings"]]
                 for rule in rules}
        self.assertEqual(fired, {"Crashed": [("a-0", 120), ("a-2", 300)],
                                 "CrashedForLong": [("a-2", 120)], "Silent": []})

    def test_the_same_bytes_each_time(self):
        once, again = (vherd("sim", "run", self.scenario, "--rules", self.rules) for _ in "12")
        self.assertEqual((once.returncode, once.stderr), (0, ""))
        self.assertIn("Crashed ", once.stdout)
        self.assertEqual(once.stdout, again.stdout)

    def test_nothing_is_left(self):
        done = subprocess.run([fakeapi.PROGRAM, "sim", "run", self.scenario, "--rules", self.rules],
                              env=dict(os.environ, TMPDIR=self.folder), stdout=subprocess.DEVNULL,
                              timeout=120, check=True)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(sorted(os.listdir(self.folder)), ["rules.yml", "scenario.yaml"])

    def test_what_is_wrong_is_said_once(self):
        wrong = self.write("wrong.yml", "groups:\n  - name: a\n    rules:\n      - {alert: A, expr: 'up +'}\n")
        for arguments, words in [
                (["--rules", wrong], "wrong.yml:4:"),
                (["--rules", "/nowhere/rules.yml"], "/nowhere/rules.yml"),
                (["--rules", self.rules, "--compare", "none"], "the scenario's own policy"),
                (["--rules", self.rules, "--csv"], "text or --json"),
                (["--rules", self.rules, "--sample", "1ms"], "--sample takes")]:
            done = vherd("sim", "run", self.scenario, *arguments)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertEqual(done.stdout, "")
            self.assertIn(words, done.stderr.splitlines()[0])


class Run(unittest.TestCase):
    def test_examples(self):
        found = sorted(glob.glob(os.path.join(SCENARIOS, "*.yaml")))
        self.assertTrue(found)
        for path in found:
            if "100k" in path:
                continue
            done = vherd("sim", "run", path, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            run = json.loads(done.stdout)["runs"][0]
            self.assertEqual(run["policy"], "vherd")
            self.assertGreater(run["energy_kwh"], 0)
            self.assertEqual(run["memory_violations"], 0)
            self.assertEqual(run["returns_within_hour"], 0)
            self.assertGreater(len(run["timeline"]), 100)
            self.assertEqual(vherd("sim", "run", path, "--json").stdout, done.stdout)

    def test_views(self):
        office = os.path.join(SCENARIOS, "office.yaml")
        text = vherd("sim", "run", office).stdout
        self.assertIn("energy, kWh", text)
        self.assertIn("host-failure", text)
        self.assertLess(len(text.splitlines()), 60)
        self.assertGreater(len(vherd("sim", "run", office, "--report").stdout.splitlines()), 500)
        rows = vherd("sim", "run", office, "--csv").stdout.splitlines()
        self.assertEqual(len({row.count(",") for row in rows}), 1)
        compared = vherd("sim", "run", office, "--compare", "vherd", "--compare=none", "--csv")
        self.assertEqual([row.split(",")[0] for row in compared.stdout.splitlines()],
                         ["policy", "vherd", "none"])

    def test_errors_say_where(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bad.yaml")
            with open(path, "w") as out:
                out.write("hosts:\n  - {name: h, coers: 4}\n")
            done = vherd("sim", "run", path)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"{path}:2:15:", done.stderr)
            self.assertIn('did you mean "cores"', done.stderr)
            with open(path, "w") as out:
                out.write("hosts:\n  - {name: h}\nevents:\n"
                          "  - {at: 1h, fault: host-failure, target: x-9}\n")
            done = vherd("sim", "run", path)
            self.assertEqual(done.returncode, 2)
            self.assertIn("x-9", done.stderr)
            self.assertIn(path, done.stderr)
            with open(os.path.join(folder, "vm"), "w") as out:
                out.write("1\n2\n")
            done = vherd("sim", "cloudsim", "--traces", folder)
            self.assertEqual(done.returncode, 2)
            self.assertIn("bad.yaml:1:1:", done.stderr)
            os.unlink(path)
            done = vherd("sim", "cloudsim", "--traces", folder)
            self.assertIn("288", done.stderr)
        for arguments in (("run",), ("cloudsim",), ("walk",), ("run", "/nonexistent"),
                          ("cloudsim", "--traces", SCENARIOS, "--policy", "odd")):
            self.assertEqual(vherd("sim", *arguments).returncode, 2, arguments)


class Queue(unittest.TestCase):
    TRACE = ("arrival,run,vcpus,memory,priority,estimate\n0,10,3,8G,0,10\n0,30,3,8G,0,30\n"
             "1,5,4,16G,0,5\n2,100,1,1G,9,100\n2,100,1,1G,0,100\n")

    def trace(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False) as out:
            out.write(text)
        self.addCleanup(os.unlink, out.name)
        return out.name

    def queue(self, *arguments):
        done = vherd("sim", "queue", "--json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_generated_requests_agree_with_theory(self):
        words = ("--rate=200", "--mean=2m", "--hosts=8", "--vcpus=1", "--requests=200000")
        found = self.queue(*words)
        self.assertEqual(found["theory"]["model"], "M/M/8")
        by_name = {line["discipline"]: line for line in found["disciplines"]}
        self.assertEqual(list(by_name), ["fcfs", "sjf", "priority", "ageing", "round-robin",
                                         "backfill"])
        for name in ("wait_seconds_mean", "response_seconds_mean", "utilisation_ratio"):
            expected = found["theory"][name]
            self.assertAlmostEqual(by_name["fcfs"][name], expected, delta=0.1 * expected)
        self.assertLess(by_name["sjf"]["wait_seconds_mean"], by_name["fcfs"]["wait_seconds_mean"])
        self.assertGreater(by_name["sjf"]["fairness"], by_name["fcfs"]["fairness"])
        self.assertLess(by_name["ageing"]["wait_seconds_max"],
                        by_name["priority"]["wait_seconds_max"])
        self.assertEqual(found, self.queue(*words))

    def test_a_single_server(self):
        found = self.queue("--rate", "0.6", "--mean", "1h", "--vcpus", "1", "--policy", "fcfs",
                           "--service", "deterministic", "--requests", "300000")
        self.assertEqual(found["theory"]["model"], "M/G/1")
        fcfs, = found["disciplines"]
        self.assertAlmostEqual(fcfs["wait_seconds_mean"], 2700, delta=150)

    def test_a_trace(self):
        path = self.trace(self.TRACE)
        found = self.queue("--trace", path, "--hosts", "2", "--vcpus", "4", "--memory", "16G",
                           "--policy", "fcfs,backfill")
        fcfs, backfill = found["disciplines"]
        self.assertEqual((fcfs["served"], backfill["served"]), (5, 5))
        self.assertLess(backfill["wait_seconds_mean"], fcfs["wait_seconds_mean"])
        self.assertIn("without end", found["theory"]["note"])
        self.assertIn("waiting, longest", vherd("sim", "queue", "--trace", path).stdout)
        rows = vherd("sim", "queue", "--trace", path, "--csv").stdout.splitlines()
        self.assertEqual(len(rows), 7)
        self.assertEqual(len({row.count(",") for row in rows}), 1)

    def test_errors_say_where(self):
        path = self.trace("arrival,run,vcpus\n0,1,1\n5,x,1\n")
        done = vherd("sim", "queue", "--trace", path)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{path}:3:3:", done.stderr)
        for words, said in ((("--policy", "fcfs,odd"), '"odd"'), (("--hosts", "0"), "--hosts"),
                            (("--rate", "-1"), "--rate"), (("--mean", "soon"), "soon"),
                            (("--trace", "/nonexistent"), "/nonexistent"),
                            (("--service", "odd"), "odd"), (("--memory", "much"), "much"),
                            (("--trace", path, "--rate", "3"), "generated"), (("more",), "more")):
            done = vherd("sim", "queue", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(said, done.stderr)


class Simulated(unittest.TestCase):
    """The daemon, built with sanitizers, in front of a data centre that does not exist."""

    def start(self, path, query=""):
        daemon = MemoryDaemon(config={"libvirt": {"uri": f"simulate:{path}{query}"}})
        self.addCleanup(daemon.close)
        daemon.start()
        return daemon

    def test_an_option_is_enough(self):
        daemon = MemoryDaemon(arguments=["--simulate", os.path.join(SCENARIOS, "office.yaml")])
        self.addCleanup(daemon.close)
        daemon.start()
        wait_for("VMs with their rates", 20, lambda: all(
            "cpu_ratio" in vm for vm in daemon.vms().values()) and len(daemon.vms()) >= 130)
        self.assertRegex(wait_for("its host", 20, lambda: daemon.vm("db-0").get("title")),
                         "^on (big|old)-[0-9]+$")
        self.assertEqual(daemon.json("/vherd/v1/host")["online_cpus"], 6 * 32 + 8 * 16)
        self.assertEqual(len(daemon.metrics().values("libvirt_domain_info_vstate")),
                         len(daemon.vms()))
        self.assertIn("db-0", daemon.cli("list", "--names").stdout)

    def test_things_happen(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            path = os.path.join(folder, "s.yaml")
            with open(path, "w") as out:
                out.write("step: 60s\nhosts: [{name: h, count: 4}]\n"
                          "vms: [{name: v, count: 20}]\nevents:\n"
                          "  - {at: 10m, for: 1d, fault: vm-crash, target: v-3}\n"
                          "  - {at: 20m, for: 1d, fault: maintenance, target: h-0}\n")
            daemon = self.start(path, "?speed=120")
            wait_for("all VMs", 20, lambda: len(daemon.vms()) == 20)
            wait_for("a crash", 30, lambda: daemon.vm("v-3")["state"] == "crashed")
            wait_for("an empty host", 40, lambda: all(
                daemon.vm(f"v-{i}").get("title") != "on h-0" for i in range(20) if i != 3))

    def test_a_bad_scenario(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s.yaml")
            with open(path, "w") as out:
                out.write("hosts: []\nvmss: []\n")
            daemon = MemoryDaemon(arguments=["--simulate", path])
            self.addCleanup(shutil.rmtree, daemon.directory, ignore_errors=True)
            done = subprocess.run(daemon.command("daemon", "--simulate", path),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"{path}:2:1:", done.stdout)
            self.assertIn('did you mean "vms"', done.stdout)
            done = vherd("daemon", "--simulate", os.path.join(folder, "none"))
            self.assertEqual(done.returncode, 2)
            self.assertIn("cannot find", done.stderr)


class PlanetLab(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if traces.missing():
            raise unittest.SkipTest(traces.missing())
        cls.context = traces.unpacked()
        cls.folder = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def day(self, name):
        return os.path.join(self.folder, name)

    def test_executed_figures(self):
        for (day, policy), (energy, migrations, sla) in EXECUTED.items():
            with self.subTest(day=day, policy=policy):
                result = cloudsim(self.day(day), policy)
                self.assertLessEqual(abs(result["energy_kwh"] / energy - 1), .01)
                self.assertLessEqual(abs(result["migrations"] / migrations - 1), .02)
                self.assertLessEqual(abs(result["sla_ratio"] * 100 / sla - 1), .05)

    def test_our_policy(self):
        ours = {day: cloudsim(self.day(day), "vherd") for day in traces.DAYS}
        for day, result in ours.items():
            for policy in ("lr-mmt", "wake-lr-mmt"):
                other = cloudsim(self.day(day), policy)
                for key in ("energy_kwh", "migrations", "esv"):
                    self.assertLess(result[key], other[key], (day, policy, key))
        for key, most in (("energy_kwh", 110), ("migrations", 8000), ("esv", 1.2e-3)):
            self.assertLessEqual(statistics.median(r[key] for r in ours.values()), most)
        for mode in "ABC":
            for day in traces.DAYS:
                result = cloudsim(self.day(day), "vherd", mode)
                self.assertEqual(result["returns_within_hour"], 0)
                self.assertEqual(result["moves_without_gain"], 0)
        b = cloudsim(self.day("20110303"), "vherd", "B")
        self.assertLessEqual(b["energy_kwh"], 138)
        self.assertLessEqual(b["migrations"], 12000)
        self.assertLessEqual(b["sla_ratio"], 1.5e-5)
        c = cloudsim(self.day("20110303"), "vherd", "C")
        self.assertLessEqual(c["energy_kwh"], 212)
        self.assertLessEqual(c["migrations"], 1000)
        self.assertEqual(c["memory_violations"], 0)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules in the real daemon on the in-memory back end, and `vherd rules` on files."""

import datetime
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import building
import generatorplay
import memorydaemon
import vherd

DATA = os.path.join(building.ROOT, "tests", "data", "rules")
PROGRAM = os.path.join(building.ROOT, "build-asan", "src", "main", "vherd")

RULES = """
groups:
  - name: watch
    interval: 1s
    rules:
      - record: vms:running
        expr: count(vherd_vm_state{state="running"})
      - alert: Always
        expr: vms:running > 0
        labels: {severity: info}
        annotations: {summary: "{{ $value }} VMs run"}
      - alert: Waits
        expr: vms:running > 0
        for: 1h
      - alert: SeesAlerts
        expr: ALERTS{alertname="Always", alertstate="firing"} == 1
      - alert: Broken
        expr: vherd_vm_state * on(nothing) vherd_vm_state
  - name: states
    interval: 1h
    rules:
      - alert: VMStopped
        expr: vherd_vm_state{state!="running"} == vherd_vm_state
        annotations: {summary: "{{ $labels.domain }} is {{ $labels.state }}"}
"""


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def run_rules(*words):
    return subprocess.run([PROGRAM, "rules", *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)


class RulesDaemon(memorydaemon.MemoryDaemon):
    def __init__(self, rules, query="", **keys):
        self.rules = tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8")
        super().__init__(query=query, config={"rules": {"files": [self.rules.name], **keys},
                                 "kernel": {"interval": "1s"}})
        self.write_rules(rules)

    def write_rules(self, text):
        self.rules.seek(0)
        self.rules.truncate()
        self.rules.write(text)
        self.rules.flush()

    def alerts(self):
        answer = self.json("/api/v1/alerts")
        return {a["labels"]["alertname"]: a for a in answer["data"]["alerts"]}

    def state(self, name):
        return self.alerts().get(name, {}).get("state")

    def rule(self, name):
        for group in self.json("/api/v1/rules")["data"]["groups"]:
            for rule in group["rules"]:
                if rule["name"] == name:
                    return rule
        return None

    def history(self):
        return self.json("/vherd/v1/alerts/history")["transitions"]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def value(self, query):
        result = self.json("/api/v1/query?query=" + query)["data"]["result"]
        return result[0]["value"][1] if result else None


class Daemon(unittest.TestCase):
    def test_states_series_and_restart(self):
        with RulesDaemon(RULES) as daemon:
            vherd.wait_for("firing", 30, lambda: daemon.state("SeesAlerts") == "firing")
            always = daemon.alerts()["Always"]
            self.assertEqual(always["labels"], {"alertname": "Always", "severity": "info"})
            self.assertRegex(always["annotations"]["summary"], r"^\d VMs run$")
            self.assertEqual(daemon.state("Waits"), "pending")
            broken = daemon.rule("Broken")
            self.assertEqual(broken["health"], "err")
            self.assertIn("many-to-many", broken["lastError"])
            self.assertEqual(daemon.rule("vms:running")["type"], "recording")
            self.assertEqual(daemon.value("ALERTS%7Balertname%3D%22Waits%22%7D"), "1")
            for name in ("vherd_rule_group_iterations_total", "vherd_rule_group_duration_seconds",
                         "vherd_rule_group_last_evaluation_time_seconds"):
                vherd.wait_for(name, 60, lambda: daemon.value(name))
            self.assertGreater(
                vherd.wait_for("failures", 60, lambda: float(
                    daemon.value("sum(vherd_rule_evaluation_failures_total)") or 0)), 0)
            self.assertEqual(float(daemon.value("vms:running")), int(always["value"][0]))
            waits = daemon.alerts()["Waits"]["activeAt"]
            before = len(daemon.history())
            # Nothing begins anew, fires again or resolves because of a kill; the time in which nobody
            # looked does not count towards `for`.
            killed = time.monotonic()
            for pid in reversed(daemon.processes()):
                os.kill(pid, signal.SIGKILL)
            daemon.process.wait()
            daemon.start()
            vherd.wait_for("evaluated", 30, lambda: daemon.rule("Waits")["health"] == "ok")
            away = time.monotonic() - killed
            self.assertEqual(daemon.state("Waits"), "pending")
            shift = seconds(daemon.alerts()["Waits"]["activeAt"]) - seconds(waits)
            self.assertGreaterEqual(shift, 0)
            self.assertLessEqual(shift, away + 2)
            self.assertEqual(daemon.alerts()["Always"]["activeAt"], always["activeAt"])
            self.assertEqual(len(daemon.history()), before)
            seqs = [t["seq"] for t in daemon.history()]
            self.assertEqual(seqs, sorted(seqs, reverse=True))

    def test_reload_keeps_state_and_bad_files_change_nothing(self):
        with RulesDaemon(RULES) as daemon:
            vherd.wait_for("pending", 30, lambda: daemon.state("Waits") == "pending")
            waits = daemon.alerts()["Waits"]["activeAt"]
            daemon.write_rules("groups:\n  - name: x\n    rules: [{alert: A, expr: 'up ='}]\n")
            daemon.reload()
            vherd.wait_for("error", 30, lambda: daemon.status()["rules"].get("error"))
            self.assertIn(":3:", daemon.status()["rules"]["error"])
            self.assertEqual(daemon.alerts()["Waits"]["activeAt"], waits)
            daemon.write_rules(RULES + "      - alert: New\n        expr: vector(1)\n")
            daemon.reload()
            vherd.wait_for("new rule", 30, lambda: daemon.rule("New"))
            self.assertEqual(daemon.alerts()["Waits"]["activeAt"], waits)
            self.assertNotIn("error", daemon.status()["rules"])

    def test_an_event_evaluates_at_once(self):
        # VMs that live for milliseconds; their group's own turn comes once an hour.
        with RulesDaemon(RULES, "&churn=1500") as daemon:
            def told():
                return [t for t in daemon.history()
                        if t["alert"]["labels"]["alertname"] == "VMStopped"]
            first = vherd.wait_for("told", 60, told)[0]["alert"]
            self.assertRegex(first["annotations"]["summary"], r"^churn\d+ is shut off$")
            events = daemon.json("/vherd/v1/events?kind=alert")["events"]
            self.assertTrue(any("VMStopped is firing: churn" in e["text"] for e in events), events)

    def test_alert_generator_specification(self):
        """The daemon itself through all phases, on rules whose times are divided by 60."""
        folder = os.environ.get("VHERD_CONFORMANCE", "")
        rules = os.path.join(folder, "alert_generator", "rules.yaml")
        if not folder or not os.path.exists(rules):
            raise unittest.SkipTest("no alert_generator/rules.yaml (VHERD_CONFORMANCE)")
        phases = generatorplay.play(rules, 60, slack_s=20)
        self.assertEqual([phase for phase in phases if phase[1]], [])
        self.assertGreaterEqual(len(phases), 45)

    def check_filters(self, daemon):
        """The parameters of Prometheus' /api/v1/rules."""
        def shown(*parameters):
            data = daemon.json("/api/v1/rules?" + urllib.parse.urlencode(parameters))["data"]
            return {g["name"]: [r["name"] for r in g["rules"]] for g in data["groups"]}
        self.assertEqual(shown(("rule_name[]", "Waits"), ("rule_name[]", "VMStopped")),
                         {"watch": ["Waits"], "states": ["VMStopped"]})
        self.assertEqual(shown(("type", "record")), {"watch": ["vms:running"]})
        self.assertEqual(shown(("type", "alert"), ("rule_group[]", "states")),
                         {"states": ["VMStopped"]})
        self.assertEqual(shown(("match[]", '{severity=~"in.*"}')), {"watch": ["Always"]})
        self.assertEqual(shown(("file[]", "/none")), {})
        self.assertEqual(len(shown(("file[]", daemon.rules.name))), 2)
        for exclude, alerts in (("true", False), ("f", True)):
            groups = daemon.json(f"/api/v1/rules?rule_name[]=Always&exclude_alerts={exclude}")
            self.assertEqual(bool(groups["data"]["groups"][0]["rules"][0]["alerts"]), alerts)
        first = daemon.json("/api/v1/rules?group_limit=1")["data"]
        token = first["groupNextToken"]
        rest = daemon.json(f"/api/v1/rules?group_limit=1&group_next_token={token}")["data"]
        self.assertEqual([g["name"] for g in first["groups"] + rest["groups"]], ["watch", "states"])
        self.assertNotIn("groupNextToken", rest)
        for bad in ("type=x", "exclude_alerts=x", "group_limit=0", f"group_next_token={token}",
                    "group_limit=1&group_next_token=x", "match[]={"):
            self.assertEqual(daemon.get(f"/api/v1/rules?{bad}")[0], 400, bad)

    def test_command(self):
        with RulesDaemon(RULES) as daemon:
            vherd.wait_for("firing", 30, lambda: daemon.state("Always") == "firing")
            self.check_filters(daemon)
            self.assertRegex(daemon.cli("alerts").stdout, r"firing +Always")
            self.assertNotIn("Waits", daemon.cli("alerts", "firing").stdout)
            self.assertIn("Waits", daemon.cli("alerts", "pending").stdout)
            self.assertRegex(daemon.cli("alerts", "history").stdout, r"Always")
            self.assertIn("Always", [a["labels"]["alertname"] for a in json.loads(
                daemon.cli("alerts", "--json").stdout)["data"]["alerts"]])

    def test_events_and_backtest(self):
        """What happened, as it goes on; then the same rules over what was recorded."""
        with RulesDaemon(RULES) as daemon:
            vherd.wait_for("pending", 60, lambda: daemon.state("Waits") == "pending")
            vherd.wait_for("an event", 60, lambda: "Always is firing: 3 VMs run" in daemon.cli(
                "events", "--kind", "alert").stdout)
            lines = vherd.follow(self, daemon.command("events", "--follow", "--after", "0", "--kind",
                                                      "alert"))
            vherd.wait_for("what was", 60, lambda: any("Always is firing" in line for line in lines))
            daemon.write_rules(RULES.replace("alert: Waits", "alert: Later").replace("1h", "1s", 1))
            daemon.reload()
            vherd.wait_for("what happens", 60, lambda: any(
                "Later is firing" in line for line in lines))
            daemon.write_rules(RULES)
            busy = daemon.cli("rules", "backtest", daemon.rules.name, "--data", daemon.store,
                              check=False)
            self.assertEqual(busy.returncode, 1)
            self.assertIn("vherd store snapshot", busy.stderr)
            daemon.stop()
            words = ("rules", "backtest", daemon.rules.name, "--since", "1h", "--interval", "1s",
                     "--data", daemon.store)
            answer = json.loads(daemon.cli(*words, "--json").stdout)
            found = {rule["alert"]: rule for rule in answer["rules"]}
            self.assertEqual(len(found["Always"]["firings"]), 1)
            self.assertGreater(found["Always"]["firings"][0]["seconds"], 0)
            self.assertEqual(found["Waits"]["firings"], [])
            text = daemon.cli(*words).stdout
            self.assertRegex(text, r"Always")
            # Without --data: the store of the configuration.
            self.assertEqual(daemon.cli(*words[:-2]).stdout.splitlines()[1:],
                             text.splitlines()[1:])


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not building.build("build-asan", "asan", ["src/main/vherd"]):
            raise AssertionError("build-asan does not build")

    def check_all(self, folder, table):
        """Rows: file, command, …, expected; how many there were."""
        rows = 0
        with open(table, encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                file, command, *_, expected = line.rstrip("\n").split("\t")
                path = os.path.join(folder, file)
                done = run_rules(command, path)
                with self.subTest(file=file, command=command):
                    self.assertIn(done.returncode, (0, 1), done.stdout)
                    self.assertEqual("accept" if done.returncode == 0 else "reject", expected,
                                     done.stdout)
                rows += 1
        return rows

    def test_own_verdicts(self):
        self.assertGreater(self.check_all(DATA, os.path.join(DATA, "verdicts.tsv")), 15)

    def test_verdicts_of_others(self):
        folder = os.environ.get("VHERD_CONFORMANCE")
        table = os.path.join(folder or "", "verdicts.tsv")
        if not folder or not os.path.exists(table):
            raise unittest.SkipTest("no verdicts.tsv (VHERD_CONFORMANCE)")
        self.assertGreaterEqual(self.check_all(folder, table), 72)

    def test_places(self):
        done = run_rules("check", os.path.join(DATA, "bad-expr.yaml"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"bad-expr\.yaml:5:\d+: could not parse expression")
        done = run_rules("check", "--json", os.path.join(DATA, "bad-expr.yaml"))
        self.assertEqual(json.loads(done.stdout)["errors"][0]["line"], 5)

    def test_costs(self):
        done = run_rules("check", os.path.join(DATA, "good.yaml"))
        self.assertRegex(done.stdout, r"each minute [0-9.e+]+ samples are read of each series")
        with tempfile.TemporaryDirectory() as directory:
            def cost(expression, interval):
                path = os.path.join(directory, "r.yaml")
                with open(path, "w", encoding="utf-8") as file:
                    json.dump({"groups": [{"name": "g", "interval": interval, "rules": [
                        {"alert": "A", "expr": expression}]}]}, file)
                return json.loads(run_rules("check", "--json", path).stdout)[
                    "samples_per_series_minute"]
            one = cost("rate(x[5m]) > 1", "1m")
            self.assertAlmostEqual(one, 300, delta=10)
            self.assertAlmostEqual(cost("rate(x[5m]) > 1", "30s"), 2 * one)
            self.assertAlmostEqual(cost("rate(x[10m]) > 1", "1m") / one, 2, delta=0.05)

    def test_unknown_metric(self):
        path = os.path.join(DATA, "unknown-metric.yaml")
        done = run_rules("check", path)
        self.assertEqual(done.returncode, 0)
        self.assertIn('did you mean "vherd_vm_state"?', done.stdout)
        self.assertEqual(run_rules("check", "--strict", path).returncode, 1)

    def test_unknown_option(self):
        path = os.path.join(DATA, "unknown-option.yaml")
        done = run_rules("check", path)
        self.assertEqual(done.returncode, 0)
        found = [line for line in done.stdout.splitlines() if "has no option" in line]
        self.assertEqual(len(found), 2, done.stdout)
        self.assertRegex(found[0], r'unknown-option\.yaml:8:27: A: vherd has no option "vherd:flap"')
        self.assertRegex(found[1], r':9:28: A: vherd has no option "vherd_min_holds"')
        self.assertEqual(run_rules("check", "--strict", path).returncode, 1)

    def test_a_failing_test_says_what_it_got(self):
        done = run_rules("test", os.path.join(DATA, "failing-test.yaml"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("alertname: Down, time: 5m", done.stdout)
        self.assertIn('Labels:{alertname="Down", job="a"}', done.stdout)


if __name__ == "__main__":
    unittest.main()

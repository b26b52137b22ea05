# SPDX-License-Identifier: GPL-3.0-or-later
"""`vherd plan apply`, plans that are carried out by themselves, and what stops them."""

import json
import os
import subprocess
import tempfile
import time
import unittest

import promqldaemon
from memorydaemon import MemoryDaemon
from vherd import wait_for

MIB = 1 << 20


def used(name, days=20, resident=100000000):
    """Half a CPU and that much memory, up to now."""
    now = int(time.time())
    times = range(now - days * 86400, now, 300)
    return "".join(
        f'{metric}{{domain="{name}"}} {value(t - times[0])} {t}\n'
        for metric, value in (("libvirt_domain_info_cpu_time_seconds_total",
                               lambda seconds: seconds / 2),
                              ("vherd_vm_resident_bytes", lambda seconds: resident))
        for t in times)


class Daemon(unittest.TestCase):
    def start(self, plan=None, vms=3, history=("vm1", "vm2")):
        daemon = MemoryDaemon(vms, config={"store": {"keep": "365d"}, "plan": plan or {}})
        self.addCleanup(daemon.close)
        daemon.config["act"] = {"state": os.path.join(daemon.directory, "act")}
        daemon.write_config()
        if history:
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
                file.write("".join(used(name) for name in history))
                file.flush()
                promqldaemon.fill(daemon.store, file.name)
        self.begin(daemon, vms)
        return daemon

    def begin(self, daemon, vms=3):
        daemon.start()
        wait_for("the VMs", 20, lambda: len(daemon.vms()) == vms)
        wait_for("act's connection", 30,
                 lambda: self.vherd(daemon, "vm", "reset", "vm1", "--dry-run")[0] == 0)

    def vherd(self, daemon, *words):
        """(exit status, output, errors)"""
        done = subprocess.run(daemon.command(*words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120, env=dict(daemon.environment, LC_ALL="C.UTF-8"))
        return done.returncode, done.stdout, done.stderr

    def answer(self, daemon, *words):
        status, out, errors = self.vherd(daemon, *words, "--json")
        self.assertEqual((status, errors), (0, ""))
        return json.loads(out)

    def tasks(self, daemon, state=None):
        query = f"?state={state}" if state else ""
        return daemon.json("/vherd/v1/tasks" + query)["tasks"]


class Apply(Daemon):
    def test_rightsize(self):
        daemon = self.start()
        plan = daemon.json("/vherd/v1/plan/rightsize")
        rows = {row["vm"]: row for row in plan["vms"]}
        before = rows["vm1"]["memory_bytes"]
        wishes = {wish["what"]: wish for wish in rows["vm1"]["deeds"]}
        self.assertEqual(wishes["memory"]["deed"], "vm.set-memory")
        self.assertEqual(wishes["memory"]["body"],
                         {"memory": rows["vm1"]["advised_memory_bytes"], "scope": "both"})
        self.assertEqual(wishes["shares"]["body"]["shares"], rows["vm1"]["advised_cpu_shares"])

        # Without --yes nothing is done, and that is said.
        status, out, errors = self.vherd(daemon, "plan", "apply", "rightsize")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("vm1: would set the memory", out)
        self.assertIn("Nothing was done", out)
        self.assertEqual(self.tasks(daemon), [])
        status, out, _ = self.vherd(daemon, "plan", "apply", "rightsize", "--yes", "--dry-run")
        self.assertIn("Nothing was done", out)
        self.assertEqual(self.tasks(daemon), [])

        # One VM, one thing.
        found = self.answer(daemon, "plan", "apply", "rightsize", "vm1", "--only", "memory",
                            "--yes")
        self.assertEqual([(task["deed"], task["vm"], task["state"]) for task in found["tasks"]],
                         [("vm.set-memory", "vm1", "done")])
        task = self.answer(daemon, "task", "show", str(found["tasks"][0]["id"]))
        self.assertEqual(task["result"]["asked"], rows["vm1"]["advised_memory_bytes"])
        self.assertLess(task["result"]["in_effect"], before)
        # Shares of one VM alone would set it apart from all others.
        self.assertNotIn("shares", {wish["what"] for wish in daemon.json(
            "/vherd/v1/plan/rightsize?name=vm1")["vms"][0]["deeds"]})

        # All of it: each is a task of one batch, with its record in the audit log.
        found = self.answer(daemon, "plan", "apply", "rightsize", "--yes")
        deeds = {(task["deed"], task["vm"]) for task in found["tasks"]}
        self.assertLessEqual({("vm.set-memory", "vm2"), ("vm.set-cpu", "vm1"),
                              ("vm.set-cpu", "vm2")}, deeds)
        self.assertEqual({task["state"] for task in found["tasks"]}, {"done"})
        self.assertEqual(len({task["batch"] for task in found["tasks"]}), 1)
        log = self.answer(daemon, "audit-log")["records"]
        for kind in ("intent", "outcome"):
            self.assertEqual(sum(record["verb"] == "vm.set-cpu" and record["kind"] == kind
                                 for record in log), 2)

    def test_place_starts_a_vm(self):
        daemon = self.start(history=())
        self.assertEqual(self.answer(daemon, "vm", "destroy", "vm3", "--wait")["state"], "done")
        # core has its own in-memory hypervisor, where the VM still runs: there is nothing to do.
        status, out, _ = self.vherd(daemon, "plan", "apply", "place", "vm3")
        self.assertEqual(status, 0)
        self.assertIn("nothing to apply", out)
        found = daemon.json("/vherd/v1/plan/place?name=fresh&vcpus=1&memory=64M")
        self.assertEqual(found["vms"][0]["deeds"], [])

    def test_what_cannot_be_applied(self):
        daemon = self.start(history=())
        for words, status, said in (
                (("rightsize",), 1, "no history"),
                (("balance",), 0, "nothing to apply"),
                (("place",), 2, "must be named"),
                ((), 2, "needs the plan"),
                (("fly",), 2, "not \"fly\""),
                (("rightsize", "--only", "memory,colour"), 2, "--only"),
                (("rightsize", "--herd", "x.json"), 2, "the daemon's own plan")):
            got, out, errors = self.vherd(daemon, "plan", "apply", *words)
            self.assertEqual(got, status, (words, out, errors))
            self.assertIn(said, out + errors)
        self.assertEqual(self.vherd(daemon, "plan", "rightsize", "--yes")[0], 2)


class ByItself(Daemon):
    PLAN = {"auto": "on", "auto_every": "10s", "auto_per_hour": 1}

    def test_off_unless_asked_for(self):
        daemon = self.start()
        self.assertEqual(daemon.json("/vherd/v1/auto")["mode"], "off")

    def test_dry_run_only_tells(self):
        daemon = self.start(dict(self.PLAN, auto="dry-run"))
        wait_for("a line in the log", 60,
                 lambda: "plan.auto: would set the memory of vm" in daemon.log())
        self.assertEqual(self.tasks(daemon), [])

    def test_limit_scope_and_stop_switch(self):
        daemon = self.start(dict(self.PLAN, auto_scope="name:vm2"))
        done = wait_for("a task", 60, lambda: self.tasks(daemon, "done"))
        # vm1 lies outside the scope; a quarter of the memory at a time.
        self.assertEqual([(task["deed"], task["vm"], task["by"]) for task in done],
                         [("vm.set-memory", "vm2", "vherd:plan")])
        body = daemon.json(f"/vherd/v1/tasks/{done[0]['id']}")["body"]
        now = next(row for row in daemon.json("/vherd/v1/plan/rightsize")["vms"]
                   if row["vm"] == "vm2")["memory_bytes"]
        self.assertEqual(body, {"memory": now * 3 // 4 // MIB * MIB, "scope": "both"})
        # core's own in-memory hypervisor has not heard of it and so wants it again: refused.
        wait_for("the limit", 60, lambda: "limit: plan.auto_per_hour" in daemon.log())
        self.assertEqual(len(self.tasks(daemon)), 1)
        log = self.answer(daemon, "audit-log")["records"]
        self.assertIn(("vherd:plan", "vm.set-memory", "vm2"),
                      {(r["principal"], r["verb"], r["object"]) for r in log})

        self.assertTrue(self.answer(daemon, "auto", "stop", "--dry-run")["dry_run"])
        self.assertFalse(self.answer(daemon, "auto")["stopped"])
        found = self.answer(daemon, "auto", "stop", "--reason", "the night shift wants quiet")
        self.assertTrue(found["stopped"])
        self.assertEqual((found["done_within_hour"], found["per_hour"]), (1, 1))
        try:
            wait_for("the switch", 60, lambda: "the night shift wants quiet" in daemon.log())
        except AssertionError:
            print(daemon.log()[-3000:], daemon.json("/vherd/v1/plan/rightsize"), daemon.json("/vherd/v1/auto"))
            raise
        # It outlives the daemon, and who is asked may still act.
        self.assertEqual(daemon.stop(30), 0)
        self.begin(daemon)
        status, out, _ = self.vherd(daemon, "auto")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"(?s)Mode +on\nSwitch +stopped by unix:\d+, .* ago: the night shift")
        self.assertRegex(out, r"Done +1 of 1 within the hour")
        self.assertEqual(self.answer(daemon, "vm", "pause", "vm3", "--wait")["state"], "done")
        self.assertFalse(self.answer(daemon, "auto", "start")["stopped"])
        verbs = [record["verb"] for record in self.answer(daemon, "audit-log")["records"]]
        self.assertIn("auto stop", verbs)

    def test_bad_words(self):
        daemon = self.start(history=())
        self.assertEqual(self.vherd(daemon, "auto", "explode")[0], 2)
        self.assertEqual(self.vherd(daemon, "auto", "--reason", "x")[0], 2)
        self.assertEqual(self.vherd(daemon, "auto", "stop", "--reason", "x" * 1001)[0], 1)
        for plan in ({"auto": "maybe"}, {"auto_scope": "web-1"}, {"auto_per_hour": 0}):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                key, value = next(iter(plan.items()))
                file.write(f"plan:\n  {key}: {value}\n")
                file.flush()
                status, _, errors = self.vherd(daemon, "config", "check", file.name)
                self.assertEqual(status, 2)
                self.assertIn(f"{file.name}:2:", errors)


if __name__ == "__main__":
    unittest.main()

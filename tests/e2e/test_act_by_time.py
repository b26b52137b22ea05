# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules and templates, on the in-memory hypervisor."""

import json
import os
import time
import unittest

import memorydaemon
from vherd import wait_for

TEMPLATE = """
summary: a small one
memory: 64M
vcpus: 2
disks: [{pool: default, size: 1G}]
labels: {backup: "yes", tier: web}
seed: {pool: default, address: 10.0.0.5/24}
"""


class ByTime(unittest.TestCase):
    def setUp(self):
        self.daemon = memorydaemon.MemoryDaemon(vms=2)
        self.addCleanup(self.daemon.close)
        self.templates = os.path.join(self.daemon.directory, "templates")
        os.mkdir(self.templates)
        self.daemon.config["act"]["templates"] = self.templates
        self.daemon.write_config()
        self.start()

    def start(self):
        self.daemon.start()
        wait_for("act's connection", 60, lambda: self.daemon.cli(
            "vm", "reset", "vm1", "--dry-run", check=False).returncode == 0)

    def template(self, name, text=TEMPLATE):
        with open(os.path.join(self.templates, name + ".yaml"), "w", encoding="utf-8") as file:
            file.write(text)

    def cli(self, *words):
        return self.daemon.cli(*words).stdout

    def fails(self, words, *command):
        done = self.daemon.cli(*command, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(words, done.stderr)

    def schedule(self):
        return json.loads(self.cli("schedule", "list", "--json"))["schedules"][0]

    def tasks(self):
        return json.loads(self.cli("task", "list", "--json"))["tasks"]

    def closed(self):
        return wait_for("the tasks' end", 60, lambda: all(
            t["state"] not in ("queued", "running") for t in self.tasks()) and self.tasks())

    def make_two(self):
        self.template("small")
        self.cli("vm", "create", "a", "--template", "small", "--wait")
        self.cli("vm", "create", "b", "--template", "small", "--label", "backup=no", "--wait")

    def test_templates(self):
        self.template("small")
        self.template("wrong", "memory: 64M\nvcpu: 1\n")
        self.template("thief", "name: x\nmemory: 64M\n")
        self.template("broken", "memory: [\n")
        listed = json.loads(self.cli("template", "list", "--json"))["templates"]
        self.assertEqual([t["name"] for t in listed], ["broken", "small", "thief", "wrong"])
        self.assertIn("did you mean vcpus", listed[3]["error"])
        self.assertIn("no field name", listed[2]["error"])
        self.assertIn("line", listed[0]["error"])
        shown = json.loads(self.cli("template", "show", "small"))
        self.assertEqual(shown["fields"]["memory"], 64 << 20)
        for name in ("../vherd", "..", "no"):
            self.assertNotEqual(self.daemon.cli("template", "show", name, check=False).returncode, 0)
            self.assertNotEqual(self.daemon.cli("vm", "create", "x", "--template", name, "--memory",
                                                "64M", check=False).returncode, 0)
        self.cli("vm", "create", "web", "--template", "small", "--vcpus", "1", "--label", "tier=db",
                 "--seed", "pool=default,hostname=www", "--wait")
        made = json.loads(self.cli("vm", "definition", "web", "--json"))
        self.assertEqual((made["vcpus"], made["memory"]), (1, 64 << 20))
        self.assertEqual(made["labels"], {"backup": "yes", "tier": "db"})
        self.assertEqual(made["disks"][1]["volume"], f"seed-{made['uuid']}.iso")
        # The record says what was really done, not only the template's name.
        records = json.loads(self.cli("audit-log", "--verb", "vm.create", "--json"))["records"]
        self.assertIn("10.0.0.5/24", [r for r in records if r["kind"] == "intent"][0]["detail"])
        self.fails("there is no field vcpu", "vm", "create", "x", "--template", "wrong")

    def test_by_hand(self):
        self.make_two()
        self.cli("schedule", "add", "nightly", "--cron", "0 3 * * *", "--deed", "snapshot.create",
                 "--field", "name=n-%Y%m%d", "--label", "backup=yes", "--missed", "once",
                 "--keep", "7")
        self.assertGreater(self.schedule()["due"], time.time())
        self.cli("schedule", "run", "nightly")
        wait_for("its end", 30, lambda: self.schedule().get("message"))
        last = self.closed()[0]
        self.assertEqual((last["vm"], last["deed"], last["state"]), ("a", "snapshot.create", "done"))
        name = json.loads(self.cli("snapshot", "list", "a", "--json"))["snapshots"][0]["name"]
        self.assertEqual(name, time.strftime("n-%Y%m%d"))
        self.cli("schedule", "pause", "nightly")
        self.assertNotIn("due", self.schedule())
        self.cli("schedule", "resume", "nightly")
        self.cli("schedule", "delete", "nightly", "--dry-run")
        self.assertIn("due", self.schedule())
        self.cli("schedule", "delete", "nightly")
        self.assertEqual(json.loads(self.cli("schedule", "list", "--json"))["schedules"], [])
        self.cli("audit-log", "--verify")

    def test_old_snapshots_go(self):
        """The newest two that the schedule took stay; those of others stay as well."""
        self.make_two()
        self.cli("snapshot", "create", "a", "--name", "mine", "--wait")
        self.cli("schedule", "add", "often", "--cron", "0 0 1 1 *", "--deed", "snapshot.create",
                 "--field", "name=n-%Y%m%d-%H%M%S", "--vm", "a", "--keep", "2")
        taken = []
        for i in range(4):
            batch = json.loads(self.cli("schedule", "run", "often", "--json"))["batch"]
            wait_for("its end", 60, lambda: batch in (self.schedule().get("message") or ""))
            self.assertTrue(all(t["state"] == "done" for t in self.closed()), self.closed())
            there = [s["name"] for s in json.loads(
                self.cli("snapshot", "list", "a", "--json"))["snapshots"]]
            fresh = [name for name in there if name not in taken and name != "mine"]
            self.assertEqual(len(fresh), 1, there)
            taken += fresh
            self.assertEqual(sorted(there), sorted(["mine", *taken[-2:]]))
            if i == 2:  # one that somebody deleted counts no more
                self.cli("snapshot", "delete", "a", "--name", taken.pop(), "--wait")
            # A name a second; two runs in one would be the same run.
            wait_for("another second", 10, lambda: f"{int(time.time())}" not in batch, 0.1)
        self.cli("audit-log", "--verify")

    def run_often(self):
        batch = json.loads(self.cli("schedule", "run", "often", "--json"))["batch"]
        wait_for("its end", 60, lambda: batch in (self.schedule().get("message") or ""))
        self.closed()
        tasks = json.loads(self.cli("task", "list", "--json"))["tasks"]
        # A name a second; two runs in one would be the same run.
        wait_for("another second", 10, lambda: f"{int(time.time())}" not in batch, 0.1)
        return [t for t in tasks if t.get("batch") == batch]

    def test_an_old_snapshot_that_stays_is_told_of_once(self):
        """Somebody's snapshot and the VM stand on it: deleting it is refused, and not asked for
        again with each run."""
        self.make_two()
        self.cli("schedule", "add", "often", "--cron", "0 0 1 1 *", "--deed", "snapshot.create",
                 "--field", "name=n-%Y%m%d-%H%M%S", "--field", "kind=external", "--vm", "a",
                 "--keep", "1")
        self.run_often()
        first = json.loads(self.cli("snapshot", "list", "a", "--json"))["snapshots"][0]["name"]
        self.cli("snapshot", "create", "a", "--name", "mine", "--kind", "external", "--wait")
        self.cli("snapshot", "revert", "a", "--name", first, "--wait")
        states = [sorted((t["deed"], t["state"]) for t in self.run_often()) for _ in range(2)]
        self.assertEqual(states[0], [("snapshot.create", "done"), ("snapshot.delete", "failed")])
        self.assertIn(("snapshot.create", "done"), states[1])
        self.assertNotIn(("snapshot.delete", "failed"), states[1])
        self.assertIn("1 old snapshots stay", self.schedule()["message"])

    def test_refusals(self):
        add = ("schedule", "add", "x", "--cron")
        self.fails("minute", *add, "60 * * * *", "--deed", "vm.reset", "--all")
        self.fails("never due", *add, "0 0 30 2 *", "--deed", "vm.reset", "--all")
        self.fails("no deed", *add, "@daily", "--deed", "vm.fly", "--all")
        self.fails("none that is done to VMs", *add, "@daily", "--deed", "vm.create", "--all")
        self.fails("chooses no VM", *add, "@daily", "--deed", "vm.reset")
        self.fails("name is missing", *add, "@daily", "--deed", "snapshot.create", "--all")
        self.fails("gives no name", *add, "@daily", "--deed", "snapshot.create", "--all", "--field",
                   "name=%x", "--keep", "1")
        self.fails("how many snapshots", *add, "@daily", "--deed", "snapshot.create", "--all",
                   "--field", "name=n")
        self.fails("are for snapshot.create", *add, "@daily", "--deed", "vm.reset", "--all", "--keep",
                   "1")
        self.fails("no schedule", "schedule", "run", "x")

    def stored(self, change):
        """Change the schedule while vherd is away, as time would have."""
        import sqlite3
        self.assertEqual(self.daemon.stop(30), 0)
        with sqlite3.connect(os.path.join(self.daemon.config["act"]["state"], "act.db")) as db:
            db.execute(f"UPDATE schedule SET {change}")
        self.start()

    def test_due(self):
        self.make_two()  # gone after a restart: this hypervisor lives in memory
        self.cli("schedule", "add", "each", "--cron", "* * * * *", "--deed", "vm.reset", "--vm", "vm1")
        self.stored(f"due={int(time.time()) - 5}")
        wait_for("its run", 60, lambda: "1 tasks" in self.schedule().get("message", ""))
        self.assertEqual(self.closed()[0]["vm"], "vm1")

    def test_missed(self):
        self.cli("schedule", "add", "each", "--cron", "0 0 1 1 *", "--deed", "vm.reset", "--all")
        self.stored(f"due={int(time.time()) - 3600}")
        wait_for("a word", 60, lambda: "missed, and left out" in self.schedule().get("message", ""))
        self.assertEqual(self.tasks(), [])
        self.assertGreater(self.schedule()["due"], time.time())
        self.stored(f"due={int(time.time()) - 86400 * 40}, once=1, message=NULL")
        wait_for("its run", 60, lambda: "late: 2 tasks" in self.schedule().get("message", ""))
        self.assertEqual([t["deed"] for t in self.closed()], ["vm.reset", "vm.reset"])

    def test_the_rights_of_its_owner_as_they_are_then(self):
        self.cli("user", "add", "ann", "--role", "operator", "--scope", "name:vm1")
        path = os.path.join(self.daemon.directory, "token")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.cli("token", "create", "t", "--user", "ann", "--role", "operator"))
        as_ann = ("--token-file", path)
        self.cli("schedule", "add", "all", "--cron", "@daily", "--deed", "vm.reset", "--all", *as_ann)
        self.fails("another role", "schedule", "add", "more", "--cron", "@daily", "--deed",
                   "vm.delete", "--field", "disks=delete", "--all", *as_ann)
        self.cli("schedule", "run", "all", *as_ann)
        wait_for("its end", 30, lambda: "1 tasks" in self.schedule().get("message", ""))
        self.assertEqual([(t["vm"], t["by"]) for t in self.closed()], [("vm1", "token:ann/t")])
        # Another tenant sees and touches nothing of it.
        self.cli("user", "add", "bob", "--role", "operator", "--scope", "all")
        with open(path + "2", "w", encoding="utf-8") as file:
            file.write(self.cli("token", "create", "t", "--user", "bob", "--role", "operator"))
        seen = json.loads(self.cli("schedule", "list", "--json", "--token-file", path + "2"))
        self.assertEqual(seen["schedules"], [])
        number = self.schedule()["id"]
        status = self.daemon.get(f"/vherd/v1/schedules/{number}", method="DELETE", headers={
            "Authorization": "Bearer " + open(path + "2", encoding="utf-8").read().strip()})[0]
        self.assertEqual(status, 404)
        # Without the right it does nothing, and says so.
        self.cli("user", "set", "ann", "--role", "viewer")
        self.fails("may not do this", "schedule", "run", "all")
        self.cli("user", "remove", "ann")
        self.stored(f"due={int(time.time()) - 5}")
        wait_for("a word", 60, lambda: "may not do this" in self.schedule().get("message", ""))
        self.assertEqual(len(self.tasks()), 1)
        records = json.loads(self.cli("audit-log", "--result", "refused", "--json"))["records"]
        self.assertIn("all", [r["object"] for r in records])


if __name__ == "__main__":
    unittest.main()

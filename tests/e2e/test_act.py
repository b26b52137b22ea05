# SPDX-License-Identifier: GPL-3.0-or-later
"""Deeds over the API and the command line, on the in-memory hypervisor."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import everydeed
import vherd
from vherd import wait_for


class Deeds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = vherd.Daemon({"libvirt": {"uri": "memory:///?vms=6"}})
        cls.daemon.config["act"] = {"state": os.path.join(cls.daemon.directory, "act"),
                                    "parallel": 2}
        cls.daemon.write_config()
        cls.daemon.start()
        probe = cls.daemon.command("vm", "reset", "vm1", "--dry-run")
        wait_for("act's connection", 30, lambda: subprocess.run(
            probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def post(self, connection, path, body, head):
        try:
            connection.request("POST", path, body=body, headers=head)
        except BrokenPipeError:
            pass  # refused by its header alone; the answer is there to be read

    def ask(self, path, body=None, kind="application/json", token=None):
        connection = vherd.UnixConnection(self.daemon.socket, 30)
        self.addCleanup(connection.close)
        head = {"Authorization": f"Bearer {token}"} if token else {}
        if body is None:
            connection.request("GET", path, headers=head)
        else:
            self.post(connection, path, body if isinstance(body, str) else json.dumps(body),
                      {"Content-Type": kind, **head})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}")

    def run_vherd(self, *words):
        done = subprocess.run(self.daemon.command(*words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def ended(self, number):
        def look():
            task = self.ask(f"/vherd/v1/tasks/{number}")[1]
            return task if task["state"] not in ("queued", "running") else None
        return wait_for(f"the end of task {number}", 30, look)

    def deed(self, path, body=None):
        status, task = self.ask(f"/vherd/v1/vms/{path}", body or {})
        self.assertEqual(status, 202, task)
        return self.ended(task["id"])

    def test_a_deed_is_a_task(self):
        self.assertEqual(self.deed("vm1/pause")["state"], "done")
        status, problem = self.ask("/vherd/v1/vms/vm1/pause", {})
        self.assertEqual((status, problem["detail"]), (409, "the VM is paused already"))
        self.assertEqual(self.deed("vm1/resume")["by"], f"unix:{os.geteuid()}")

    def test_bad_bodies(self):
        for body, status, words in (
                ("{", 400, "no JSON"), ("[]", 400, "must be an object"),
                ({"xml": "<domain/>"}, 400, "no field xml"),
                ({"dry_run": 1}, 400, "true or false"),
                ('{"dry_run":true,"dry_run":true}', 400, "no JSON")):
            with self.subTest(body=body):
                got, problem = self.ask("/vherd/v1/vms/vm2/start", body)
                self.assertEqual(got, status)
                self.assertIn(words, problem["detail"])
        self.assertEqual(self.ask("/vherd/v1/vms/vm2/start", "a=b", "text/plain")[0], 415)
        self.assertEqual(self.ask("/vherd/v1/vms/no-such/start", {})[0], 404)

    def test_dry_run_does_nothing(self):
        before = self.ask("/vherd/v1/tasks")[1]["tasks"]
        status, plan = self.ask("/vherd/v1/vms/vm2/destroy", {"dry_run": True})
        self.assertEqual(status, 200)
        self.assertEqual(plan["would"], ["switch off, without asking the guest, vm2"])
        self.assertEqual(self.ask("/vherd/v1/tasks")[1]["tasks"], before)

    def test_a_uuid_means_its_own_vm(self):
        uuid, poser = (self.ask(f"/vherd/v1/vms/{vm}")[1]["uuid"] for vm in ("vm3", "vm4"))
        self.assertEqual(self.deed("vm4/destroy")["state"], "done")
        self.assertEqual(self.deed("vm4/rename", {"name": uuid})["state"], "done")
        plan = self.ask(f"/vherd/v1/vms/{uuid}/destroy", {"dry_run": True})[1]
        self.assertEqual(self.deed(f"{poser}/rename", {"name": "vm4"})["state"], "done")
        self.assertEqual(self.deed("vm4/start")["state"], "done")
        self.assertEqual(plan["would"], ["switch off, without asking the guest, vm3"])

    def test_the_same_key_is_the_same_task(self):
        first = self.ask("/vherd/v1/vms/vm3/reset", {"key": "k1"})
        again = self.ask("/vherd/v1/vms/vm3/reset", {"key": "k1"})
        self.assertEqual((first[0], again[0]), (202, 200))
        self.assertEqual(first[1]["id"], again[1]["id"])
        by_uuid = self.ask(f"/vherd/v1/vms/{first[1]['uuid']}/reset", {"key": "k1"})
        self.assertEqual((by_uuid[0], by_uuid[1]["id"]), (200, first[1]["id"]))
        # A key that was used for something else must not say that this was done.
        for path in ("vm4/reset", "vm3/destroy"):
            status, problem = self.ask(f"/vherd/v1/vms/{path}", {"key": "k1"})
            self.assertEqual(status, 409, problem)
            self.assertIn("this key was used", problem["detail"])
        self.assertEqual(self.ask("/vherd/v1/vms/vm3/definition")[1]["state"], "running")

    def test_a_flag_can_be_taken_back(self):
        for words, wanted in (("--autostart", True), ("--autostart=no", False),
                              ("--autostart=yes", True), ("--autostart=no", False)):
            self.assertEqual(self.run_vherd("vm", "set", "vm5", words, "--wait")[0], 0)
            self.assertEqual(self.ask("/vherd/v1/vms/vm5/definition")[1]["autostart"], wanted)
        self.assertIn("--autostart[=no] ", self.run_vherd("vm", "set", "--help")[1])
        self.assertEqual(self.run_vherd("vm", "set", "vm5", "--autostart=maybe")[0], 2)
        self.assertEqual(self.run_vherd("vm", "set", "vm5", "--wait=no")[0], 2)

    def test_one_after_the_other_and_cancelled(self):
        body = {"name": "made", "memory": "64M", "disks": [{"pool": "default", "size": "1G"}]}
        first = self.ask("/vherd/v1/vms", body)[1]["id"]
        self.assertEqual(self.ended(first)["state"], "done")
        started = self.ask("/vherd/v1/vms/made/start", {"after": first})[1]["id"]
        self.assertEqual(self.ended(started)["state"], "done")
        status, problem = self.ask("/vherd/v1/vms/made/start", {"after": 99999})
        self.assertEqual(status, 404, problem)
        self.assertEqual(self.ask("/vherd/v1/tasks/99999/cancel", {})[0], 404)
        self.assertEqual(self.deed("made/destroy")["state"], "done")
        self.assertEqual(self.deed("made/delete", {"disks": "delete"})["state"], "done")
        self.assertEqual(self.ask("/vherd/v1/vms/made/definition")[0], 404)

    def test_many_at_once(self):
        status, text = self.run_vherd("vm", "reset", "--match", "vm[456]", "--wait", "--json")
        self.assertEqual(status, 0, text)
        tasks = json.loads(text)
        self.assertEqual([t["state"] for t in tasks], ["done"] * 3)
        self.assertEqual(len({t["batch"] for t in tasks}), 1)

    def test_apply(self):
        path = os.path.join(self.daemon.directory, "wanted.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("vms:\n  - name: wanted\n    memory: 64M\n    vcpus: 2\n"
                       "    disks: [{pool: default, size: 1G}]\n    labels: {role: db}\n")
        status, text = self.run_vherd("apply", path, "--diff")
        self.assertEqual((status, text), (0, "+ wanted\n"))
        self.assertEqual(json.loads(self.run_vherd("apply", path, "--json")[1])["changes"], 1)
        before = len(self.ask("/vherd/v1/tasks")[1]["tasks"])
        self.assertEqual(self.run_vherd("apply", path), (0, "everything is as wanted\n"))
        self.assertEqual(len(self.ask("/vherd/v1/tasks")[1]["tasks"]), before)
        with open(path, "w", encoding="utf-8") as file:
            file.write("vms:\n  - {name: wanted, memory: 64M, vcpus: 3, vcpu: 1}\n")
        status, text = self.run_vherd("apply", path)
        self.assertEqual(status, 2)
        self.assertIn("vms[0]: there is no field vcpu; did you mean vcpus?", text)

    def test_apply_names_only_what_it_wants(self):
        path = os.path.join(self.daemon.directory, "few.yaml")

        def apply(text, *words):
            with open(path, "w", encoding="utf-8") as file:
                file.write("vms:\n" + text)
            return self.run_vherd("apply", path, *words)
        self.assertEqual(apply("  - {name: vm4, state: off}\n")[0], 0)
        wait_for("it is off", 30, lambda: self.ask(
            "/vherd/v1/vms/vm4/definition")[1]["state"] != "running")
        self.assertEqual(apply("  - {name: vm4, state: off}\n"), (0, "everything is as wanted\n"))
        self.assertEqual(apply("  - {name: vm4, vcpus: 1}\n", "--diff")[0], 0)
        for words in ((), ("--diff",)):
            status, text = apply("  - {name: vm-new, vcpus: 1}\n", *words)
            self.assertEqual(status, 1, text)
            self.assertIn("vm-new: memory is missing, and there is no such VM yet", text)
        self.assertEqual(apply("  - {name: vm-new, template: small}\n", "--diff"),
                         (0, "+ vm-new\n"))
        self.assertEqual(self.run_vherd("vm", "start", "vm4", "--wait")[0], 0)

    def test_apply_as_documented(self):
        with open(os.path.join(vherd.ROOT, "docs", "managing.md"), encoding="utf-8") as file:
            example = re.search(r"^    vms:\n(?:    .*\n)+", file.read(), re.MULTILINE).group(0)
        path = os.path.join(self.daemon.directory, "documented.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(example)
        self.assertEqual(self.run_vherd("apply", path, "--diff")[0], 0)
        self.assertEqual(self.run_vherd("apply", path)[0], 0)
        self.assertEqual(self.ask("/vherd/v1/vms/web/definition")[1]["state"], "running")
        self.assertEqual(self.run_vherd("apply", path), (0, "everything is as wanted\n"))

    def token(self, name, role, scope):
        self.assertEqual(self.run_vherd("user", "add", name, "--role", role, "--scope", scope)[0], 0)
        status, text = self.run_vherd("token", "create", "t", "--user", name, "--role", role)
        self.assertEqual(status, 0, text)
        return text.strip()

    def test_a_login_inside_the_sandbox(self):
        """Other tests of sessions run under sanitizers, which do without seccomp."""
        password = os.path.join(self.daemon.directory, "password")
        with open(password, "w", encoding="utf-8") as file:
            file.write("correct-horse\n")
        self.assertEqual(self.run_vherd("user", "add", "browser", "--role", "viewer", "--scope", "all",
                                        "--password-file", password)[0], 0)
        web = self.daemon.process_named("web")
        for word, status in (("wrong-horse", 401), ("correct-horse", 200)):
            self.assertEqual(self.ask("/vherd/v1/login", {"user": "browser", "password": word})[0],
                             status)
        self.assertEqual(self.daemon.process_named("web"), web)

    def test_the_audit_log_says_from_where(self):
        token = self.token("from-where", "viewer", "name:vm1")
        self.assertEqual(self.deed("vm6/pause")["state"], "done")
        self.assertEqual(self.deed("vm6/resume")["state"], "done")

        def addresses(kind, who, vm):
            return {r["address"] for r in self.ask("/vherd/v1/audit?verb=vm.pause")[1]["records"]
                    if (r["kind"], r["principal"], r["object"]) == (kind, who, vm)}

        def refused(vm, status):
            # Of a flood of refusals, such as other tests make, only the number is written.
            self.assertEqual(self.ask(f"/vherd/v1/vms/{vm}/pause", {}, token=token)[0], status)
            return addresses("event", "token:from-where/t", vm)
        self.assertEqual(addresses("intent", f"unix:{os.geteuid()}", "vm6"), {"unix"})
        for vm, status in (("vm1", 403), ("vm6", 404)):
            self.assertEqual(wait_for("a record", 60, lambda v=vm, s=status: refused(v, s), 0.5),
                             {"unix"})

    def test_role_deed_and_scope(self):
        """Every deed, for every role, inside and outside of the scope."""
        tokens = {(role, scope == "all"): self.token(f"{role}-{i}", role, scope)
                  for role in everydeed.RANK for i, scope in enumerate(("all", "name:vm1*"))}
        cells, wrong = everydeed.matrix(self.daemon, "vm1", "vm2", tokens)
        self.assertEqual(wrong, [])
        self.assertEqual(cells, len(everydeed.table()) * 3 * 2 * 2)
        self.assertGreater(len(everydeed.table()), 25)

    def test_nobody_puts_a_vm_out_of_their_scope(self):
        token = self.token("border", "admin", "name:vm1*,owner:border")
        for deed, body, status in (
                ("clone", {"name": "vm1-copy"}, None), ("clone", {"name": "other"}, 403),
                ("rename", {"name": "vm1-new"}, None), ("rename", {"name": "vm2x"}, 403),
                ("set", {"owner": "somebody"}, None)):  # its name is still covered
            with self.subTest(deed=deed, body=body):
                got, answer = self.ask(f"/vherd/v1/vms/vm1/{deed}", {**body, "dry_run": True},
                                       token=token)
                if status:
                    self.assertEqual(got, status, answer)
                else:
                    self.assertNotIn(got, (401, 403, 404), answer)
        labelled = self.token("labelled", "admin", "label:team=a")
        self.make("own", labels={"team": "a"})
        for labels, status in (({"team": "a", "x": "y"}, 200), ({"team": "b"}, 403), ({}, 403)):
            got, answer = self.ask("/vherd/v1/vms/own/set", {"labels": labels, "dry_run": True},
                                   token=labelled)
            self.assertEqual(got, status, answer)
        record = json.loads(self.run_vherd("audit-log", "--object", "own", "--result", "refused",
                                           "--json")[1])
        self.assertEqual({r["verb"] for r in record["records"]}, {"vm.set"})

    def make(self, name, **fields):
        status, task = self.ask("/vherd/v1/vms", {"name": name, "memory": "64M", **fields})
        self.assertEqual(status, 202, task)
        self.assertEqual(self.ended(task["id"])["state"], "done")

    def test_chosen_by_label(self):
        self.make("lab-a", labels={"backup": "yes", "tier": "web1"})
        self.make("lab-b", labels={"backup": "no"})
        self.make("lab-c", labels={"backup": "yes", "tier": "db"})
        status, text = self.run_vherd("vm", "start", "--label", "backup=yes", "--wait", "--json")
        self.assertEqual(status, 0, text)
        self.assertEqual({t["vm"] for t in json.loads(text)}, {"lab-a", "lab-c"})
        status, text = self.run_vherd("vm", "destroy", "--label", "backup", "--label", "tier=web*",
                                      "--match", "lab-*", "--wait")
        self.assertEqual((status, text.split(": ")[-1]), (0, "done\n"), text)
        self.assertIn("lab-a", text)
        # set has labels of its own: there --select chooses.
        status, text = self.run_vherd("vm", "set", "--label", "backup=no", "--select", "tier=db",
                                      "--wait")
        self.assertEqual(status, 0, text)
        self.assertEqual(self.ask("/vherd/v1/vms/lab-c/definition")[1]["labels"], {"backup": "no"})
        self.assertEqual(self.run_vherd("vm", "reset", "--label", "none=such")[0], 1)
        scoped = self.token("chooser", "viewer", "name:lab-b")
        answer = self.ask("/vherd/v1/select?label=backup=no", token=scoped)
        self.assertEqual([vm["name"] for vm in answer[1]["vms"]], ["lab-b"])
        self.assertEqual(self.ask("/vherd/v1/select")[0], 400)

    def test_accounts_and_tokens_have_dry_runs(self):
        for words in (("user", "add", "dry"), ("user", "set", "real", "--role", "admin"),
                      ("user", "remove", "real"), ("token", "create", "t", "--user", "real"),
                      ("token", "revoke", "real:kept")):
            if words[:2] == ("user", "set"):
                self.assertEqual(self.run_vherd("user", "add", "real")[0], 0)
            if words[:2] == ("token", "revoke"):
                self.assertEqual(self.run_vherd("token", "create", "kept", "--user", "real")[0], 0)
            before = [self.ask(p)[1] for p in ("/vherd/v1/users", "/vherd/v1/tokens",
                                               "/vherd/v1/audit?verb=" + " ".join(words[:2]).replace(" ", "%20"))]
            status, text = self.run_vherd(*words, "--dry-run")
            self.assertEqual(status, 0, text)
            self.assertTrue(text.startswith("would "), text)
            self.assertNotIn("vherd_", text)
            after = [self.ask(p)[1] for p in ("/vherd/v1/users", "/vherd/v1/tokens",
                                              "/vherd/v1/audit?verb=" + " ".join(words[:2]).replace(" ", "%20"))]
            self.assertEqual(before, after, words)
        status, answer = self.ask("/vherd/v1/users", {"name": "body", "dry_run": True})
        self.assertEqual((status, answer["dry_run"]), (200, True))
        self.assertEqual(self.ask("/vherd/v1/users", {"name": "body", "dry_run": "yes"})[0], 400)
        self.assertNotIn("body", [u["name"] for u in self.ask("/vherd/v1/users")[1]["users"]])
        # What would be refused is refused.
        self.assertEqual(self.run_vherd("user", "remove", "nobody", "--dry-run")[0], 1)

    def test_help_names_the_choices(self):
        text = self.run_vherd("vm", "delete", "--help")[1]
        self.assertIn("--disks keep|delete", text)
        self.assertIn("--mode strict|preferred|interleave|restrictive",
                      self.run_vherd("vm", "set-numa", "--help")[1])

    def test_tenants_see_their_own_tasks(self):
        ann = self.token("ann", "operator", "name:vm1")
        bob = self.token("bob", "operator", "name:vm1,name:vm5")
        status, task = self.ask("/vherd/v1/vms/vm1/reset", {}, token=ann)
        self.assertEqual(status, 202, task)
        path = f"/vherd/v1/tasks/{task['id']}"
        self.assertEqual(self.ended(task["id"])["state"], "done")
        self.assertEqual(self.ask(path, token=ann)[0], 200)
        self.assertEqual([t["id"] for t in self.ask("/vherd/v1/tasks", token=ann)[1]["tasks"]],
                         [task["id"]])
        self.assertEqual(self.ask("/vherd/v1/tasks", token=bob)[1]["tasks"], [])
        for where, body in ((path, None), (path + "/cancel", {}),
                            ("/vherd/v1/vms/vm5/reset", {"after": task["id"]})):
            self.assertEqual(self.ask(where, body, token=bob)[0], 404, where)
        self.assertEqual(self.ask("/vherd/v1/openapi.json", token=bob)[0], 200)

    def test_who_sees_a_part_names_no_volume(self):
        token = self.token("part", "admin", "name:vm1")
        body = {"pool": "default", "volume": "x", "dry_run": True}
        self.assertEqual(self.ask("/vherd/v1/vms/vm1/attach-disk", body, token=token)[0], 403)
        self.assertEqual(self.ask("/vherd/v1/vms/vm1/attach-disk", body)[0], 404)

    def test_openapi(self):
        status, document = self.ask("/vherd/v1/openapi.json")
        self.assertEqual((status, document["openapi"]), (200, "3.1.0"))
        create = document["paths"]["/vherd/v1/vms"]["post"]["requestBody"]
        schema = create["content"]["application/json"]["schema"]
        self.assertEqual(schema["required"], ["name", "memory"])
        self.assertFalse(schema["additionalProperties"])

    def test_inventory(self):
        inventory = json.loads(self.run_vherd("inventory", "--list")[1])
        self.assertIn("vm1", inventory["_meta"]["hostvars"])
        self.assertIn("vm2", inventory["state_running"]["hosts"])
        host = json.loads(self.run_vherd("inventory", "--host", "vm1")[1])
        self.assertEqual(host["vherd_name"], "vm1")

    def test_ansible_reads_the_inventory(self):
        if not shutil.which("ansible-inventory"):
            self.skipTest("ansible-core is not installed")
        with tempfile.TemporaryDirectory() as directory:
            script = os.path.join(directory, "herd")
            with open(script, "w", encoding="utf-8") as file:
                words = " ".join(self.daemon.command("inventory"))
                file.write(f'#!/bin/sh\nexec {words} "$@"\n')
            os.chmod(script, 0o755)
            done = subprocess.run(["ansible-inventory", "-i", script, "--list"], check=True,
                                  stdout=subprocess.PIPE, text=True, timeout=60,
                                  env=dict(os.environ, HOME=directory))
        seen = json.loads(done.stdout)
        self.assertIn("vm1", seen["_meta"]["hostvars"])
        self.assertIn("vm2", seen["state_running"]["hosts"])

    def test_ansible_runs_a_playbook(self):
        """What a module would do: wanted state as JSON, and whether something changed."""
        if not shutil.which("ansible-playbook"):
            self.skipTest("ansible-core is not installed")
        with tempfile.TemporaryDirectory() as directory:
            vherd_words = json.dumps(self.daemon.command())
            with open(os.path.join(directory, "wanted.yaml"), "w", encoding="utf-8") as file:
                file.write("vms:\n  - {name: playbook, memory: 64M, state: running}\n")
            with open(os.path.join(directory, "herd"), "w", encoding="utf-8") as file:
                words = " ".join(self.daemon.command("inventory"))
                file.write(f'#!/bin/sh\nexec {words} "$@"\n')
            os.chmod(os.path.join(directory, "herd"), 0o755)
            play = os.path.join(directory, "play.yaml")
            with open(play, "w", encoding="utf-8") as file:
                file.write(PLAYBOOK)
            for changed in (1, 0):
                done = subprocess.run(
                    ["ansible-playbook", "-i", os.path.join(directory, "herd"), play, "-e",
                     json.dumps({"vherd": json.loads(vherd_words), "folder": directory})],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                    env=dict(os.environ, HOME=directory, ANSIBLE_NOCOLOR="1"))
                self.assertEqual(done.returncode, 0, done.stdout)
                recap = done.stdout.split("PLAY RECAP")[1]
                self.assertIn(f"changed={changed} ", recap, done.stdout)
                self.assertIn("failed=0", recap)


PLAYBOOK = """
- hosts: vm1
  connection: local
  gather_facts: false
  tasks:
    - name: the state of the host is known from the inventory
      ansible.builtin.assert:
        that: vherd_state == "running" and vherd_name == inventory_hostname
    - name: wanted state
      ansible.builtin.command:
        argv: "{{ vherd + ['apply', folder + '/wanted.yaml', '--json'] }}"
      register: applied
      changed_when: (applied.stdout | from_json).changes > 0
    - name: read it back
      ansible.builtin.command:
        argv: "{{ vherd + ['vm', 'definition', 'playbook', '--json'] }}"
      register: definition
      changed_when: false
    - name: as wanted
      ansible.builtin.assert:
        that: (definition.stdout | from_json).memory == 67108864
    - name: a dry run of a deed changes nothing
      ansible.builtin.command:
        argv: "{{ vherd + ['vm', 'destroy', inventory_hostname, '--dry-run', '--json'] }}"
      register: plan
      changed_when: not (plan.stdout | from_json).dry_run
"""


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Deeds over the API and the command line, on the in-memory hypervisor."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import vherd
from vherd import wait_for


def least(schema):
    """The smallest value that a schema of ours allows."""
    schema = schema.get("anyOf", [schema])[0]
    if "enum" in schema:
        return schema["enum"][0]
    return schema["minimum"] if schema["type"] == "integer" else "x"


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

    def test_the_same_key_is_the_same_task(self):
        first = self.ask("/vherd/v1/vms/vm3/reset", {"key": "k1"})
        again = self.ask("/vherd/v1/vms/vm3/reset", {"key": "k1"})
        self.assertEqual((first[0], again[0]), (202, 200))
        self.assertEqual(first[1]["id"], again[1]["id"])

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

    def token(self, name, role, scope):
        self.assertEqual(self.run_vherd("user", "add", name, "--role", role, "--scope", scope)[0], 0)
        status, text = self.run_vherd("token", "create", "t", "--user", name, "--role", role)
        self.assertEqual(status, 0, text)
        return text.strip()

    def test_role_deed_and_scope(self):
        """Every deed, for every role, inside and outside of the scope."""
        rank = ["viewer", "operator", "admin"]
        tokens = {(role, scope): self.token(f"{role}-{i}", role, scope)
                  for role in rank for i, scope in enumerate(("all", "name:vm1"))}
        paths = self.ask("/vherd/v1/openapi.json")[1]["paths"]
        roles = {}
        with open(os.path.join(vherd.ROOT, "docs", "deeds.md"), encoding="utf-8") as file:
            for line in file:
                cells = [cell.strip(" `") for cell in line.split("|")]
                if len(cells) > 4 and cells[3] in rank:
                    roles[cells[2]] = cells[3]
        self.assertGreater(len(roles), 20)
        for path, needed in roles.items():
            schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
            body = {"dry_run": True}
            for field in schema.get("required", []):
                body[field] = least(schema["properties"][field])
            for (role, scope), token in tokens.items():
                for vm in ("vm1", "vm2"):
                    with self.subTest(path=path, role=role, scope=scope, vm=vm):
                        status, answer = self.ask(path.replace("{vm}", vm), body, token=token)
                        may = rank.index(role) >= rank.index(needed)
                        if "{vm}" not in path:
                            may = may and scope == "all"
                        elif scope != "all" and vm == "vm2":
                            self.assertEqual((status, answer["detail"]),
                                             (404, 'no VM is called "vm2"'))
                            continue
                        if may:
                            self.assertNotIn(status, (401, 403), answer)
                        else:
                            self.assertEqual(status, 403, answer)

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


if __name__ == "__main__":
    unittest.main()

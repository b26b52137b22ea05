# SPDX-License-Identifier: GPL-3.0-or-later
"""The serial line through the API and the terminal, on guests that echo."""

import base64
import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
import unittest

import memorydaemon
import vherd
from vherd import wait_for


class Terminal:
    """`vherd console` on a terminal of its own."""

    def __init__(self, words, environment):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True)
        self.seen = b""

    def expect(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.seen:
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} not in {self.seen!r}")
            if select.select([self.master], [], [], 0.2)[0]:
                self.seen += os.read(self.master, 4096)

    def send(self, data):
        os.write(self.master, data)

    def ended(self):
        """Its exit status; the terminal must be as it was."""
        status = self.process.wait(30)
        after = termios.tcgetattr(self.slave)
        os.close(self.slave)
        os.close(self.master)
        if after != self.before:
            raise AssertionError("the terminal was left in another mode")
        return status


class Console(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = memorydaemon.MemoryDaemon(vms=6)
        cls.daemon.start()
        wait_for("act's connection", 60, lambda: cls.daemon.cli(
            "vm", "reset", "vm1", "--dry-run", check=False).returncode == 0)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def terminal(self, *words):
        return Terminal(self.daemon.command("console", *words), self.daemon.environment)

    def ask(self, method, path, body=None, token=None):
        connection = vherd.UnixConnection(self.daemon.socket, 40)
        self.addCleanup(connection.close)
        head = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            head["Content-Type"] = "application/json"
        connection.request(method, path, headers=head,
                           body=None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}")

    def records(self, vm):
        text = self.daemon.cli("audit-log", "--verb", "vm.console", "--object", vm, "--json").stdout
        return [(r["kind"], r.get("result", ""), r.get("detail", ""))
                for r in reversed(json.loads(text)["records"])]

    def token(self, name, role, scope):
        self.daemon.cli("user", "add", name, "--role", role, "--scope", scope)
        return self.daemon.cli("token", "create", "t", "--user", name, "--role",
                               role).stdout.strip()

    def test_on_a_terminal(self):
        t = self.terminal("vm1")
        t.expect(b"vm1 login: ")
        t.send(b"ls\x03\r")
        t.expect(b"ls\x03\r")  # Ctrl-C is the guest's
        t.send(b"tail\x1d")
        self.assertEqual(t.ended(), 0)
        kinds = self.records("vm1")
        self.assertEqual([k[:2] for k in kinds], [("intent", ""), ("outcome", "done")])
        self.assertIn("detached; 8 bytes typed", kinds[1][2])

    def test_terminal_is_put_back_after_a_signal(self):
        t = self.terminal("vm2")
        t.expect(b"vm2 login: ")
        t.process.send_signal(signal.SIGTERM)
        self.assertEqual(t.ended(), 0)
        self.assertEqual(len(self.records("vm2")), 2)

    def test_one_writer(self):
        first = self.terminal("vm3")
        first.expect(b"vm3 login: ")
        second = self.daemon.cli("console", "vm3", check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("force puts them off", second.stderr)
        third = self.terminal("vm3", "--force")
        third.expect(b"vm3 login: ")
        first.expect(b"took the console over")
        self.assertEqual(first.ended(), 1)
        third.send(b"\x1d")
        self.assertEqual(third.ended(), 0)
        self.assertEqual([k[0] for k in self.records("vm3")], ["intent", "outcome"] * 2)

    def test_through_a_pipe(self):
        done = subprocess.run(self.daemon.command("console", "vm4"), input=b"\x00\xff\x1dend\n",
                              stdout=subprocess.PIPE, timeout=60, env=self.daemon.environment)
        self.assertEqual((done.returncode, done.stdout), (0, b"vm4 login: \x00\xff\x1dend\n"))

    def test_rights(self):
        viewer = self.token("v", "viewer", "all")
        part = self.token("p", "operator", "name:vm5")
        other = self.token("o", "operator", "all")
        path = "/vherd/v1/vms/vm5/console"
        self.assertEqual(self.ask("POST", path, {}, viewer)[0], 403)
        self.assertEqual(self.ask("POST", "/vherd/v1/vms/vm1/console", {}, part)[0], 404)
        self.assertEqual(self.records("vm1")[-1][:2], ("event", "refused"))
        status, answer = self.ask("POST", path, {}, part)
        self.assertEqual(status, 200, answer)
        own = "/vherd/v1/consoles/" + answer["console"]
        for method, body in (("GET", None), ("POST", {"input": "eA=="}), ("DELETE", None)):
            self.assertEqual(self.ask(method, own, body, other)[0], 404)
        self.assertEqual(self.ask("GET", own, None, viewer)[0], 403)
        status, said = self.ask("GET", own, None, part)
        self.assertEqual((status, base64.b64decode(said["output"])), (200, b"vm5 login: "))
        for wrong in ("x", "eA=", "eB==", "****"):
            self.assertEqual(self.ask("POST", own, {"input": wrong}, part)[0], 400)
        # A right that is taken away ends it.
        self.daemon.cli("user", "set", "p", "--scope", "name:vm6")
        self.assertEqual(self.ask("GET", own, None, part)[0], 404)

    def test_not_running(self):
        self.daemon.cli("vm", "destroy", "vm6", "--wait")
        done = self.daemon.cli("console", "vm6", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not running", done.stderr)
        self.assertEqual([k[:2] for k in self.records("vm6")], [("intent", ""), ("outcome", "failed")])
        self.daemon.cli("vm", "start", "vm6", "--wait")

    def test_record_is_closed_after_a_kill(self):
        self.assertEqual(self.ask("POST", "/vherd/v1/vms/vm6/console", {})[0], 200)
        before = len(self.records("vm6"))
        pid = self.daemon.process_named("act")
        os.kill(pid, signal.SIGKILL)

        def closed():
            try:
                return len(self.records("vm6")) > before and self.records("vm6")
            except AssertionError:
                return None
        records = wait_for("the record's end", 60, closed, pause=0.3)
        self.assertEqual(records[-1][:2], ("outcome", "unknown"))
        self.daemon.cli("audit-log", "--verify")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""`vherd daemon` around a fake core: starting, failing, restarting, reloading, ending."""

import json
import os
import pty
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

import fakedaemon
import procfs
import vherd


def all_gone(pids):
    return not any(procfs.alive(pid) for pid in pids)


class Starting(unittest.TestCase):
    def test_it_says_where_it_is(self):
        with fakedaemon.FakeDaemon() as daemon:
            vherd.wait_for("the line", 5, lambda: "ready at" in daemon.log())
            self.assertIn(f"vherd: ready at http://127.0.0.1:{daemon.port} and "
                          f"unix:{daemon.socket}\n", daemon.log())
            self.assertEqual(stat.S_IMODE(os.stat(daemon.socket).st_mode), 0o600)
            everybody = {"supervisor", "core", "act", "web", "send"}
            vherd.wait_for("core to hear of all", 5,
                           lambda: set(daemon.fake_processes()) == everybody)
            processes = daemon.fake_processes()
            for name in ("core", "act", "web", "send"):
                self.assertEqual(processes[name]["pid"], daemon.process_named(name))

    def test_systemd_is_told(self):
        with tempfile.TemporaryDirectory() as directory, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(os.path.join(directory, "notify"))
            manager.settimeout(10)
            environment = {"NOTIFY_SOCKET": os.path.join(directory, "notify")}
            with fakedaemon.FakeDaemon(environment=environment) as daemon:
                self.assertEqual(manager.recv(100), b"READY=1")
                daemon.stop()
                self.assertEqual(manager.recv(100), b"STOPPING=1")

    def test_the_processes_get_a_clean_environment(self):
        with fakedaemon.FakeDaemon(environment={"LD_SECRET": "1", "VHERD_X": "2"}) as daemon:
            environment = procfs.read(f"/proc/{daemon.process_named('core')}/environ")
            names = {entry.split("=")[0] for entry in environment.split("\0") if entry}
            self.assertIn("VHERD_X", names)
            self.assertNotIn("LD_SECRET", names)
            descriptors = os.listdir(f"/proc/{daemon.process_named('act')}/fd")
            # The fake closes the socket to core, which it does not use, and keeps the one to web.
            self.assertEqual(sorted(descriptors), ["0", "1", "2", "3", "4"])

    def test_the_configuration_reaches_the_processes(self):
        with fakedaemon.FakeDaemon({"libvirt": {"interval": "7s"}}) as daemon:
            self.assertIn("interval: 7s", daemon.get("/config")[2])

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
    def test_it_runs_as_an_ordinary_user(self):
        prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        with tempfile.TemporaryDirectory() as directory:
            os.chown(directory, 65534, 65534)
            os.chmod(directory, 0o755)
            path = os.path.join(directory, "run", "vherd.sock")
            daemon = fakedaemon.FakeDaemon({"web": {"socket": path}}, prefix=prefix)
            daemon.socket = path
            if subprocess.run([*prefix, "test", "-x", daemon.program], check=False).returncode:
                daemon.close()
                self.skipTest("the build is not readable for others")
            with daemon:
                self.assertEqual(daemon.get("/x")[0], 200)
                self.assertIn("uid 65534", daemon.fake_processes()["web"]["sandbox"])
            self.assertEqual(os.listdir(directory), [])


class Failing(unittest.TestCase):
    def failed_start(self, daemon):
        """Start it, expect it to end with status 1 within a few seconds; the log's error line."""
        try:
            daemon.start(wait=False)
            self.assertEqual(daemon.process.wait(15), 1, daemon.log())
            daemon.process = None
            errors = [line for line in daemon.log().splitlines() if ": error: " in line]
            self.assertEqual(len(errors), 1, daemon.log())
            return errors[0]
        finally:
            daemon.close()

    def test_port_in_use(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            line = self.failed_start(fakedaemon.FakeDaemon(
                {"web": {"listen": [f"127.0.0.1:{port}"]}}))
            self.assertIn(f"127.0.0.1:{port}", line)
            self.assertIn("in use", line)
            self.assertIn("web.listen", line)

    def test_another_vherd(self):
        with fakedaemon.FakeDaemon() as first:
            line = self.failed_start(fakedaemon.FakeDaemon({"web": {"socket": first.socket}}))
            self.assertIn(f"another vherd answers on {first.socket}", line)
            self.assertEqual(first.get("/x")[0], 200)

    def test_unknown_user_and_group(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        line = self.failed_start(fakedaemon.FakeDaemon({"web": {"user": "nosuchuser"}}))
        self.assertIn("nosuchuser", line)
        line = self.failed_start(fakedaemon.FakeDaemon({"web": {"socket_group": "nosuchgroup"}}))
        self.assertIn("nosuchgroup", line)

    def test_a_process_that_cannot_start(self):
        line = self.failed_start(fakedaemon.FakeDaemon(environment={"VHERD_FAKE_FATAL": "core"}))
        self.assertIn("told to fail", line)
        daemon = fakedaemon.FakeDaemon()
        os.unlink(os.path.join(daemon.libexec, "vherd-send"))
        self.assertIn("vherd-send", self.failed_start(daemon))

    def test_nothing_is_left_of_a_failed_start(self):
        daemon = fakedaemon.FakeDaemon(environment={"VHERD_FAKE_FATAL": "act"})
        daemon.config["web"]["socket"] = os.path.join(daemon.directory, "run", "vherd.sock")
        daemon.write_config()
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(15), 1)
        daemon.process = None
        self.assertEqual(sorted(os.listdir(daemon.directory)), ["log", "vherd.yaml"])
        daemon.close()


class Restarting(unittest.TestCase):
    def test_each_process_comes_back(self):
        with fakedaemon.FakeDaemon() as daemon:
            for name in ("web", "core", "act", "send"):
                before = daemon.process_named(name)
                os.kill(before, signal.SIGKILL)

                def is_back():
                    try:
                        row = daemon.fake_processes()[name]
                        return row["pid"] != before and row["sandbox"] and row
                    except (OSError, KeyError, AssertionError):
                        return False

                row = vherd.wait_for(f"{name} back", 10, is_back)
                self.assertEqual(row["restarts"], 1)
                self.assertEqual(daemon.tcp("/x")[0], 200)
            self.assertIn("signal 9", daemon.log())
            # core has heard of the new act, web and send.
            self.assertEqual(json.loads(daemon.get("/counts")[2])["peers"], 5)

    def test_pauses_grow(self):
        with fakedaemon.FakeDaemon() as daemon:
            for restart in range(3):
                pid = vherd.wait_for("act", 10, lambda: self.ready_pid(daemon, "act", restart))
                os.kill(pid, signal.SIGKILL)
            vherd.wait_for("three restarts", 10, lambda: self.ready_pid(daemon, "act", 3))
            pauses = [line.rsplit(" in ", 1)[1] for line in daemon.log().splitlines()
                      if "starting act again" in line]
            self.assertEqual(pauses, ["0.1 s", "0.2 s", "0.4 s"])

    @staticmethod
    def ready_pid(daemon, name, restarts):
        row = daemon.fake_processes().get(name)
        return row["pid"] if row and row["sandbox"] and row["restarts"] == restarts else 0


class Reloading(unittest.TestCase):
    def reload(self, daemon, expected):
        lines = daemon.log().count(expected)
        daemon.process.send_signal(signal.SIGHUP)
        vherd.wait_for(f"“{expected}” in the log", 10,
                       lambda: daemon.log().count(expected) > lines)

    def test_a_new_configuration_reaches_all(self):
        with fakedaemon.FakeDaemon() as daemon:
            core = daemon.process_named("core")
            web = daemon.process_named("web")
            daemon.config["libvirt"] = {"interval": "9s"}
            daemon.config["web"]["max_connections"] = 300
            daemon.write_config()
            self.reload(daemon, "configuration read again")
            vherd.wait_for("core to hear", 5, lambda: "interval: 9s" in daemon.get("/config")[2])
            self.assertEqual(daemon.process_named("core"), core)
            self.assertEqual(daemon.process_named("web"), web)

    def test_a_bad_one_changes_nothing(self):
        with fakedaemon.FakeDaemon() as daemon:
            daemon.write_config("libvirt:\n  intervall: 3s\n")
            self.reload(daemon, "stays as it was")
            self.assertIn("vherd.yaml:2:3", daemon.log())
            self.assertEqual(daemon.tcp("/x")[0], 200)

    def test_listening_addresses_change_without_touching_core(self):
        with fakedaemon.FakeDaemon() as daemon:
            core = daemon.process_named("core")
            kept, added = daemon.port, fakedaemon.free_port()
            daemon.config["web"]["listen"] = [f"127.0.0.1:{kept}", f"127.0.0.1:{added}"]
            daemon.write_config()
            self.reload(daemon, "configuration read again")
            self.assertEqual(vherd.http_get("/x", tcp=("127.0.0.1", added))[0], 200)
            self.assertEqual(daemon.tcp("/x")[0], 200)
            daemon.config["web"]["listen"] = [f"127.0.0.1:{added}"]
            daemon.write_config()
            self.reload(daemon, "configuration read again")
            vherd.wait_for("the old port to close", 10, lambda: not self.answers(kept))
            self.assertEqual(vherd.http_get("/x", tcp=("127.0.0.1", added))[0], 200)
            self.assertEqual(daemon.process_named("core"), core)
            self.assertEqual(daemon.fake_processes()["web"]["restarts"], 0)

    @staticmethod
    def answers(port):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except ConnectionRefusedError:
            return False

    def test_a_port_that_is_taken_changes_nothing(self):
        with fakedaemon.FakeDaemon() as daemon, socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            daemon.config["web"]["listen"] = [f"127.0.0.1:{holder.getsockname()[1]}"]
            daemon.write_config()
            self.reload(daemon, "stays as it was")
            self.assertEqual(daemon.tcp("/x")[0], 200)

    def test_the_socket_moves(self):
        with fakedaemon.FakeDaemon() as daemon:
            before = daemon.socket
            moved = os.path.join(daemon.directory, "moved", "vherd.sock")
            daemon.config["web"]["socket"] = moved
            daemon.write_config()
            self.reload(daemon, "configuration read again")
            self.assertEqual(vherd.http_get("/x", unix=moved)[0], 200)
            self.assertFalse(os.path.exists(before))
            self.assertFalse(os.path.exists(before + ".lock"))
            daemon.socket = moved


class Ending(unittest.TestCase):
    def test_nothing_is_left(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = fakedaemon.FakeDaemon()
            daemon.config["web"]["socket"] = os.path.join(daemon.directory, "run", "vherd.sock")
            daemon.socket = daemon.config["web"]["socket"]
            daemon.write_config()
            try:
                daemon.start()
                pids = daemon.processes()
                self.assertEqual(len(pids), 5)
                daemon.process.send_signal(number)
                self.assertEqual(daemon.process.wait(10), 0, daemon.log())
                daemon.process = None
                self.assertTrue(all_gone(pids))
                self.assertEqual(sorted(os.listdir(daemon.directory)), ["log", "vherd.yaml"])
            finally:
                daemon.close()

    def test_a_terminal_that_closes(self):
        daemon = fakedaemon.FakeDaemon()
        try:
            pid, terminal = pty.fork()
            if pid == 0:
                os.execve(daemon.program, daemon.command("daemon"), daemon.environment)
            vherd.wait_for("the socket", 10, lambda: self.answers(daemon))
            pids = procfs.descendants(pid)
            self.assertEqual(len(pids), 5)
            os.close(terminal)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            self.assertTrue(all_gone(pids))
            self.assertFalse(os.path.exists(daemon.socket))
        finally:
            daemon.close()

    @staticmethod
    def answers(daemon):
        try:
            return daemon.get("/x")[0] == 200 and len(daemon.fake_processes()) == 5
        except (OSError, AssertionError):
            return False

    def test_requests_in_flight_are_answered(self):
        with fakedaemon.FakeDaemon() as daemon:
            with socket.create_connection(("127.0.0.1", daemon.port), timeout=20) as peer:
                peer.sendall(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")
                time.sleep(0.3)
                self.assertEqual(daemon.stop(), 0)
                self.assertIn(b"HTTP/1.1 503", fakedaemon.read_all(peer))

    def test_a_stubborn_process_is_killed(self):
        with fakedaemon.FakeDaemon(environment={"VHERD_FAKE_STUBBORN": "act"}) as daemon:
            pids = daemon.processes()
            started = time.monotonic()
            self.assertEqual(daemon.stop(20), 0)
            self.assertTrue(all_gone(pids))
            self.assertGreater(time.monotonic() - started, 4)
            self.assertIn("act does not end; sending SIGKILL", daemon.log())

    def test_a_stopped_process_does_not_hold_the_others(self):
        with fakedaemon.FakeDaemon() as daemon:
            pids = daemon.processes()
            os.kill(daemon.process_named("act"), signal.SIGSTOP)
            self.assertEqual(daemon.stop(20), 0)
            self.assertTrue(all_gone(pids))

    def test_kill_of_the_supervisor_leaves_no_process(self):
        daemon = fakedaemon.FakeDaemon()
        try:
            daemon.start()
            pids = daemon.processes()
            daemon.process.kill()
            daemon.process.wait()
            vherd.wait_for("all processes to end", 2, lambda: all_gone(pids))
            # The next one finds a stale socket and takes its place.
            self.assertTrue(os.path.exists(daemon.socket))
            daemon.start()
            self.assertEqual(daemon.get("/x")[0], 200)
        finally:
            daemon.close()


if __name__ == "__main__":
    unittest.main()

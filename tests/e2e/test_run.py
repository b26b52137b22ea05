# SPDX-License-Identifier: GPL-3.0-or-later
"""`./run` on the demonstration: shows it, stops cleanly, leaves nothing behind."""

import hashlib
import os
import pty
import select
import signal
import socket
import subprocess
import time
import unittest

import fakedaemon
import procfs
import vherd

RUN = os.path.join(vherd.ROOT, "run")
GUESTS = ("cpu-load", "disk-writer", "idle", "memory-grower")


LAB = "runtest"
MARK = f"{LAB}-demo"


def in_lab(pid):
    """Whether a process sees the lab's mark, wherever it came from."""
    try:
        return procfs.read(f"/proc/{pid}/root/run/vherd-lab").split()[0] == MARK
    except (OSError, IndexError):
        return False


def installed_state():
    """What an installed vherd keeps, which the demonstration must not touch."""
    return sorted((folder, name, os.stat(os.path.join(folder, name)).st_mtime_ns)
                  for folder, _, names in os.walk("/var/lib/vherd") for name in names)


def leftovers():
    """What is there of this lab and of ./run; other labs may come and go meanwhile."""
    bridge = "vherdbr" + hashlib.sha256(MARK.encode()).hexdigest()[:8]
    found = [f"mount {line}" for line in procfs.read("/proc/self/mountinfo").splitlines()
             if MARK in line]
    found += [f"process {pid}" for pid in procfs.pids() if in_lab(pid)]
    for folder in ("/run", "/tmp", "/sys/class/net", os.path.join(vherd.ROOT, "build", "lab")):
        if os.path.isdir(folder):
            found += [f"{folder}/{name}" for name in os.listdir(folder)
                      if MARK in name or name == bridge]
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found += [f"{folder}/{name}" for name in names if MARK in name]
    if os.path.exists(os.path.join(vherd.ROOT, "build", "run")):
        found.append("build/run")
    return found


@unittest.skipIf(os.geteuid() != 0, "the demonstration needs root")
class Run(unittest.TestCase):
    def setUp(self):
        self.port = fakedaemon.free_port()
        self.environment = dict(os.environ, VHERD_RUN_LISTEN=f"127.0.0.1:{self.port}",
                                VHERD_LAB_ID=LAB, TERM="xterm-256color")
        self.assertEqual(leftovers(), [])
        self.installed = installed_state()

    def assert_nothing_left(self):
        self.assertEqual(leftovers(), [])
        self.assertEqual(installed_state(), self.installed)

    def names_served(self):
        try:
            _, _, text = vherd.http_get("/metrics", tcp=("127.0.0.1", self.port))
        except OSError:
            return None
        return all(f'domain="{name}"' in text for name in GUESTS)

    def start(self):
        process = subprocess.Popen([RUN, "--demo"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment)
        self.addCleanup(process.kill)
        vherd.wait_for("the demonstration is served", 240,
                       lambda: process.poll() is not None or self.names_served(), pause=0.5)
        if process.poll() is not None:
            self.fail(process.communicate()[1])
        return process

    def test_a_taken_port_is_told_at_once(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", self.port))
            holder.listen()
            done = subprocess.run([RUN, "--demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env=self.environment,
                                  timeout=600)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"127.0.0.1:{self.port} is in use", done.stderr)
        self.assertNotIn("starting the demonstration lab", done.stderr)
        self.assert_nothing_left()

    def test_without_a_terminal(self):
        process = self.start()
        command = os.path.join(vherd.ROOT, "build", "run", "vherd")
        vherd.wait_for("the command shows the guests", 30, lambda: set(GUESTS) <= set(
            subprocess.run([command, "list", "--names"], stdout=subprocess.PIPE, text=True,
                           timeout=30).stdout.split()), pause=0.5)
        time.sleep(6)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)
        self.assertIn(f"http://127.0.0.1:{self.port}/", err)
        self.assertIn("build/run/vherd", err)
        for name in GUESTS:
            self.assertIn(name, out)
        self.assert_nothing_left()

    def read(self, terminal):
        try:
            return os.read(terminal, 65536)
        except OSError:
            time.sleep(0.5)
            return b""

    def test_on_a_terminal_until_control_c(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(RUN, [RUN, "--demo"], self.environment)
        screen = b""
        try:
            end = time.monotonic() + 240
            while time.monotonic() < end and not all(name.encode() in screen for name in GUESTS):
                if select.select([terminal], [], [], 1)[0]:
                    screen += self.read(terminal)
            for name in GUESTS:
                self.assertIn(name.encode(), screen, screen[-2000:])
            os.write(terminal, b"\x03")
            end = time.monotonic() + 60
            while time.monotonic() < end:
                if select.select([terminal], [], [], 0.5)[0] and not self.read(terminal):
                    break
        finally:
            os.close(terminal)
            vherd.wait_for("./run ends", 60, lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)
        self.assert_nothing_left()

    def test_next_run_clears_what_a_killed_one_left(self):
        process = self.start()
        process.kill()
        process.wait()
        vherd.wait_for("the daemon follows its starter", 20, lambda: self.names_served() is None)
        second = self.start()
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=60)
        self.assertEqual(second.returncode, 130)
        self.assert_nothing_left()

    def test_help_and_wrong_usage(self):
        done = subprocess.run([RUN, "--help"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertIn("--demo", done.stdout)
        self.assertIn("build/run/vherd", done.stdout)
        done = subprocess.run([RUN, "--bogus"], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage", done.stderr)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""`vherd top` in a real terminal (tmux) in front of a made-up daemon."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import fakeapi
from vherd import wait_for


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class Top(unittest.TestCase):
    def setUp(self):
        self.api = fakeapi.FakeApi("--hostile", "--flag", "vm02=stopped")
        self.api.start()
        self.directory = tempfile.mkdtemp(prefix="vherd-test-")
        self.tmux_socket = os.path.join(self.directory, "tmux")

    def tearDown(self):
        self.tmux("kill-server", check=False)
        self.api.__exit__()
        shutil.rmtree(self.directory)

    def tmux(self, *arguments, check=True):
        # Without the settings and the environment of whoever runs the tests.
        environment = {"PATH": os.environ["PATH"], "HOME": self.directory, "LC_ALL": "C.UTF-8",
                       "TERM": "xterm", "TZ": "UTC"}
        return subprocess.run(["tmux", "-S", self.tmux_socket, "-f", "/dev/null", *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment, check=check,
                              timeout=20).stdout.decode()

    def start(self, columns=80, rows=24, environment="", options=""):
        program = f"{fakeapi.PROGRAM} --socket {self.api.socket} {options} top"
        # The shell outlives a Ctrl-C, which reaches all of the terminal's programs.
        command = (f"trap : INT; stty > {self.directory}/before; echo the shell; {environment} {program}; "
                   f"status=$?; stty > {self.directory}/after; echo status $status; exec sleep 1000")
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "sh", "-c", command)

    def screen(self):
        return self.tmux("capture-pane", "-p").rstrip("\n").split("\n")

    def colored(self):
        return self.tmux("capture-pane", "-p", "-e")

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def until(self, text, seconds=10):
        """The screen's lines once one of them matches."""
        def seen():
            lines = self.screen()
            return lines if any(re.search(text, line) for line in lines) else None
        try:
            return wait_for(text, seconds, seen)
        except AssertionError:
            raise AssertionError(text + " not in\n" + "\n".join(self.screen())) from None

    def names(self):
        lines = self.screen()
        title = next(i for i, line in enumerate(lines) if " NAME " in line)
        rows = [re.match(r"[ !](.*?) +(running|crashed)", line) for line in lines[title + 1:-1]]
        return [row[1] for row in rows if row]

    def wait_names(self, *wanted):
        """Until the first rows' names begin so."""
        def seen():
            names = self.names()
            return len(names) >= len(wanted) and all(map(str.startswith, names, wanted))
        wait_for(f"first {wanted}", 10, seen)

    def wait_end(self):
        lines = self.until(r"^status \d+$")
        # The alternate screen is gone, the terminal set as before.
        self.assertEqual(lines[0], "the shell")
        with open(os.path.join(self.directory, "before"), encoding="ascii") as before:
            with open(os.path.join(self.directory, "after"), encoding="ascii") as after:
                self.assertEqual(after.read(), before.read())
        return [line for line in lines if line.startswith("status")][0]

    def pid(self):
        pane = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        children = subprocess.run(["pgrep", "-P", pane], stdout=subprocess.PIPE, check=True)
        return int(children.stdout)

    def test_80x24(self):
        self.start()
        lines = self.until("vm05 ")
        self.assertEqual(len(lines), 24)
        self.assertIn("vherd fake.example", lines[0])
        self.assertIn("libvirt connected", lines[0])
        self.assertIn("37.0% steal 2.0%", lines[1])
        self.assertIn("VMs 14, 13 running, 1 flagged", lines[2])
        for title in ("NAME", "STATE", "CPU%", "WAIT%", "MEM", "READ", "WRITE", "LAT", "RX", "TX"):
            self.assertIn(title, lines[3])
        flagged = next(line for line in lines if "vm02" in line)
        self.assertTrue(flagged.startswith("!vm02"))
        self.assertIn("–", flagged)
        self.assertTrue(any("\\x1b[31mred" in line for line in lines))
        self.assertTrue(any("日本語の仮想" in line for line in lines))
        self.assertIn("? help", lines[23])

    def test_sort_and_reverse(self):
        self.start()
        self.until("vm05 ")
        self.wait_names("日本語の", "vm02")
        self.keys("N")
        self.wait_names("\\x1b[31m", "%s%n", "--option", "..")
        self.keys("r")
        self.wait_names("日本語の")
        self.keys("R", ">")
        self.until("WRITE▼")
        self.keys("<", "<")
        self.until("USED%▼")

    def test_filter(self):
        self.start()
        self.until("vm05 ")
        self.keys("/", "v", "m", "0")
        self.until("^/vm0_")
        wait_for("four names", 10, lambda: len(self.names()) == 5)
        self.keys("4", "Enter")
        self.wait_names("vm04")
        self.keys("Escape")
        wait_for("all names", 10, lambda: len(self.names()) == 14)
        self.keys("/", "日", "Enter")
        self.wait_names("日本語の")

    def test_detail(self):
        self.start()
        self.until("vm05 ")
        self.keys("/", "vm05", "Enter", "Enter")
        lines = self.until("Last 300 seconds")
        self.assertTrue(any(line.startswith("vm05  ") for line in lines))
        self.assertTrue(any("█" in line for line in lines))
        self.keys("End")
        self.until("kvm_stats")
        self.keys("Escape")
        self.until(" NAME ")

    def test_keys_of_another_terminal(self):
        self.start(environment="TERM=xterm")
        self.until("vm05 ")
        self.keys("/", "vm05", "Enter", "Enter")
        self.until("Last 300 seconds")
        for end, home in (("\033[4~", "\033[1~"), ("\033[8~", "\033[7~"), ("\033[F", "\033[H")):
            self.keys("-l", end)
            self.until("kvm_stats")
            self.keys("-l", home)
            self.until("^vm05 .*-")

    def test_help(self):
        self.start()
        self.until("vm05 ")
        self.keys("?")
        self.until("^Keys$")
        self.keys("PageDown")
        self.until("stands for a value that is absent")
        self.keys("q")
        self.until(" NAME ")

    def test_quit_restores_the_terminal(self):
        self.start()
        self.until("vm05 ")
        self.keys("q")
        self.assertEqual(self.wait_end(), "status 0")

    def test_signals_restore_the_terminal(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.start()
            self.until("vm05 ")
            os.kill(self.pid(), number)
            self.wait_end()
            self.tmux("kill-server")
            wait_for("tmux to end", 10, lambda: not os.path.exists(self.tmux_socket) or
                     "no server" in self.tmux("list-sessions", check=False))

    def test_control_c_quits(self):
        self.start()
        self.until("vm05 ")
        self.keys("C-c")
        self.wait_end()

    def test_resize(self):
        self.start(120, 30)
        lines = self.until("vm05 ")
        self.assertIn("FLAG", "".join(lines))
        for columns, rows in ((40, 10), (20, 5), (2, 2), (1, 1), (200, 50), (80, 24)):
            self.tmux("resize-window", "-x", str(columns), "-y", str(rows))
            os.kill(self.pid(), 0)

        def whole():
            lines = self.screen()
            return len(lines) == 24 and "vherd fake" in lines[0] and "? help" in lines[23]
        wait_for("the whole screen again", 10, whole)

    def test_daemon_goes_and_comes_back(self):
        self.start()
        self.until("vm05 ")
        self.api.stop()
        self.until("daemon not reachable, retrying")
        self.keys("?")
        self.until("^Keys$")
        self.keys("q")
        # Old numbers are not shown as if they were of now.
        self.until(r"vm05 +– ", 15)
        self.api.start()
        self.until(r"vm05 +running +22.0%")
        self.assertNotIn("retrying", "\n".join(self.screen()))

    def test_vm_goes_while_it_is_looked_into(self):
        self.start()
        self.until("vm05 ")
        self.keys("/", "vm05", "Enter", "Enter")
        self.until("Last 300 seconds")
        self.api.stop()
        self.api.options += ("--vms", "4")
        self.api.start()
        self.until("^This VM is gone; Esc goes back")
        self.keys("Escape")
        self.until("No VM matches the filter")

    def test_slow_daemon_leaves_keys_quick(self):
        self.start()
        self.until("vm05 ")
        self.api.process.send_signal(signal.SIGUSR1)
        self.until("retrying")
        self.keys("N")
        self.until("NAME▲|retrying")
        self.keys("q")
        self.assertEqual(self.wait_end(), "status 0")

    def test_not_running_at_all(self):
        self.api.stop()
        self.start()
        self.until("daemon not reachable, retrying: vherd is not running")
        self.api.start()
        self.until("vm05 ")

    def test_without_colors(self):
        self.start(environment="NO_COLOR=1")
        self.until("vm05 ")
        self.assertIsNone(re.search(r"\x1b\[[0-9;]*3[0-7]m", self.colored()))
        self.assertIn("\x1b[7m", self.colored())

    def test_basic_colors_only(self):
        self.start()
        self.until("vm05 ")
        screen = self.colored()
        self.assertIn("\x1b[32m", screen)
        self.assertNotIn("38;5", screen)
        self.assertNotIn("38;2", screen)

    def test_monochrome_terminal(self):
        self.start(environment="TERM=vt100")
        self.until("vm05 ")

    def test_ascii_where_the_locale_is_not_utf8(self):
        self.start(environment="LC_ALL=C")
        lines = self.until("vm05 ")
        self.assertTrue("\n".join(lines).isascii())

    def test_no_terminal(self):
        status, output, errors = self.api.run("top")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("top needs a terminal", errors)

    def test_unknown_terminal(self):
        self.start(environment="TERM=nothing-like-it")
        self.until('cannot draw on a terminal of type "nothing-like-it" .*TERM=x')
        self.until("status 1")


if __name__ == "__main__":
    unittest.main()

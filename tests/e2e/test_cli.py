# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `vherd` in front of a made-up daemon: output, errors, exit statuses."""

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import tempfile
import termios
import unicodedata
import unittest

import fakeapi

HOSTILE = "\x1b[31mred\x1b[0m"


def on_terminal(columns, *arguments, environment=None):
    """(exit status, output) of the program on a terminal of that width."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        base = {"TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent",
                "PATH": os.environ["PATH"]}
        try:
            os.execve(fakeapi.PROGRAM, [fakeapi.PROGRAM, *arguments],
                      dict(base, **(environment or {})))
        finally:
            os._exit(127)
    output = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output.decode()


def columns_of(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF"
               else 1 for c in text)


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = fakeapi.FakeApi("--hostile", "--flag", "vm02=stopped")
        cls.api.start()

    @classmethod
    def tearDownClass(cls):
        cls.api.__exit__()

    def well(self, *arguments, **options):
        status, output, errors = self.api.run(*arguments, **options)
        self.assertEqual((status, errors), (0, ""))
        return output

    def fails(self, status, *arguments):
        got, output, errors = self.api.run(*arguments)
        self.assertEqual((got, output), (status, ""), errors)
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertTrue(errors.startswith("vherd: "), errors)
        return errors

    def row(self, name):
        lines = [line for line in self.well("list").splitlines() if line.startswith(name + " ")]
        self.assertEqual(len(lines), 1)
        return lines[0]

    def test_list(self):
        lines = self.well("list").splitlines()
        self.assertEqual(len(lines), 1 + 14)
        for title in ("NAME", "STATE", "FLAG", "CPU", "WAIT", "MEMORY", "LATENCY", "RX/s"):
            self.assertIn(title, lines[0])
        self.assertRegex(self.row("vm05"), r"running +22\.0% +1\.0% +2 +2\.75 GiB +55\.0% ")

    def test_absent_is_a_dash_never_zero(self):
        row = self.row("vm04")
        self.assertIn("crashed (panicked)", row)
        self.assertEqual(row.split()[-1], "–")
        self.assertNotIn(" 0", row)

    def test_flag(self):
        self.assertRegex(self.row("vm02"), " stopped +1m 15s ")
        self.assertNotIn("–", self.row("vm05"))

    def test_list_state(self):
        for word in ("crashed", "Crashed"):
            lines = self.well("list", "--state", word).splitlines()
            self.assertEqual([line.split()[0] for line in lines], ["NAME", "vm04"])
        vms = json.loads(self.well("list", "--state=crashed", "--json"))["vms"]
        self.assertEqual([vm["name"] for vm in vms], ["vm04"])
        self.assertIn("No VM is in that state.", self.well("list", "--state", "shut-off"))

    def test_list_names(self):
        self.assertIn("--option\n", self.well("list", "--names"))

    def test_json_is_the_daemons(self):
        for command in (("list",), ("show", "vm02"), ("host",), ("status",)):
            text = self.well(*command, "--json")
            self.assertEqual(text.count("\n"), 1)
            self.assertIsInstance(json.loads(text), dict)
        self.assertEqual(json.loads(self.well("show", "vm02", "--json"))["name"], "vm02")

    def test_show(self):
        text = self.well("show", "vm02")
        for part in ("running (booted)", "stopped: its process is stopped", "vCPUs", "Disks",
                     "a.qcow2", "NICs", "52:54:00:12:34:56", "File systems", "ext4",
                     "kvm_stats", "1m 15s old", "Debian GNU/Linux 12"):
            self.assertIn(part, text)
        self.assertIn("panicked", self.well("show", "vm04"))

    def test_show_by_uuid_and_odd_names(self):
        uuid = json.loads(self.well("show", "vm02", "--json"))["uuid"]
        self.assertIn("vm02\n", self.well("show", uuid))
        for name in ("--option", "%s%n", "..", "<script>alert(1)</script>", 'quote"and\nnewline', HOSTILE,
                     "日本語の仮想マシン", "é" * 127):
            self.assertEqual(json.loads(self.well("show", "--json", "--", name))["name"], name)

    def test_no_such_vm(self):
        self.assertIn('no VM is called "wm02"; did you mean "vm02"?',
                      self.fails(1, "show", "wm02"))
        self.assertIn("`vherd list` shows all", self.fails(1, "show", "nothing like it"))
        self.assertIn("\\x1b", self.fails(1, "show", "\x1b[2J"))
        self.fails(1, "dirty-rate", "wm02")

    def test_host(self):
        text = self.well("host")
        for part in ("fake.example", "37.0% busy", "2.0% stolen", "16.0 GiB", "NUMA nodes",
                     "2.00 MiB", "Storage pools", "running", "virbr0", "psi"):
            self.assertIn(part, text)

    def test_status(self):
        text = self.well("status")
        for part in ("vherd 0.1.0, up 1h 2m", "qemu:///system: connected", "14 known, 13 running",
                     "3725 taken, 0 missed", "Flagged VMs", "Lanes", "Processes"):
            self.assertIn(part, text)

    def test_metrics(self):
        text = self.well("metrics")
        self.assertIn('vherd_vm_cpu_seconds_total{domain="a\\"b\\\\c\\nd",uuid="u"} 12.5\n', text)
        text = self.well("metrics", "--set", "vherd", "--set=tinkoff")
        self.assertTrue(text.endswith("# set vherd\n# set tinkoff\n"))
        samples = json.loads(self.well("metrics", "--json"))
        self.assertIn({"name": "vherd_vm_cpu_seconds_total",
                       "labels": {"domain": 'a"b\\c\nd', "uuid": "u"}, "value": 12.5}, samples)

    def test_dirty_rate(self):
        self.assertEqual(self.well("dirty-rate", "vm02", "--seconds", "3"), "vm02: 3.00 MiB/s\n")
        self.assertEqual(self.well("dirty-rate", "vm02"), "vm02: 1.00 MiB/s\n")
        for wrong in ("0", "61", "x", "-1", "1.5", ""):
            self.assertIn("1 to 60", self.fails(2, "dirty-rate", "vm02", "--seconds", wrong))

    def test_usage_errors(self):
        for arguments, part in (
                ((), "which command?"), (("lits",), 'did you mean "list"?'),
                (("list", "--jsn"), "did you mean --json?"), (("show",), "needs an operand: VM"),
                (("show", ""), "an operand of show is empty"),
                (("show", "a", "b"), 'takes no operand "b"'), (("show", "-x"), "put -- before it"),
                (("list", "--json=1"), "takes no value"), (("list", "--state"), "needs a value"),
                (("list", "--color", "blue"), "auto, always or never"),
                (("metrics", "--set", "nova"), "vherd, tinkoff, inovex"),
                (("completion", "csh"), "bash, zsh or fish"),
                (("config", "chekc"), "check or show"), (("help", "nothing"), "no command"),
                (("help", "lits"), 'did you mean "list"?'),
                (("top", "--count", "3"), "--json"),
                (("top", "--json", "--count", "none"), "from 1 on")):
            self.assertIn(part, self.fails(2, *arguments), arguments)

    def test_top_as_json(self):
        lines = [json.loads(line) for line in
                 self.well("top", "--json", "--count", "2").splitlines()]
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertEqual(set(line), {"vms", "host"})
            self.assertEqual([vm["name"] for vm in line["vms"]["vms"]], [
                vm["name"] for vm in json.loads(self.well("list", "--json"))["vms"]])
            self.assertIn("load1", line["host"])

    def test_help(self):
        whole = self.well("help")
        self.assertEqual(whole, self.well("--help"))
        for command in ("list", "show", "top", "daemon", "config"):
            self.assertIn(f"  {command} ", whole)
            self.assertIn(f"Usage: vherd {command}", self.well("help", command))
            self.assertEqual(self.well("help", command), self.well(command, "--help"))

    def test_version(self):
        self.assertEqual(self.well("--version"), self.well("version"))
        self.assertRegex(self.well("version"), r"\Avherd \d+\.\d+\.\d+\n\Z")

    def test_states(self):
        self.assertEqual(self.well("list", "--state", "pmsuspended"), "No VM is in that state.\n")
        self.assertIn("states are running, idle", self.well("list", "--state", "runing"))

    def test_options_stand_anywhere(self):
        wanted = self.well("list", "--names")
        self.assertEqual(self.well("--color", "never", "list", "--names"), wanted)
        self.assertEqual(self.well("--color=never", "--", "list") != "", True)

    def test_terminal_lines_fit(self):
        for columns in (40, 60, 80, 120):
            for command in (("list",), ("show", "vm02"), ("host",), ("status",)):
                status, text = on_terminal(columns, "--socket", self.api.socket, *command,
                                           environment={"NO_COLOR": "1"})
                self.assertEqual(status, 0)
                for line in text.split("\r\n"):
                    self.assertLessEqual(columns_of(line), columns, line)

    def test_a_task_that_is_waited_for_is_drawn(self):
        with fakeapi.FakeApi() as api:
            status, text = on_terminal(80, "--socket", api.socket, "task", "wait", "7")
        self.assertEqual(status, 0)
        drawn = text.split("\r\033[K")
        for i in range(1, 4):
            self.assertEqual(drawn[i], "#" * 5 * i + "." * (20 - 5 * i) +
                             " task 7 merging images, about 1m 30s")
        self.assertIn("task 7: snapshot.delete vm02: done", drawn[-1])
        with fakeapi.FakeApi() as api:  # not on a terminal
            self.assertNotIn("#", "".join(map(str, api.run("task", "wait", "7"))))

    def test_80_columns_show_what_matters(self):
        _, text = on_terminal(80, "--socket", self.api.socket, "list",
                              environment={"NO_COLOR": "1"})
        for title in ("NAME", "STATE", "FLAG", "CPU", "MEMORY", "READ/s", "WRITE/s"):
            self.assertIn(title, text.split("\r\n")[0])

    def test_color(self):
        _, text = on_terminal(80, "--socket", self.api.socket, "list")
        self.assertIn("\x1b[32mrunning", text)
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            _, text = on_terminal(80, "--socket", self.api.socket, "list",
                                  environment=environment)
            self.assertNotIn("\x1b", text)
        self.assertIn("\x1b[", self.well("list", "--color", "always"))
        self.assertNotIn("\x1b", self.well("list"))

    def test_terminal_never_sees_control_characters(self):
        for command in (("list",), ("list", "--json"), ("list", "--names"), ("metrics",),
                        ("metrics", "--json"), ("show", "--", HOSTILE),
                        ("show", "--json", "--", HOSTILE)):
            _, text = on_terminal(200, "--socket", self.api.socket, *command,
                                  environment={"NO_COLOR": "1"})
            bad = [c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c not in "\r\n"]
            self.assertEqual(bad, [], command)

    def test_json_on_a_terminal_is_indented_and_the_same(self):
        status, text = on_terminal(80, "--socket", self.api.socket, "list", "--json")
        self.assertEqual(status, 0)
        self.assertIn('\r\n  "vms": [\r\n', text)
        names = [vm["name"] for vm in json.loads(text)["vms"]]
        self.assertEqual(names,
                         [vm["name"] for vm in json.loads(self.well("list", "--json"))["vms"]])

    def test_ascii_where_the_locale_is_not_utf8(self):
        self.assertRegex(self.well("list", environment={"LC_ALL": "C"}), r"vm04 .* -\n")

    def complete(self, *words):
        """What bash offers for the last word."""
        script = os.path.join(fakeapi.ROOT, "packaging", "completion", "vherd.bash")
        code = ('source "$1"; vherd() { "$PROGRAM" --socket "$SOCKET" "$@"; }; shift\n'
                'COMP_WORDS=(vherd "$@"); COMP_CWORD=$#; _vherd; printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", code, "bash", script, *words], check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              env={"PATH": os.environ["PATH"], "PROGRAM": fakeapi.PROGRAM,
                                   "SOCKET": self.api.socket, "LC_ALL": "C.UTF-8"})
        return done.stdout.decode().rstrip("\n").split("\n")

    def test_bash_completion(self):
        self.assertEqual(self.complete("s"), ["snapshot", "schedule", "show", "status", "stats",
                                              "store", "silence", "sim"])
        self.assertEqual(self.complete("show", "vm0"), ["vm01", "vm02", "vm03", "vm04", "vm05"])
        self.assertEqual(self.complete("show", "<"), ["\\<script\\>alert\\(1\\)\\</script\\>"])
        self.assertEqual(self.complete("list", "--st"), ["--state"])
        self.assertEqual(self.complete("list", "--state", "sh"), ["shut\\ off"])
        self.assertEqual(self.complete("metrics", "--set", "t"), ["tinkoff"])
        self.assertEqual(self.complete("config", "c"), ["check"])
        self.assertEqual(self.complete("help", "dae"), ["daemon"])
        self.assertEqual(self.complete("list", "--color", "a"), ["auto", "always"])
        # Options of a deed, and of all; values of one.
        self.assertEqual(self.complete("vm", "shutdown", "--fall"), ["--fallback"])
        self.assertEqual(self.complete("vm", "shutdown", "vm01", "--fallback", "d"), ["destroy"])
        self.assertEqual(self.complete("vm", "pause", "--fall"), [""])
        self.assertEqual(self.complete("vm", "pause", "--dry"), ["--dry-run"])
        self.assertEqual(self.complete("vm", "shutdown", "vm0"),
                         ["vm01", "vm02", "vm03", "vm04", "vm05"])

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([fakeapi.PROGRAM, "--socket", self.api.socket, "list"],
                                  stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot write the output: No space left on device", done.stderr)


class Trouble(unittest.TestCase):
    def test_libvirt_away(self):
        with fakeapi.FakeApi("--libvirt-down") as api:
            for command in (("list",), ("show", "vm01"), ("host",)):
                status, output, _ = api.run(*command)
                self.assertEqual(status, 0)
                self.assertIn("libvirt: not running since ", output)
                self.assertIn(" – kernel data only", output)
            self.assertIn("qemu:///system: not running", api.run("status")[1])

    def test_no_vms(self):
        with fakeapi.FakeApi("--vms", "0") as api:
            self.assertEqual(api.run("list")[:2], (0, "There are no VMs on this host.\n"))

    def test_without_libvirt_nobody_says_that_there_are_none(self):
        with fakeapi.FakeApi("--vms", "0", "--libvirt-down") as api:
            status, output, _ = api.run("list")
        self.assertEqual(status, 0)
        self.assertIn("No VM is known: libvirt is away.\n", output)
        self.assertNotIn("no VMs", output)

    def test_no_daemon(self):
        status, output, errors = fakeapi.vherd("--socket", "/nonexistent/x.sock", "list")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("vherd is not running", errors)
        self.assertIn("vherd daemon", errors)
        self.assertEqual(errors.count("\n"), 1)
        status, _, errors = fakeapi.vherd("--url", "http://127.0.0.1:1", "host")
        self.assertEqual(status, 1)
        self.assertIn("vherd is not running", errors)


class Config(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="vherd-test-")
        self.path = os.path.join(self.directory, "vherd.yaml")

    def tearDown(self):
        shutil.rmtree(self.directory)

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def test_check(self):
        self.write("log:\n  level: debug\n")
        self.assertEqual(fakeapi.vherd("config", "check", self.path), (0, self.path + ": well\n", ""))
        self.assertEqual(fakeapi.vherd("config", "check", "--config", self.path)[0], 0)
        self.assertEqual(fakeapi.vherd("config", "check", environment={"VHERD_CONFIG": self.path}),
                         (0, self.path + ": well\n", ""))

    def test_wrong_is_one_error_with_line_and_column(self):
        self.write("log:\n  levle: debug\n")
        wanted = (2, "", f'vherd: {self.path}:2:3: unknown key "levle" under log; '
                         'did you mean "level"?\n')
        self.assertEqual(fakeapi.vherd("config", "check", self.path), wanted)
        for command in ("list", "daemon", "top"):
            self.assertEqual(fakeapi.vherd(command, "--config", self.path), wanted)

    def test_an_empty_environment_variable_names_no_file(self):
        status, _, errors = fakeapi.vherd("version", environment={"VHERD_CONFIG": ""})
        self.assertEqual((status, errors), (0, ""))
        _, _, errors = fakeapi.vherd("list", "--url", "http://127.0.0.1:1",
                                     environment={"VHERD_CONFIG": ""})
        self.assertIn("nobody answers", errors)

    def test_missing_file(self):
        for arguments in (("config", "check", self.path), ("--config", self.path, "list"),
                          ("daemon", "--config", self.path)):
            status, output, errors = fakeapi.vherd(*arguments)
            self.assertEqual((status, output), (2, ""))
            self.assertIn("No such file", errors)

    def test_show(self):
        self.write("libvirt: {interval: 90s}\nweb: {listen: []}\n")
        status, output, _ = fakeapi.vherd("config", "show", self.path)
        self.assertEqual(status, 0)
        self.assertIn("\n  interval: 90s\n", output)
        self.write(output)
        self.assertEqual(fakeapi.vherd("config", "show", self.path)[1], output)
        shown = json.loads(fakeapi.vherd("config", "show", "--json", self.path)[1])
        self.assertEqual(shown["libvirt"]["interval"], "90s")
        self.assertEqual(shown["web"]["listen"], [])
        self.assertIs(shown["agent"]["enabled"], True)

    def test_socket_comes_from_the_configuration(self):
        with fakeapi.FakeApi() as api:
            self.write(f"web:\n  socket: {api.socket}\n")
            status, output, errors = fakeapi.vherd("--config", self.path, "list", "--names")
            self.assertEqual((status, errors), (0, ""))
            self.assertEqual(output.split(), ["vm01", "vm02", "vm03", "vm04", "vm05"])


if __name__ == "__main__":
    unittest.main()

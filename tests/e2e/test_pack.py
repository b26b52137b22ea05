# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that come with vherd: each has cases, a runbook, and something to say; quiet VMs raise none."""

import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import building
import memorydaemon
import promqlpeer
import vherd

PROGRAM = os.path.join(building.ROOT, "build-asan", "src", "main", "vherd")
PACK = os.path.join(building.ROOT, "rules")
SEVERITIES = ("critical", "warning", "info")
SCOPES = ("vm", "storage", "network", "host", "libvirt", "vherd")


def run(*words):
    return subprocess.run([PROGRAM, "rules", *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)


def rule_files():
    return sorted(glob.glob(os.path.join(PACK, "*.yml")))


def test_files():
    return sorted(glob.glob(os.path.join(PACK, "tests", "*.yml")))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def alerts():
    """Of the pack: name -> the text of its rule."""
    found = {}
    for path in rule_files():
        parts = re.split(r"^ +- alert: (\w+)\n", read(path), flags=re.M)
        for name, text in zip(parts[1::2], parts[2::2]):
            if name in found:
                raise AssertionError(f"{name} is there twice")
            found[name] = text
    return found


# What stands for something in a command that a text tells to type.
PLACES = (("{{ $labels.domain }}", "vm1"), ("{{ $labels.receiver }}", "r"), ("VM", "vm1"),
          ("RECEIVER", "r"), ("SIZE", "1G"), ("PERCENT", "50"), ("DISK", "vda"), ("NAME", "x"),
          ("FILE", "/dev/null"), ("N", "0"))


def told_commands():
    """The commands of vherd that rules and runbooks tell to type, each as its words."""
    found = set()
    for path in (*rule_files(), os.path.join(building.ROOT, "docs", "runbooks.md")):
        for command in re.findall("`vherd ([^`]*)`", " ".join(read(path).split())):
            for place, value in PLACES:
                command = re.sub(rf"(?<!\w){re.escape(place)}(?!\w)", value, command)
            found.add(tuple(shlex.split(command)))
    return sorted(found)


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not building.build("build-asan", "asan", ["src/main/vherd"]):
            raise AssertionError("build-asan does not build")

    def test_all_is_installed(self):
        names = set(re.findall(r"'(\w+)'", read(os.path.join(PACK, "meson.build")).split("]")[0]))
        self.assertEqual(names, {os.path.basename(path)[:-4] for path in rule_files()})
        self.assertEqual([os.path.basename(p) for p in rule_files()],
                         [os.path.basename(p) for p in test_files()])

    def test_metrics_are_known(self):
        done = run("check", "--strict", *rule_files())
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout.count("\n"), 1, done.stdout)

    def test_cases_pass(self):
        for path in test_files():
            with self.subTest(path=os.path.basename(path)):
                done = run("test", path)
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_cases_pass_in_prometheus(self):
        try:
            promtool = promqlpeer.program("promtool")
        except promqlpeer.PeerMissing as missing:
            raise unittest.SkipTest(str(missing))
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, "tests"))
            for path in rule_files():
                # Prometheus would show our options among an alert's annotations.
                text = re.sub(r"^ +vherd_\w+: .*\n", "", read(path), flags=re.M)
                with open(os.path.join(directory, os.path.basename(path)), "w") as file:
                    file.write(text)
            for path in test_files():
                copy = shutil.copy(path, os.path.join(directory, "tests"))
                with self.subTest(path=os.path.basename(path)):
                    done = subprocess.run([promtool, "test", "rules", copy], text=True, timeout=300,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                    self.assertEqual(done.returncode, 0, done.stdout)

    def test_each_rule_has_cases_that_fire_and_that_do_not(self):
        fires, stays = set(), set()
        for path in test_files():
            for name, rest in re.findall(r"alertname: (\w+)(.*?)(?=alertname: |\Z)", read(path),
                                         flags=re.S):
                (fires if "exp_labels" in rest else stays).add(name)
        self.assertEqual(fires, set(alerts()))
        self.assertEqual(stays, set(alerts()))

    def test_each_rule_has_a_runbook_and_words(self):
        text = read(os.path.join(building.ROOT, "docs", "runbooks.md"))
        parts = re.split(r"^## (\w+)\n", text, flags=re.M)
        paragraphs = dict(zip(parts[1::2], parts[2::2]))
        self.assertEqual(set(paragraphs), set(alerts()))
        for name, rule in alerts().items():
            with self.subTest(rule=name):
                self.assertIn(f"runbook: docs/runbooks.md#{name.lower()}\n", rule)
                for word in ("**Look**", "**Do**", "**Noise**"):
                    self.assertIn(word, paragraphs[name])
                labels = re.search(r"labels: \{severity: (\w+), scope: (\w+)\}", rule)
                self.assertIn(labels.group(1), SEVERITIES)
                self.assertIn(labels.group(2), SCOPES)
                for word in ("summary: ", "description: "):
                    self.assertIn(word, rule)
                self.assertIn("$labels.instance", rule)
                if labels.group(2) == "vm":
                    self.assertIn("$labels.domain", rule.split("description:")[0])


    def test_commands_that_they_tell_to_type_are_there(self):
        self.assertGreater(len(told_commands()), 25)
        for words in told_commands():
            with self.subTest(command=" ".join(words)):
                done = subprocess.run([PROGRAM, "--socket", "/nonexistent", *words], text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=60)
                self.assertNotEqual(done.returncode, 2, done.stdout)


class InTheDaemon(unittest.TestCase):
    def daemon(self, **config):
        daemon = memorydaemon.MemoryDaemon(vms=4, query=config.pop("query", ""), config=config)
        self.addCleanup(daemon.close)
        daemon.start()
        return daemon

    def rules(self, daemon):
        return {rule["name"]: rule for group in daemon.json("/api/v1/rules")["data"]["groups"]
                for rule in group["rules"]}

    def test_the_pack_is_there_by_default_and_rules_can_be_left_out(self):
        daemon = self.daemon(rules={"pack": True, "disable": ["VmSnapshotOld", "NoSuchRule"]})
        vherd.wait_for("rules", 60, lambda: self.rules(daemon))
        self.assertEqual(set(self.rules(daemon)), set(alerts()) - {"VmSnapshotOld"})
        self.assertIn('no rule is called "NoSuchRule"', daemon.log())
        self.assertTrue(json.loads(daemon.cli("config", "show", "--json").stdout)["rules"]["pack"])
        daemon.config["rules"] = {"pack": False}
        daemon.write_config()
        daemon.process.send_signal(vherd.signal.SIGHUP)
        vherd.wait_for("no rules", 60, lambda: not self.rules(daemon))

    def test_deeds_that_they_tell_to_type_are_whole(self):
        deeds = [words for words in told_commands()
                 if words[0] in ("vm", "snapshot") and words[1] != "list"]
        self.assertGreater(len(deeds), 8)
        daemon = self.daemon()
        vherd.wait_for("act's connection", 60, lambda: daemon.cli(
            "vm", "reset", "vm1", "--dry-run", check=False).returncode == 0)
        for words in deeds:
            with self.subTest(command=" ".join(words)):
                done = daemon.cli(*words, "--dry-run", check=False)
                # It may not fit this VM's state, but nothing is missing.
                self.assertIn(done.returncode, (0, 1), done.stderr)
                self.assertNotRegex(done.stderr, "is missing|no VM is called|nothing to change")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds with Meson and runs what `meson test` knows, counting single test cases."""

import fcntl
import json
import os
import subprocess

import tally

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def configure(directory, sanitizer):
    """`meson setup`, where it has not been done or a meson.build has changed; true on success."""
    path = os.path.join(ROOT, directory)
    if os.path.exists(os.path.join(path, "build.ninja")):
        return run_quietly(["ninja", "-C", path, "build.ninja"])
    command = ["meson", "setup", path]
    if sanitizer:
        command += ["--native-file", f"packaging/native/{sanitizer}.ini"]
    return run_quietly(command)


def build(directory, sanitizer, targets=(), whole=True):
    """Configure where needed and compile; true on success. One builder a directory at a time.
    whole: the programs too, not the targets alone."""
    path = os.path.join(ROOT, directory)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print(f"building {directory}", flush=True)
        return configure(directory, sanitizer) and run_quietly(
            ["ninja", "-C", path, *(["all"] if whole else []), *targets])


def run_quietly(command):
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-60:]), flush=True)
    return done.returncode == 0


def run_meson_tests(directory, results, names, only=()):
    """Each cmocka test case and each file of a fuzz corpus counts as one; only: no other tests."""
    path = os.path.join(ROOT, directory)
    log = os.path.join(path, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    command = ["meson", "test", "-C", path, "--no-rebuild", "--num-processes", "2"]
    chosen = list(chosen_tests(directory, names, only))
    if not chosen:
        return
    print(f"running {len(chosen)} test programs of {directory}", flush=True)
    subprocess.run(command + chosen, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.STDOUT)
    if not os.path.exists(log):
        results.add(directory, "failed", "meson test left no log")
        return
    with open(log) as lines:
        for line in lines:
            test = json.loads(line)
            output = test.get("stdout", "")
            if test["result"] not in ("OK", "SKIP"):
                output += test.get("stderr", "")
            results.took(f"{directory} {test['name']}", test["duration"])
            status = test["returncode"] if test["result"] != "TIMEOUT" else "none: timed out"
            tally.add_tap(results, f"{directory} {test['name']}", output, status)


def chosen_tests(directory, names, only=()):
    """{name: its program, from the build's directory} of what `meson test` knows."""
    path = os.path.join(ROOT, directory)
    done = subprocess.run(["meson", "introspect", "--tests", path], cwd=ROOT, check=True,
                          stdout=subprocess.PIPE)
    return {test["name"]: os.path.relpath(test["cmd"][0], path) for test in json.loads(done.stdout)
            if (not names or any(n in test["name"] for n in names))
            and (not only or test["name"] in only)}

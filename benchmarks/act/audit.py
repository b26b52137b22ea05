# SPDX-License-Identifier: GPL-3.0-or-later
"""Each deed exactly once in the audit log, also across kill -9; a changed byte is found."""

import contextlib
import json
import os
import random
import re
import sqlite3
import tempfile

import vherd


def intents(stage):
    lines = [json.loads(line) for line in stage.vherd("audit-log", "--export").splitlines()]
    asked = [one for one in lines if one["kind"] == "intent" and
             re.match(r"(vm|snapshot)\.", one["verb"])]
    ended = [one["intent"] for one in lines if one["kind"] == "outcome"]
    return asked, ended


def kills(stage, rounds, dice):
    """Deeds with keys, asked again until answered, while act is killed; keys that were answered."""
    answered = []
    for i in range(rounds):
        words = ("vm", "set", stage.prefix + "audit", "--label", f"round={i}", "--key", f"key-{i}")
        if i % 3 == 2:
            stage.kill_act()
        while stage.run(*words, "--wait").returncode:
            vherd.wait_for("act", 30, lambda: stage.run("task", "list").returncode == 0, 0.2)
        answered.append(f"key-{i}")
        if dice.random() < 0.3:
            stage.kill_daemon()
            stage.heal()
            vherd.wait_for("act", 30, lambda: stage.run("task", "list").returncode == 0, 0.2)
    return answered


def changed(whole, at):
    """The database with one byte changed, where that byte belongs to a record of the log."""
    copy = bytearray(whole)
    copy[at + 3] = ord("S")
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        file.write(copy)
        file.flush()
        with contextlib.closing(sqlite3.connect(f"file:{file.name}?immutable=1", uri=True)) as db:
            records = db.execute("SELECT count(*) FROM audit WHERE verb = 'vm.Set'").fetchone()[0]
    return bytes(copy) if records else None


def change_a_byte(stage, dice):
    """A changed copy of the database in the place of the right one: was it found?"""
    daemon = stage.daemon
    path = os.path.join(daemon.directory, "act", "act.db")
    daemon.stop()
    with open(path, "rb") as file:
        whole = file.read()
    # The tasks, beside the log, have such words too.
    places = [m.start() for m in re.finditer(rb"vm\.set", whole)]
    dice.shuffle(places)
    with open(path, "r+b") as file:
        file.write(next(filter(None, (changed(whole, at) for at in places))))
    daemon.start()
    done = stage.run("audit-log", "--verify", "--json")
    daemon.stop()
    with open(path, "r+b") as file:
        file.write(whole)
    daemon.start()
    vherd.wait_for("act", 30, lambda: stage.run("task", "list").returncode == 0, 0.2)
    return done.returncode != 0 or not json.loads(done.stdout)["whole"]


def run(arguments, report, stage):
    rounds = 3 if arguments.quick else 30
    dice = random.Random(1)
    stage.do("vm", "create", stage.prefix + "audit", "--memory", "32M", "--disk",
             "pool=images,size=1M")
    before = len(intents(stage)[0])
    answered = kills(stage, rounds, dice)
    stage.closed()
    asked, ended = intents(stage)
    report.at_most(f"audit: deeds of {len(answered)} not in the log exactly once, with kill -9",
                   abs(len(asked) - before - len(answered)), "deeds", 0)
    wrong = sum(1 for one in asked if ended.count(one["seq"]) != 1)
    report.at_most("audit: intents without exactly one outcome", wrong, "records", 0)
    whole = json.loads(stage.vherd("audit-log", "--verify", "--json"))["whole"]
    report.at_least("audit: the log verifies", int(whole), "", 1)
    tries = 1 if arguments.quick else 5
    found = sum(change_a_byte(stage, dice) for _ in range(tries))
    report.at_least(f"audit: changed bytes found, of {tries}", found, "", tries)
    stage.do("vm", "delete", stage.prefix + "audit", "--disks", "delete")

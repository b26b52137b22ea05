# SPDX-License-Identifier: GPL-3.0-or-later
"""Every deed on a real guest, sequences of snapshots, and ends in the middle."""

import everydeed
import killplay
import snapshotplay


def every_deed(arguments, report, stage):
    table = set(everydeed.table())
    name = stage.prefix + "3"
    everydeed.perform_all(stage, name, not arguments.quick)
    report.at_least("deeds done on a real guest", len(table & everydeed.done(stage)), "deeds",
                    len(table))


def refusals(_arguments, report, stage):
    table = set(everydeed.table())
    name = stage.prefix + "-roles"
    for one in (name, name + "-other"):
        stage.do("vm", "create", one, "--memory", "32M", "--disk", "pool=images,size=1M")
    report.at_least("deeds refused to each role without the right",
                    len(everydeed.refused(stage, name)), "deeds", len(table))
    tokens = {}
    for role in everydeed.RANK:
        for scope in ("all", f"name:{name}"):
            user = f"{role}-{'all' if scope == 'all' else 'one'}"
            stage.vherd("user", "add", user, "--role", role, "--scope", scope)
            tokens[role, scope == "all"] = stage.vherd("token", "create", "t", "--user", user,
                                                       "--role", role).strip()
    cells, wrong = everydeed.matrix(stage.daemon, name, name + "-other", tokens)
    report.at_most(f"role x verb x scope: answered wrongly, of {cells}", len(wrong), "cells", 0)
    for one in (name, name + "-other"):
        stage.do("vm", "delete", one, "--disks", "delete")


def sequences(arguments, report, stage):
    """In every kind in turn, every third with a checkpoint."""
    count, steps = (3, 1) if arguments.quick else (20, 8 if arguments.long else 4)
    name = stage.prefix + "2"
    stage.create(name, "--start")
    stage.boot(name)
    stage.record(name, "first")
    good, done, refused = 0, {"create": 0, "revert": 0, "delete": 0}, 0
    kinds = ("internal", "memory", "external")
    for seed in range(count):
        play = snapshotplay.Play(stage, name, kinds[seed % 3], seed, seed // 3 % 3 == 2)
        try:
            play.run(steps)
        except AssertionError as error:
            report.failed(f"sequence {seed}", str(error))
            break
        good += 1
        refused += len(play.refused)
        for verb, n in play.done.items():
            done[verb] += n
    report.at_least("snapshot sequences with the guest's records as expected", good, "sequences",
                    count)
    for verb, n in done.items():
        report.row(f"– {verb} done in them", n, "")
    report.row("– refused in them, the VM as before", refused, "")
    stage.do("vm", "destroy", name)
    stage.do("vm", "delete", name, "--disks", "delete")


def kills(arguments, report, stage):
    rounds = 2 if arguments.quick else 50
    play = killplay.Rounds(stage, 6)
    try:
        play.run(rounds)
    except AssertionError as error:
        report.failed("ends in the middle", str(error))
    report.at_least("ends in the middle: rounds with all whole and told truly", play.good, "rounds",
                    rounds)
    for state in ("done", "failed", "unasked", "restarted"):
        report.row(f"– of them {state}", sum(one.get(state, 0) for one in play.outcomes.values()),
                   "")
    stage.remove_all()

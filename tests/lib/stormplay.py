# SPDX-License-Identifier: GPL-3.0-or-later
"""Many alerts while the daemon is killed again and again: what was lost, told twice, or went back."""

import collections
import os
import random
import signal
import time

import receivers
from vherd import wait_for

Result = collections.namedtuple("Result", "kills alerts lost duplicates regressions repeated")


def kill_all(daemon):
    """The supervisor first, or it would start others again."""
    pids = daemon.processes()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    daemon.process.wait()
    wait_for("the last is gone", 30, lambda: not any(
        os.path.exists(f"/proc/{pid}") for pid in pids))
    if os.path.exists(daemon.log_path):
        os.unlink(daemon.log_path)


def states(daemon):
    """VM to (state, since when)."""
    return {a["labels"]["domain"]: (a["state"], a["activeAt"])
            for a in daemon.json("/api/v1/alerts")["data"]["alerts"]}


def evaluations(daemon):
    return daemon.status()["rules"]["evaluations"]


def went_back(before, after, touched):
    """Alerts that nobody switched and that are not as they were."""
    return [f"{vm}: {state} became {after.get(vm, ('nothing', ''))}"
            for vm, state in before.items() if vm not in touched and after.get(vm) != state]


def duplicates(hook):
    """Firings and ends that two different messages in a row told of."""
    told, again = {}, []
    for message in hook.news():
        for alert in message["alerts"]:
            vm, now = alert["labels"]["domain"], (alert["status"], alert["startsAt"])
            if told.get(vm) == now:
                again.append(f"{vm} {now}")
            told[vm] = now
    return again


def storm(make_daemon, kills, alerts, most_s=2.0, seed=7):
    """make_daemon(config) gives one that is not started. Alerts fire from the beginning; before each
    kill a few are switched."""
    chance = random.Random(seed)
    switches, hook = receivers.Switches(), receivers.Hook()
    vms = [f"vm{i}" for i in range(alerts)]
    daemon = make_daemon(switches.config(
        [{"name": "ops", "webhook": {"url": hook.url}}],
        {"receiver": "ops", "group_by": ["domain"], "group_interval": "1s"}))
    regressions = []
    try:
        switches.set_all({("A", vm): True for vm in vms})
        daemon.start()
        wait_for("all fire", 60, lambda: len(states(daemon)) == alerts, 0.2)
        for _ in range(kills):
            time.sleep(chance.uniform(0.2, most_s))
            before = states(daemon)
            touched = chance.sample(vms, 3)
            switches.set_all({("A", vm): not switches.on[("A", vm)] for vm in touched})
            time.sleep(chance.uniform(0, 1))
            kill_all(daemon)
            daemon.start()
            wait_for("evaluated", 60, lambda: evaluations(daemon) >= 2, 0.1)
            regressions += went_back(before, states(daemon), set(touched) | {
                vm for vm in vms if (vm in before) != switches.on[("A", vm)]})
        try:
            wait_for("the receiver believes what is", 120,
                     lambda: hook.firing() == switches.wanted(), 0.5)
        except AssertionError:
            pass  # counted below
        time.sleep(2)
        return Result(kills, alerts, sorted(map(str, hook.firing() ^ switches.wanted())),
                      duplicates(hook), regressions,
                      len(hook.messages) - len({message["id"] for message in hook.messages}))
    finally:
        daemon.close()
        hook.close()
        switches.close()

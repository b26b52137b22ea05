# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds in which something is killed in the middle of a deed: libvirtd, act or the whole daemon.
After each the task must be closed and say the truth, the running guest's records must be whole, and
no volume may be there that no VM and no snapshot has."""

import json
import random
import re
import subprocess
import time

GUEST = "1"  # the running guest is called prefix + this
PAYLOAD_KIB = 4096


class Rounds:
    def __init__(self, stage, seed):
        self.stage, self.seed = stage, seed
        self.dice = random.Random(seed)
        self.name = stage.prefix + GUEST
        self.records = []
        self.kept = {}  # snapshot of the running guest: its records
        self.kind = None  # of its snapshots
        self.took = {}  # deed: seconds it takes when nobody disturbs it
        self.outcomes = {}  # (deed, killed): {"done": n, "failed": n, "unasked": n}
        self.number = 0
        self.good = 0

    def begin(self):
        s = self.stage
        s.create(self.name, "--start")
        s.boot(self.name)
        s.record(self.name, "kept", PAYLOAD_KIB)
        self.records = ["kept"]
        s.do("vm", "create", s.prefix + "-base", "--memory", "64M", "--disk",
             "pool=images,size=64M")

    # Deeds: (what it is, the words, what is true if it is done).

    def deeds(self):
        return [self.create, self.clone, self.delete, self.snapshot, self.merge, self.merge,
                self.revert]

    def create(self):
        name = f"{self.stage.prefix}-k{self.number}"
        image = self.dice.choice([v for v in self.stage.volumes() if "-base-" in v])
        return (("vm", "create", name, "--memory", "64M", "--disk", "pool=images,size=64M",
                 "--disk", f"pool=images,image={image}"),
                lambda: name in self.stage.vms())

    def off(self):
        return [one for one in self.stage.vms() if re.search(r"-[kc]\d+$", one)]

    def clone(self):
        name = f"{self.stage.prefix}-c{self.number}"
        origin = self.dice.choice([self.stage.prefix + "-base", *self.off()])
        return (("vm", "clone", origin, "--name", name), lambda: name in self.stage.vms())

    def delete(self):
        if not self.off():
            return None
        name = self.dice.choice(self.off())
        return (("vm", "delete", name, "--disks", "delete"),
                lambda: name not in self.stage.vms())

    def snapshot(self):
        if len(self.kept) >= 3:
            return None
        if not self.kept:
            self.kind = self.dice.choice(("internal", "external", "memory"))
        name = f"s{self.number}"
        more = {"internal": (), "external": ("--kind", "external", "--quiesce"),
                "memory": ("--kind", "external", "--memory")}[self.kind]
        self.kept[name] = list(self.records)  # taken back where it did not come about
        return (("snapshot", "create", self.name, "--name", name, *more),
                lambda: name in self.stage.snapshots(self.name))

    def merge(self):
        if not self.kept:
            return None
        name = sorted(self.kept, key=lambda one: int(one[1:]))[
            self.dice.choice((0, len(self.kept) - 1))]
        return (("snapshot", "delete", self.name, "--name", name),
                lambda: name not in self.stage.snapshots(self.name))

    def revert(self):
        if not self.kept or self.kind == "external":  # a boot each; the sequences have them
            return None
        name = self.dice.choice(sorted(self.kept))
        self.wanted = list(self.kept[name])
        return ("snapshot", "revert", self.name, "--name", name), None

    # A round.

    def fail(self, why):
        raise AssertionError(f"seed {self.seed}, round {self.number}: {why}")

    def choose(self):
        while True:
            self.wanted = None
            make = self.dice.choice(self.deeds())
            made = make()
            if made:
                return make.__name__, *made

    def ask(self, words, kill, deed):
        """Asks, kills, heals; the last task, or None where none was made."""
        before = self.stage.closed()[0]["id"]
        began = time.monotonic()
        with subprocess.Popen(self.stage.daemon.command(*words, "--wait"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as asked:
            time.sleep(self.dice.uniform(0.02, 0.05 + self.took.get(deed, 0.5)))
            if asked.poll() is not None:
                self.took[deed] = max(0.1, (time.monotonic() - began) * 0.7)
            kill()
            self.stage.heal()  # who waits for a task waits for libvirt too
            asked.wait(120)
        last = self.stage.closed()[0]
        return last if last["id"] > before else None

    def round(self):
        self.number += 1
        if self.number % 3 == 1:
            self.stage.record(self.name, f"w{self.number}", PAYLOAD_KIB)
            self.records.append(f"w{self.number}")
        deed, words, holds = self.choose()
        kill = (self.stage.kill_act, self.stage.kill_libvirtd,
                self.stage.kill_daemon)[self.number % 3]
        what = f"{' '.join(words)}, {kill.__name__}"
        process = self.stage.host.qemu(self.name)
        task = self.ask(words, kill, deed)
        state = task["state"] if task else "unasked"
        tally = self.outcomes.setdefault((deed, kill.__name__), {})
        tally[state] = tally.get(state, 0) + 1
        if holds and holds() != (state == "done"):
            self.fail(f"{what}: it {'came' if holds() else 'did not come'} about, but {task}")
        if self.wanted is not None and state == "done":
            self.records = self.wanted
        self.kept = {one: records for one, records in self.kept.items()
                     if one in self.stage.snapshots(self.name)}
        if deed != "revert":
            self.restarted(what, task, process)
        self.look(what, task)

    def restarted(self, what, task, process):
        """libvirt ends a QEMU whose late answer it mistakes for another's; the task must say so,
        and the VM must have been started again."""
        if self.stage.host.qemus().get(self.name) == process:
            return
        if "started again" not in ((task or {}).get("message") or ""):
            self.fail(f"{what}: the guest is another: {task}")
        self.outcomes.setdefault(("guest", "started again"), {"restarted": 0})["restarted"] += 1
        self.stage.boot(self.name)

    def look(self, what, task):
        s = self.stage
        if s.state(self.name) != "running":
            self.fail(f"{what}: the guest is {s.state(self.name)}: {task}")
        frozen = s.host.virsh("qemu-agent-command", self.name,
                              '{"execute":"guest-fsfreeze-status"}')
        if "thawed" not in frozen:
            self.fail(f"{what}: the guest is {frozen}: {task}")
        records = s.records(self.name)
        if records != self.records:
            self.fail(f"{what}: the guest has {records}, not {self.records}: {task}")
        there, used = set(s.volumes()), self.used()
        stray = there - set(used)
        if stray:
            self.fail(f"{what}: left behind {stray}: {task}")
        missing = {volume: users for volume, users in used.items() if volume not in there}
        if missing:
            self.fail(f"{what}: gone {missing}: {task}; used {used}; before it {self.told()}")

    def told(self):
        """What the last deeds on the running guest were, and what was said of them."""
        return [(t["id"], t["deed"], t["body"], t["state"], t.get("message"))
                for t in self.stage.closed() if t["vm"] == self.name][:6]

    def used(self):
        """Volumes that VMs and their snapshots have: who has them."""
        s = self.stage
        used = {}
        for name in s.vms():
            texts = {name: s.host.run("virsh", "-q", "dumpxml", "--inactive", name).stdout}
            for one in s.snapshots(name):
                whole = s.host.run("virsh", "-q", "snapshot-dumpxml", name, one).stdout
                texts[f"{name} {one}"] = whole.partition("<domain ")[2]
                for file in re.findall(r"<memory [^>]*file='[^']*/([^'/]+)'", whole):
                    used.setdefault(file, []).append(f"{name} {one}'s memory")
            for user, text in texts.items():
                for file in re.findall(r"<source file='/var/lib/libvirt/images/([^']+)'", text):
                    used.setdefault(file, []).append(user)
        return used

    def run(self, rounds):
        self.begin()
        for _ in range(rounds):
            self.round()
            self.good += 1
        verified = json.loads(self.stage.vherd("audit-log", "--verify", "--json"))
        if not verified["whole"]:
            self.fail(f"the audit log is not whole: {verified}")
        self.audited()

    def audited(self):
        """Each task has one intent and one outcome in the audit log, which agrees with it."""
        s = self.stage
        lines = [json.loads(line) for line in s.vherd("audit-log", "--export").splitlines()]
        deeds = [one for one in lines if re.match(r"(vm|snapshot)\.", one["verb"])]
        tasks = json.loads(s.vherd("task", "list", "--json"))["tasks"]
        intents = [one for one in deeds if one["kind"] == "intent"]
        outcomes = [one["intent"] for one in lines if one["kind"] == "outcome"]
        if len(intents) != len(tasks):
            self.fail(f"{len(tasks)} tasks, but {len(intents)} intents")
        for one in intents:
            if outcomes.count(one["seq"]) != 1:
                self.fail(f"{outcomes.count(one['seq'])} outcomes of {one}")

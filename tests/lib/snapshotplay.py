# SPDX-License-Identifier: GPL-3.0-or-later
"""Random sequences of snapshots, ways back and deletions on one real guest. After each step the
guest's own records must be those that the sequence leads to, and the VM must run."""

import random

KINDS = {
    "internal": (),
    "external": ("--kind", "external"),
    "memory": ("--kind", "external", "--memory"),
}


class Play:
    """One sequence on the running VM `name`, which has no snapshot at its beginning and end."""

    def __init__(self, stage, name, kind, seed, checkpoints=False):
        self.stage, self.name, self.kind, self.seed = stage, name, kind, seed
        self.checkpoints = checkpoints
        self.dice = random.Random(f"{seed}-{kind}-{checkpoints}")
        self.records = stage.records(name)
        self.kept = {}  # snapshot: the records it holds
        self.done = {"create": 0, "revert": 0, "delete": 0}
        self.refused = []
        self.steps = []
        self.count = 0

    def fail(self, why):
        raise AssertionError(f"seed {self.seed}, {self.kind}, checkpoints {self.checkpoints}, "
                             f"after {self.steps}: {why}")

    def write(self):
        self.count += 1
        text = f"r{self.seed}x{self.kind[0]}{int(self.checkpoints)}x{self.count}"
        self.stage.record(self.name, text)
        self.records = [*self.records, text]

    def create(self):
        snapshot = f"s{self.count}"
        if snapshot in self.kept:
            return
        quiesce = ("--quiesce",) if self.kind == "external" and self.dice.random() < 0.5 else ()
        if self.ask("create", snapshot, *KINDS[self.kind], *quiesce):
            self.kept[snapshot] = list(self.records)

    def revert(self):
        if not self.kept:
            return
        snapshot = self.dice.choice(sorted(self.kept))
        if not self.ask("revert", snapshot):
            return
        self.records = list(self.kept[snapshot])
        if self.kind == "external":
            if self.stage.state(self.name) != "shut off":
                self.fail(f"{self.stage.state(self.name)} after going back to disks only")
            self.stage.do("vm", "start", self.name)
            self.stage.boot(self.name)

    def delete(self):
        if not self.kept:
            return
        snapshot = self.dice.choice(sorted(self.kept))
        merge = () if self.kind == "internal" else ("--merge", self.dice.choice(("commit", "pull")))
        if self.ask("delete", snapshot, *merge):
            del self.kept[snapshot]

    def ask(self, verb, snapshot, *more):
        self.steps.append(" ".join([verb, snapshot, *more]))
        done, why = self.stage.attempt("snapshot", verb, self.name, "--name", snapshot, *more)
        if done:
            self.done[verb] += 1
        else:
            self.refused.append(f"{self.steps[-1]}: {why}")
            self.steps[-1] += " (refused)"
        return done

    def look(self):
        state = self.stage.state(self.name)
        if state != "running":
            self.fail(f"the VM is {state}")
        records = self.stage.records(self.name)
        if records != self.records:
            self.fail(f"the guest has {records}, not {self.records}")
        if self.stage.snapshots(self.name) != sorted(self.kept):
            self.fail(f"libvirt has {self.stage.snapshots(self.name)}, not {sorted(self.kept)}")

    def run(self, steps):
        if self.checkpoints:
            self.stage.host.virsh("checkpoint-create-as", self.name, "c1", "--diskspec", "vda")
        self.write()
        self.create()
        self.look()
        for _ in range(steps):
            self.write()
            self.dice.choice((self.create, self.revert, self.delete))()
            self.look()
        self.clear()
        if self.checkpoints:
            self.stage.host.virsh("checkpoint-delete", self.name, "c1")

    def clear(self):
        """Delete what is left, the newest first; only files of the end state may stay."""
        for _ in range(len(self.kept) * 2 + 1):
            for snapshot in sorted(self.kept, key=lambda one: -int(one[1:])):
                if self.ask("delete", snapshot):
                    del self.kept[snapshot]
        if self.kept:
            self.fail(f"these cannot be deleted: {self.refused[-len(self.kept):]}")
        self.look()
        volumes = self.stage.volumes()
        if len(volumes) != 1:
            self.fail(f"left behind: {volumes}")

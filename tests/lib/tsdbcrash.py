# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills, cuts and flips a store that tests/tools/tsdb-crash.c fills, and lets it check the rest."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import vherd

PROGRAM = os.path.join(vherd.ROOT, "build", "tests", "tsdb-crash")
# Flush window of the program, and as much again for a busy machine's scheduler.
SAFE_MS = 50 + 450
READY_MAX_MS = 2000
PAUSE_US = 1500
SERIES = 48
HEADER, RECORD_HEAD, MARK = 32, 12, (0x9D4C4756).to_bytes(4, "little")  # docs/store-format.md


class Failure(Exception):
    pass


def run(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, arguments))}: {done.stdout[-2000:]}")
    return done.stdout


class Load:
    """The program appending, its output read as it comes."""

    def __init__(self, directory, at_least, pause_us=PAUSE_US):
        self.process = subprocess.Popen([PROGRAM, "load", directory, str(at_least), str(pause_us)],
                                        stdout=subprocess.PIPE, text=True)
        self.ready = None
        self.ready_ms = None
        self.batches = []  # (number, monotonic ms)
        self.disk = (0, 0)
        self.output = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            words = line.split()
            if words and not line.endswith("\n"):
                break  # cut by the kill
            if words[0] == "batch":
                self.batches.append((int(words[1]), int(words[2])))
            elif words[0] == "disk":
                self.disk = (int(words[1]), int(words[2]))
            elif words[0] == "ready":
                self.ready, self.ready_ms = int(words[1]), int(words[2])
            else:
                self.output.append(line)

    def wait_for(self, what, condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise Failure(f"no {what} within {seconds} s: {''.join(self.output)[-2000:]}")
            time.sleep(0.002)

    def kill(self):
        """The number of batches that were safe at that time."""
        killed_ms = time.monotonic() * 1000
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        if self.process.returncode != -signal.SIGKILL:
            raise Failure(f"ended by itself: {''.join(self.output)[-2000:]}")
        safe = self.ready or 0
        for number, at_ms in self.batches:
            if at_ms < killed_ms - SAFE_MS:
                safe = number + 1
        return safe


def kill_rounds(directory, rounds, seed):
    """Start, load, kill, over and over on one store; the longest time until ready, in ms."""
    chance = random.Random(seed)
    safe, slowest = 0, 0
    for _ in range(rounds):
        load = Load(directory, safe)
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0, 0.03))  # while it recovers
        else:
            load.wait_for("readiness", lambda: load.ready is not None, 60)
            slowest = max(slowest, load.ready_ms)
            time.sleep(chance.uniform(0, 1.2))
        safe = max(safe, load.kill())
    run("check", directory, safe)
    return slowest, safe


def kill_many(rounds, at_once=4):
    """Rounds spread over several stores; (slowest ready in ms, batches found safe, failures)."""
    results, failures = [], []
    with tempfile.TemporaryDirectory(prefix="vherd-tsdb-") as top:
        def one(i):
            try:
                results.append(kill_rounds(os.path.join(top, str(i)), rounds // at_once, i))
            except Exception as failure:  # whatever it was, that store was not found whole
                failures.append(f"{type(failure).__name__}: {failure}")
        threads = [threading.Thread(target=one, args=(i,)) for i in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return (max((slowest for slowest, _ in results), default=0),
            sum(safe for _, safe in results), failures)


class Damage:
    """A small store, copied and damaged again and again."""

    BATCHES = 12

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="vherd-tsdb-")
        self.whole = os.path.join(self.top, "whole")
        self.copy = os.path.join(self.top, "copy")
        run("make", self.whole, self.BATCHES, 1)
        self.drop_covered()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.top)

    def drop_covered(self):
        """The segment whose samples are in the block goes, so that the block is all there is."""
        for name in sorted(os.listdir(os.path.join(self.whole, "log")))[:-1]:
            os.unlink(os.path.join(self.whole, "log", name))

    def file(self, folder):
        names = os.listdir(os.path.join(self.whole, folder))
        if len(names) != 1:
            raise Failure(f"{names} in {folder}")
        return os.path.join(folder, names[0])

    def size(self, folder):
        return os.path.getsize(os.path.join(self.whole, self.file(folder)))

    def record_ends(self):
        """A log that ends there looks like one that was written no further."""
        with open(os.path.join(self.whole, self.file("log")), "rb") as file:
            data = file.read()
        ends, at = {HEADER}, HEADER
        while data[at:at + 4] == MARK:
            at += RECORD_HEAD + int.from_bytes(data[at + 4:at + 8], "little")
            ends.add(at)
        return ends

    def damaged(self, folder, change, most_lost, silent=False):
        """Copy, let `change` work on the bytes of the file, and have the rest checked. Threads have
        a copy each."""
        copy = f"{self.copy}-{threading.get_ident()}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.whole, copy)
        path = os.path.join(copy, self.file(folder))
        with open(path, "rb") as file:
            data = bytearray(file.read())
        data = change(data)
        with open(path, "wb") as file:
            file.write(data)
        run("damaged", copy, self.BATCHES, most_lost, *(["silent"] if silent else []))
        return copy


def flip(at, bit):
    def change(data):
        data[at] ^= 1 << bit
        return data
    return change


def cut(length):
    return lambda data: data[:length]

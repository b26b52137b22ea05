# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads /proc independently of the program under test."""

import os
import re


def read(path):
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "replace")


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stat_fields(pid, tid=None):
    """The fields of stat after the name, index 0 being the state letter."""
    path = f"/proc/{pid}/stat" if tid is None else f"/proc/{pid}/task/{tid}/stat"
    text = read(path)
    return text[text.rindex(")") + 2:].split()


def state(pid):
    return stat_fields(pid)[0]


def parent(pid):
    return int(stat_fields(pid)[1])


def start_time(pid):
    return int(stat_fields(pid)[19])


def command_line(pid):
    return read(f"/proc/{pid}/cmdline").split("\0")[:-1]


def program(pid):
    """The name that a process runs under; empty for one that ends just now."""
    try:
        words = command_line(pid)
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return os.path.basename(words[0]) if words else ""


def alive(pid):
    try:
        return state(pid) not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid):
    """The process and everything below it."""
    children = {}
    for other in pids():
        try:
            children.setdefault(parent(other), []).append(other)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            continue
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def threads(pid):
    """{tid: name} of a process."""
    names = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            names[int(tid)] = read(f"/proc/{pid}/task/{tid}/comm").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return names


def schedstat(pid, tid):
    """Nanoseconds run, nanoseconds waited, slices."""
    run, wait, slices = read(f"/proc/{pid}/task/{tid}/schedstat").split()[:3]
    return int(run), int(wait), int(slices)


def cpu_seconds(pids_):
    """CPU that live processes have used: every thread's, and that of threads that ended.

    Live threads are read in nanoseconds; the share of ended threads is only in the process's own
    clock ticks, so it is read from the process's CPU clock instead.
    """
    total = 0
    for pid in pids_:
        try:
            total += process_clock_ns(pid)
        except (FileNotFoundError, ProcessLookupError, OSError):
            continue
    return total / 1e9


def process_clock_ns(pid):
    """clock_gettime() of another process's CPU clock (its id is ~pid << 3 | 2)."""
    import time
    return time.clock_gettime_ns((~pid << 3) | 2)


def pss_bytes(pid):
    match = re.search(r"^Pss:\s+(\d+) kB", read(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
    return int(match.group(1)) * 1024 if match else 0


def pss_total(pids_):
    total = 0
    for pid in pids_:
        try:
            total += pss_bytes(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def anonymous_total(pids_):
    """Memory of these processes that no file stands behind, in bytes."""
    total = 0
    for pid in pids_:
        try:
            rollup = read(f"/proc/{pid}/smaps_rollup")
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += 1024 * int(re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.MULTILINE).group(1))
    return total


def qemu_vcpus(pid):
    """{vCPU number: thread id}, from the threads' names."""
    found = {}
    for tid, name in threads(pid).items():
        match = re.match(r"CPU (\d+)/(KVM|TCG)$", name)
        if match:
            found[int(match.group(1))] = tid
    return found


def qemu_name(pid):
    """The domain's name in a QEMU command line, None where it is none."""
    words = command_line(pid)
    if not words or "qemu" not in os.path.basename(words[0]):
        return None
    for option, value in zip(words, words[1:]):
        if option == "-name":
            match = re.match(r"guest=((?:[^,]|,,)*)", value)
            return match.group(1).replace(",,", ",") if match else value.split(",")[0]
    return None

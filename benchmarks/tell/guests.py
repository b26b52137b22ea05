# SPDX-License-Identifier: GPL-3.0-or-later
"""Real guests: what is told of their faults, how soon, and that nothing is told without one."""

import concurrent.futures
import os
import signal
import time

import faultplay
import labhost
import quietplay
import vherd
from vherd import wait_for

LAB = os.environ.get("VHERD_BENCH_LAB", "bench-tell")
VICTIM, FULL, LOST, PANICS, KILLED = "victim", "full", "lost", "panics", "killed"
CRASHES = "crashes"
QUIET = ("idle", "paused", "saved", "rebooting")
# Guests with ordinary disks that a part needs; `faults` has FULL and LOST besides.
NEEDS = {"quiet": QUIET, "faults": (VICTIM, PANICS, KILLED), "crashes": (CRASHES,)}
PARTS = tuple(NEEDS)

# Seconds to wait for more after a fault is told; of quiet; rounds of crashes.
QUICK = {"dwell": 2, "quiet": 12, "rounds": 3}
NORMAL = {"dwell": 5, "quiet": 120, "rounds": 12}
LONG = {"dwell": 30, "quiet": 1200, "rounds": 40}


def percentile(values, ratio):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(ratio * len(ordered)))]


class Guests:
    """A lab with guests, a daemon with the rules that vherd ships, and who is told."""

    def __init__(self, report, parts):
        ordinary = sorted({name for part in parts if part in NEEDS for name in NEEDS[part]})
        fragile = (FULL, LOST) if "faults" in parts else ()
        started = time.monotonic()
        self.report = report
        self.host = labhost.LabHost(LAB)
        if os.path.exists(f"/run/vherd-lab-{LAB}/up"):
            self.host.down()
        self.host.up()
        self.storage = self.sink = self.daemon = None
        try:
            self.storage = faultplay.Storage(self.host)
            for name in ordinary:
                self.host.guest(name)
            if fragile:
                self.storage.guest_on_small(FULL)
                self.storage.guest_on_server(LOST)
            for name in (*ordinary, *fragile):
                self.host.wait_guest(name, 300)
            count = len(ordinary) + len(fragile)
            report.note(f"{count} guests up in {time.monotonic() - started:.0f} s")
            self.sink = faultplay.Sink(self.host)
            self.daemon = vherd.Daemon(faultplay.config(self.sink), prefix=self.host.prefix)
            self.daemon.start()
            wait_for("all guests are known", 120, lambda: len(self.daemon.vms()) == count
                     and faultplay.is_well(self.daemon), 0.5)
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.sink and self.sink.wild():
            self.report.note("clocks that are off, as vherd told, and as the guests say themselves: "
                             + ", ".join(self.sink.wild()))
        for one in (self.daemon, self.sink, self.storage):
            if one:
                one.close()
        self.host.down()

    def faults(self):
        """Each on a guest of its own."""
        return faultplay.faults(self.host, self.storage, VICTIM, FULL, LOST, PANICS, KILLED)


def report_fault(report, fault, wrong):
    report.row(f"{fault.name}: told once, in the right words", int(not wrong), "", ">=1",
               not wrong)
    for text in wrong:
        report.note(f"{fault.name}: {text}")


def one_by_one(report, guests, dwell_s):
    for fault in guests.faults():
        try:
            outcome = faultplay.play(guests.daemon, guests.sink, fault, dwell_s)
        except AssertionError as error:
            report.failed(f"{fault.name}: told once, in the right words", str(error))
            continue
        report_fault(report, fault, outcome.wrong)
        report.row(f"{fault.name}: told after", outcome.seconds, "s")


def all_at_once(_report, guests, dwell_s):
    """Those of guests; libvirtd's own end comes when nothing else is measured. What is wrong."""
    return faultplay.play_guests(guests.sink, guests.faults(), dwell_s)


def then_libvirtd(report, guests, wrong, first, dwell_s):
    faults = guests.faults()
    wrong.update(faultplay.play_libvirtd(guests.sink, faults, dwell_s))
    others = (*QUIET, CRASHES)  # whose own parts look at what is told of them
    faultplay.add_strays(wrong, [t for t in guests.sink.told()[first:] if t.domain not in others],
                         faults)
    for fault in faults:
        report_fault(report, fault, wrong[fault.name])
    os.kill(faultplay.pid_of(guests.host, VICTIM), signal.SIGCONT)


def is_known(vm, pid):
    return vm.get("pid") == str(pid) and vm.get("state") == "running"


def crashes_told(sink):
    return [t for t in sink.told() if t.domain == CRASHES and t.alert == "VmCrashed"]


def begin_again(guests):
    """Start the guest that crashes, and wait until all is as if it never had."""
    host, daemon, sink = guests.host, guests.daemon, guests.sink
    faultplay.start_again(host, CRASHES)
    pid = faultplay.pid_of(host, CRASHES)
    wait_for("its process is known", 90, lambda: is_known(daemon.vms()[CRASHES], pid), 0.2)
    wait_for("the end of the last alert", 90, lambda: not crashes_told(sink) or
             crashes_told(sink)[-1].status == "resolved")


def crash(guests):
    """One round; seconds from kill -9 to the webhook."""
    host, sink = guests.host, guests.sink
    begin_again(guests)

    def mine():
        return crashes_told(sink)
    time.sleep(1.5)
    before = len(mine())
    at = faultplay.kill(host, CRASHES, signal.SIGKILL)
    return wait_for("the message", 60, lambda: mine()[before:], 0.05)[0].at - at


def crashes(report, guests, rounds):
    seconds = [crash(guests) for _ in range(rounds)]
    report.at_most(f"kill -9 of QEMU to webhook, p95 of {rounds}", percentile(seconds, 0.95), "s",
                   0.5)
    report.row("kill -9 of QEMU to webhook, median", percentile(seconds, 0.5), "s")


def quiet(report, guests, seconds):
    one = quietplay.Quiet(guests.host, guests.daemon, guests.sink, QUIET)
    told = [t for t in one.run(seconds, 20 if seconds > 60 else 3) if t.domain in (*QUIET, None)]
    report.at_most(f"alarms in {seconds} s of idle, paused, saved, rebooting guests", len(told), "",
                   0)
    report.row("restarts of the rebooting one meanwhile", one.reboots, "")
    for t in told:
        report.note(f"{t.alert} of {t.domain}: {t.text.splitlines()[0]}")


def section(report, what, function, *arguments):
    """A part that breaks is one short row, and the others go on."""
    begin = time.monotonic()
    try:
        return function(report, *arguments)
    except (AssertionError, OSError, RuntimeError, KeyError,
            labhost.subprocess.SubprocessError) as error:
        report.failed(what, f"{type(error).__name__}: {error}")
        return None
    finally:
        report.note(f"{what}: {time.monotonic() - begin:.0f} s")


def start(report, parts):
    """The lab, its guests and the daemon; to be closed. None where they cannot be."""
    if os.geteuid() != 0:
        report.failed("faults of real guests", "real guests need root")
        return None
    return Guests(report, parts)


def in_turn(report, parts, guests, times):
    sections = {"quiet": ("quiet guests", quiet, guests, times["quiet"]),
                "crashes": ("crash to webhook", crashes, guests, times["rounds"]),
                "faults": ("faults", one_by_one, guests, times["dwell"])}
    for name in PARTS:
        if name in parts:
            section(report, *sections[name])


def side_by_side(report, parts, guests, times):
    """Each part has guests of its own; only libvirtd's end concerns them all."""
    dwell_s, first = times["dwell"], len(guests.sink.told())
    sections = {"quiet": ("quiet guests", quiet, guests, times["quiet"]),
                "crashes": ("crash to webhook", crashes, guests, times["rounds"]),
                "faults": ("faults", all_at_once, guests, dwell_s)}
    asides = {name: report.aside() for name in PARTS if name in parts}
    with concurrent.futures.ThreadPoolExecutor(len(sections)) as pool:
        running = {name: pool.submit(section, aside, *sections[name])
                   for name, aside in asides.items()}
    for aside in asides.values():
        report.add(aside)
    wrong = running["faults"].result() if "faults" in running else None
    if wrong is not None:
        section(report, "libvirtd's end", then_libvirtd, guests, wrong, first, dwell_s)


def run(arguments, report, parts, guests):
    times = QUICK if arguments.quick else LONG if arguments.long else NORMAL
    if guests:
        (side_by_side if arguments.quick else in_turn)(report, parts, guests, times)

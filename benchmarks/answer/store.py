# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon and its peers on the same samples, each asked over HTTP by one client."""

import os
import shutil
import subprocess
import time
import urllib.parse

import procfs
import promqldaemon
import promqlpeer
from answer import load


class Prometheus(promqlpeer.Prometheus):
    def __init__(self, directory, samples):
        super().__init__(directory, samples, "192h")


def many(samples, copies):
    """The file with each series so many times, told apart as tests/tools/samples.h says."""
    if copies == 1:
        return samples
    path = f"{samples}-{copies}"
    with open(path, "w", encoding="utf-8") as out:
        for copy in range(copies):
            with open(samples, encoding="utf-8") as file:
                for line in file:
                    if not line.startswith("#"):
                        out.write(line.replace("{", f'{{copy="{copy}",', 1))
        out.write("# EOF\n")
    return path


def path_of(times, query, extra):
    start, end, step = times
    fields = {"query": query, "start": start / 1000, "end": end / 1000, "step": step / 1000,
              **extra}
    return "/api/v1/query_range?" + urllib.parse.urlencode(fields)


class Round:
    """Seconds of each query, and what was most resident meanwhile."""

    def __init__(self, peer, asked, times):
        self.name = peer.name
        paths = [path_of(times, query, peer.extra) for query in asked]
        client = load.Client(f"127.0.0.1:{peer.port}", paths, 0)
        reset_peaks(peer.pids())
        self.seconds, self.good = [], []
        for _ in paths:
            good = None
            begin = time.perf_counter()
            client.ask()
            while good is None:
                good = client.receive()
            self.seconds.append(time.perf_counter() - begin)
            self.good.append(good)
        client.socket.close()
        self.peak_bytes = peak_of(peer.pids())

    @property
    def total(self):
        return sum(self.seconds)


def reset_peaks(pids):
    for pid in pids:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")


def status_bytes(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"no {key}")


def peak_of(pids):
    """The sum of what was most resident, less what the processes have in common, which each of them
    counts."""
    resident = sum(status_bytes(pid, "VmRSS") for pid in pids)
    common = max(0, resident - procfs.pss_total(pids))
    return sum(status_bytes(pid, "VmHWM") for pid in pids) - common


def rounds(peer, asked, times, count):
    """One round to warm, then of so many the quickest answer to each query, as others may use the
    machine; the peak is that of all."""
    found = [Round(peer, asked, times) for _ in range(count + 1)]
    best = found[-1]
    best.seconds = [min(each) for each in zip(*(one.seconds for one in found[1:]))]
    best.peak_bytes = max(one.peak_bytes for one in found)
    return best


class Restarted(promqlpeer.VictoriaMetrics):
    """Begun anew once the samples are in, so that its peak is not that of the import."""

    def load(self):
        super().load()
        self.process.terminate()
        self.process.wait(60)
        self.process = subprocess.Popen(self.command(), cwd=self.directory,
                                        stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while "data" not in self.query(1000, 1000, 0, "1+1"):
            if time.monotonic() > deadline:
                raise promqlpeer.PeerMissing("victoria-metrics does not come back")
            time.sleep(0.1)


class Prepared:
    """The same samples for the daemon and both peers, which have them but do not run yet; a peer that
    could not be prepared is the reason why not."""

    def __init__(self, scratch, samples, copies):
        self.ours = promqldaemon.Stored(samples, copies)
        whole = many(samples, copies)
        self.peers = {kind: self.make(kind, scratch, whole) for kind in (Prometheus, Restarted)}

    @staticmethod
    def make(kind, scratch, samples):
        directory = os.path.join(scratch, kind.name + os.path.basename(samples))
        os.makedirs(directory)
        try:
            return kind(directory, samples)
        except (promqlpeer.PeerMissing, OSError) as error:
            return error

    def close(self):
        self.ours.daemon.close()


def ours(report, what, prepared, asked, times, count):
    with prepared.ours as daemon:
        one = rounds(daemon, asked, times, count)
    report.row(f"{what}: ours", one.total, "s")
    report.row(f"{what}: slowest of ours", max(one.seconds) * 1000, "ms")
    report.row(f"{what}: ours, peak resident", one.peak_bytes / 1e6, "MB")
    return one


def theirs(report, what, kind, prepared, asked, times, count):
    peer = prepared.peers[kind]
    try:
        if isinstance(peer, Exception):
            raise peer
        with peer:
            one = rounds(peer, asked, times, count)
    except (promqlpeer.PeerMissing, OSError) as error:
        report.failed(f"{what}: {kind.name}", str(error))
        return None
    finally:
        if isinstance(peer, kind):
            shutil.rmtree(peer.directory, ignore_errors=True)
    report.row(f"{what}: {kind.name}", one.total, "s")
    report.row(f"{what}: {kind.name}, peak resident", one.peak_bytes / 1e6, "MB")
    return one


def each_query(report, asked, rounds_of_all):
    """A table, the dearest of ours first."""
    names = " ".join(f"{one.name:>17}" for one in rounds_of_all)
    report.note(f"ms of each query: {names}")
    rows = zip(asked, *(one.seconds for one in rounds_of_all))
    for query, *seconds in sorted(rows, key=lambda row: -row[1]):
        report.note(" ".join(f"{one * 1000:17.3f}" for one in seconds) + f"  {query}")


def compare(report, what, prepared, asked, times, count, least, with_each=False):
    """Rows of both peers and ours; (ours, those of the peers that answered)."""
    mine = ours(report, what, prepared, asked, times, count)
    peers = []
    for kind in prepared.peers:
        other = theirs(report, what, kind, prepared, asked, times, count)
        if other:
            peers.append(other)
            report.at_least(f"{what}: times faster than {kind.name}", other.total / mine.total,
                            "x", least)
        if other and kind is Prometheus:  # VictoriaMetrics answers some that are wrong
            lost = sum(a and not b for a, b in zip(other.good, mine.good))
            report.at_most(f"{what}: answered by {kind.name} only", lost, "queries", 0)
    if with_each:
        each_query(report, asked, [mine, *peers])
    return mine, peers

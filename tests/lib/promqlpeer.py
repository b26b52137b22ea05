# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Prometheus and VictoriaMetrics, unpacked, on loopback with given samples; and our engine
over the same. Packages are unpacked under build/peers, not installed, so that no service starts."""

import fcntl
import glob
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import building
import vherd

ROOT = building.ROOT
PEERS = os.path.join(ROOT, "build", "peers")
PACKAGES = {"prometheus": "prometheus", "promtool": "prometheus",
            "victoria-metrics": "victoria-metrics"}


class PeerMissing(Exception):
    pass


def program(name):
    """The path of an unpacked program; its package is fetched where it is not there."""
    path = os.path.join(PEERS, "root", "usr", "bin", name)
    os.makedirs(PEERS, exist_ok=True)
    with open(os.path.join(PEERS, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            return path
        with tempfile.TemporaryDirectory(dir=PEERS) as directory:
            fetched = subprocess.run(
                ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", PACKAGES[name]],
                cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True)
            packages = glob.glob(os.path.join(directory, "*.deb"))
            if fetched.returncode or not packages:
                raise PeerMissing(f"apt-get download {PACKAGES[name]}: {fetched.stdout.strip()}")
            subprocess.run(["dpkg-deb", "-x", packages[0], os.path.join(PEERS, "root")], check=True)
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer:
    """A server with Prometheus' query API; use as a context."""

    name = ""

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        self.process = None

    def command(self):
        raise NotImplementedError

    def load(self):
        pass

    def __enter__(self):
        self.log = open(os.path.join(self.directory, self.name + ".log"), "wb")
        self.process = subprocess.Popen(self.command(), cwd=self.directory,
                                        stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 60
            while "data" not in self.query(1000, 1000, 0, "1+1"):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise PeerMissing(f"{self.name} does not answer")
                time.sleep(0.1)
            self.load()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        vherd.end(self.process)
        self.log.close()

    def pids(self):
        return [self.process.pid]

    def raw(self, start_ms, end_ms, step_ms, expression):
        """The body of the answer."""
        if step_ms:
            path, times = "query_range", {"start": start_ms / 1000, "end": end_ms / 1000,
                                          "step": step_ms / 1000}
        else:
            path, times = "query", {"time": start_ms / 1000}
        data = urllib.parse.urlencode({"query": expression, **times, **self.extra}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", data,
                                    timeout=120) as answer:
            return answer.read()

    extra = {}

    def query(self, *arguments):
        try:
            return json.loads(self.raw(*arguments))
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            return json.loads(text) if text.startswith("{") else {"status": "error", "error": text}
        except (OSError, ValueError) as error:
            return {"status": "error", "error": str(error)}


class Prometheus(Peer):
    """Prometheus with blocks made of a file of OpenMetrics text."""

    name = "prometheus"

    def __init__(self, directory, samples, longest_block="2h"):
        super().__init__(directory)
        promtool = program("promtool")
        storage = os.path.join(directory, "prometheus")
        with open(os.path.join(directory, "prometheus.yml"), "w") as config:
            config.write("global: {}\n")
        # promtool reads the whole file once for each block.
        done = subprocess.run([promtool, "tsdb", "create-blocks-from",
                               f"--max-block-duration={longest_block}", "openmetrics", samples,
                               storage], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise PeerMissing(f"promtool: {done.stdout[-500:]}")

    def command(self):
        return [program("prometheus"), "--config.file=prometheus.yml",
                "--storage.tsdb.path=prometheus", "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"]


class VictoriaMetrics(Peer):
    """VictoriaMetrics, into which a file of exposition text is imported."""

    name = "victoria-metrics"
    extra = {"nocache": "1"}

    def __init__(self, directory, samples):
        super().__init__(directory)
        self.samples = samples

    def command(self):
        return [program("victoria-metrics"), "-storageDataPath=victoria", "-retentionPeriod=100y",
                f"-httpListenAddr=127.0.0.1:{self.port}", "-loggerLevel=ERROR",
                "-search.latencyOffset=0s", "-search.disableCache"]

    def post(self, path, data):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        urllib.request.urlopen(request, timeout=600).read()

    def load(self):
        with open(self.samples, encoding="utf-8") as file:
            lines = []
            for line in file:
                if line.startswith("#"):
                    continue
                sample, _, seconds = line.rstrip("\n").rpartition(" ")
                lines.append(f"{sample} {round(float(seconds) * 1000)}\n")
                if len(lines) == 100000:
                    self.post("/api/v1/import/prometheus", "".join(lines).encode())
                    lines.clear()
            self.post("/api/v1/import/prometheus", "".join(lines).encode())
        self.post("/internal/force_flush", b"")


class Ours:
    """The library over the same file, in a process that answers line by line."""

    def __init__(self, samples, directory="build"):
        path = os.path.join(ROOT, directory, "tests", "promql-query")
        self.process = subprocess.Popen([path, samples], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def query(self, start_ms, end_ms, step_ms, expression):
        line = expression.replace("\n", " ")
        self.process.stdin.write(f"{start_ms} {end_ms} {step_ms} {line}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def values_of(answer):
    """{labels: {time: value}} of a vector or a matrix; a scalar has no labels."""
    data = answer["data"]
    if data["resultType"] in ("scalar", "string"):
        return {(): dict([data["result"]])}
    return {tuple(sorted(row["metric"].items())): dict(map(tuple, row.get("values", []) or
                                                          [row["value"]]))
            for row in data["result"]}


def close(a, b, tolerance):
    if a == b:
        return True
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    if x != x or y != y:
        return x != x and y != y
    if x in (float("inf"), float("-inf")) or y in (float("inf"), float("-inf")):
        return x == y
    return abs(x - y) <= tolerance * max(abs(x), abs(y), 1e-300)


def difference(ours, theirs, tolerance=1e-5):
    """None, or in what the two answers differ."""
    if ours.get("status") != theirs.get("status"):
        return (f"we answer {ours.get('status')} {ours.get('error', '')}, they "
                f"{theirs.get('status')} {theirs.get('error', '')}")
    if ours["status"] == "error":
        return None
    a, b = values_of(ours), values_of(theirs)
    if a.keys() != b.keys():
        return f"series: {sorted(set(a) ^ set(b))[:3]}"
    for labels, points in a.items():
        if points.keys() != b[labels].keys():
            odd = sorted(set(points) ^ set(b[labels]))
            return f"{dict(labels)}: {len(odd)} points that one has only, first at {odd[0]}"
        for at, value in points.items():
            if not close(value, b[labels][at], tolerance):
                return f"{dict(labels)} at {at}: {value}, they {b[labels][at]}"
    return None


class scratch:
    """A directory for one run, removed at the end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="vherd-promql-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's own programs as peers: unpacked under build/unpacked/, not installed, so that no service
of theirs starts. Only what packaging/debian-packages.txt names as "unpack" is fetched."""

import fcntl
import glob
import os
import shutil
import subprocess
import tempfile
import urllib.request

from vherd import ROOT, end, wait_for

UNPACKED = os.path.join(ROOT, "build", "unpacked")


class PeerMissing(Exception):
    pass


def allowed():
    names = []
    with open(os.path.join(ROOT, "packaging", "debian-packages.txt"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("unpack "):
                names += line.split()[1:]
    return names


def unpack(package):
    """The folder in which the package's files are."""
    if package not in allowed():
        raise PeerMissing(f"{package} is not in packaging/debian-packages.txt")
    target = os.path.join(UNPACKED, package)
    os.makedirs(UNPACKED, exist_ok=True)
    with open(os.path.join(UNPACKED, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(target):
            fetch(package, target)
    return target


def fetch(package, target):
    directory = tempfile.mkdtemp(dir=UNPACKED)
    try:
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package]
        done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise PeerMissing(f"apt-get download {package}: {done.stdout.strip()}")
        for path in glob.glob(os.path.join(directory, "*.deb")):
            subprocess.run(["dpkg-deb", "-x", path, os.path.join(directory, "root")], check=True)
        os.rename(os.path.join(directory, "root"), target)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Program:
    """A program that runs in a folder of its own, where its log is too, until it is closed."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="vherd-peer-")
        self.process = None

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def start(self, words, what, seconds, is_ready, **options):
        """Returns once `is_ready` holds; where it does not come to that, nothing is left."""
        with open(self.path("log"), "wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, **options)
        try:
            wait_for(what, seconds, lambda: self.is_running() and is_ready())
        except BaseException:
            self.close()
            raise

    def is_running(self):
        if self.process.poll() is not None:
            raise AssertionError("the peer ended: " + self.log())
        return True

    def log(self, *names):
        text = ""
        for name in ("log", *names):
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    text += file.read()[-3000:]
        return text

    def close(self):
        end(self.process)
        shutil.rmtree(self.directory, ignore_errors=True)


class Peer(Program):
    """One that answers HTTP."""

    def __init__(self, package, program, arguments, port, health):
        path = os.path.join(unpack(package), program)
        super().__init__()
        self.port = port
        self.start([path, *arguments(self.directory)], f"{package} answers", 60,
                   lambda: self.is_up(health), cwd=self.directory)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def is_up(self, path):
        try:
            return self.get(path) is not None
        except OSError:
            return False

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
            return answer.read().decode()


def prometheus(port):
    """With its receiver of remote write on, scraping nothing."""
    def arguments(directory):
        config = os.path.join(directory, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("global: {scrape_interval: 1h}\n")
        return [f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"]
    return Peer("prometheus", "usr/bin/prometheus", arguments, port, "/-/ready")


def victoria_metrics(port):
    def arguments(directory):
        return [f"-storageDataPath={directory}/data", f"-httpListenAddr=127.0.0.1:{port}",
                "-search.latencyOffset=0s", "-memory.allowedPercent=10"]
    return Peer("victoria-metrics", "usr/bin/victoria-metrics", arguments, port, "/health")


def node_exporter(port):
    def arguments(directory):
        return [f"--web.listen-address=127.0.0.1:{port}", "--no-collector.systemd"]
    return Peer("prometheus-node-exporter", "usr/bin/prometheus-node-exporter", arguments, port,
                "/metrics")

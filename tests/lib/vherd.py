# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the real daemon and speaks with it: HTTP over its Unix socket or TCP, and the CLI."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import exposition
import procfs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def wait_for(what, seconds, condition, pause=0.05):
    """Poll until the condition gives something true, and give it back; else AssertionError."""
    end = time.monotonic() + seconds
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def end(process, seconds=20):
    """Ask a program of ours to end, and see to it."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def follow(test, words):
    """The list of lines that a program prints, which grows; the test's end is its end."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    test.addCleanup(process.stdout.close)
    test.addCleanup(process.wait)
    test.addCleanup(process.kill)
    lines = []
    threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")),
                     daemon=True).start()
    return lines


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def http_get(path, unix=None, tcp=None, timeout=10, method="GET", headers=None):
    """One request; (status, headers, text)."""
    if unix:
        connection = UnixConnection(unix, timeout)
    else:
        connection = http.client.HTTPConnection(*tcp, timeout=timeout)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{path}: half an answer: {error!r}") from error
    finally:
        connection.close()


def to_yaml(value, indent=0):
    """Enough YAML for our configuration: JSON scalars and flow lists under block maps."""
    text = ""
    for key, inner in value.items():
        if isinstance(inner, dict):
            text += " " * indent + f"{key}:\n" + to_yaml(inner, indent + 2)
        else:
            text += " " * indent + f"{key}: {json.dumps(inner)}\n"
    return text


class Daemon:
    """A `vherd daemon` with a folder of its own; use as a context manager."""

    def __init__(self, config=None, prefix=(), build="build", environment=None,
                 arguments=()):
        self.directory = tempfile.mkdtemp(prefix="vherd-test-")
        os.chmod(self.directory, 0o755)
        self.socket = os.path.join(self.directory, "vherd.sock")
        self.config_path = os.path.join(self.directory, "vherd.yaml")
        self.log_path = os.path.join(self.directory, "log")
        self.prefix = list(prefix)
        self.arguments = list(arguments)
        self.program = os.path.join(ROOT, build, "src", "main", "vherd")
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None
        self.store = self.directory + ".store"
        self.config = {"web": {"listen": [], "socket": self.socket},
                       "act": {"state": os.path.join(self.directory, "act")},
                       "store": {"path": self.store}}
        for section, keys in (config or {}).items():
            self.config.setdefault(section, {}).update(keys)
        self.write_config()

    def write_config(self, text=None):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(to_yaml(self.config) if text is None else text)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *unused):
        self.close()

    def command(self, *words):
        return [*self.prefix, self.program, "--config", self.config_path, *words]

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command("daemon", *self.arguments),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=20):
        wait_for("ready", seconds, self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.log()}")
        try:
            # web may answer before the supervisor has heard of all the others.
            return self.get("/-/ready")[0] == 200 and (
                not os.path.exists(self.log_path) or "vherd: ready at " in self.log())
        except OSError:
            return False

    def stop(self, seconds=10):
        """Stop as a service manager does; the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                for pid in reversed(self.processes()):
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()
            self.process = None

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
            shutil.rmtree(self.store, ignore_errors=True)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def processes(self):
        """PIDs of the supervisor and all its processes."""
        return procfs.descendants(self.process.pid)

    def process_named(self, name):
        """The PID of "core", "act", "web" or "send"."""
        for pid in self.processes():
            if procfs.program(pid) == f"vherd-{name}":
                return pid
        raise AssertionError(f"no vherd-{name} below {self.process.pid}")

    def get(self, path, **options):
        try:
            return http_get(path, unix=self.socket, **options)
        except OSError as error:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode}: "
                                     f"{self.log()}") from error
            raise

    def json(self, path, status=200):
        """The decoded answer; its status must be as given."""
        got, _, text = self.get(path)
        if got != status:
            raise AssertionError(f"{path}: {got}: {text}")
        return json.loads(text)

    def vms(self):
        return {vm["name"]: vm for vm in self.json("/vherd/v1/vms")["vms"]}

    def vm(self, name):
        return self.json("/vherd/v1/vms/" + urllib.parse.quote(name, safe=""))

    def status(self):
        return self.json("/vherd/v1/status")

    def metrics(self, query=""):
        """The exposition, parsed strictly."""
        status, headers, text = self.get("/metrics" + query)
        if status != 200 or not headers["Content-Type"].startswith("text/plain"):
            raise AssertionError(f"/metrics: {status} {headers['Content-Type']}")
        return exposition.Exposition(text)

    def cli(self, *words, check=True, **options):
        """Run a command of the CLI; its CompletedProcess with text output."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=30, env=self.environment, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"vherd {' '.join(words)}: {done.returncode}: {done.stderr}")
        return done

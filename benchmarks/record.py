# SPDX-License-Identifier: GPL-3.0-or-later
"""Records what a running daemon measures, each second, for benchmarks and tests.

    ./bench record FILE [--seconds N] [--socket PATH] [--set NAME]
    ./bench record --cat FILE

The file is described in docs/recorded-samples.md; --cat prints it as text.
"""

import argparse
import os
import subprocess
import sys
import time

from vherd import http_get

ZSTD = ["zstd", "-q", "-f", "--long=27"]


def sample_lines(text, seconds):
    """The page's samples with a time behind each; comments are left out."""
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            yield f"{line} {seconds}\n"


def metadata_lines(text):
    return [line + "\n" for line in text.split("\n")
            if line.startswith(("# HELP ", "# TYPE "))]


class Writer:
    """A recording in progress; use as a context manager."""

    def __init__(self, path, level=19):
        self.zstd = subprocess.Popen([*ZSTD, f"-{level}", "-o", path], stdin=subprocess.PIPE)
        self.described = False
        self.samples = 0

    def add(self, text, seconds):
        if not self.described:
            self.put(metadata_lines(text))
            self.described = True
        lines = list(sample_lines(text, seconds))
        self.samples += len(lines)
        self.put(lines)

    def put(self, lines):
        self.zstd.stdin.write("".join(lines).encode())

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.zstd.stdin.close()
        if self.zstd.wait() != 0:
            raise OSError("zstd failed")


def read_lines(path):
    """The recording's lines, unpacked as they are read."""
    with subprocess.Popen([*ZSTD, "-d", "-c", path], stdout=subprocess.PIPE) as zstd:
        for line in zstd.stdout:
            yield line.decode()
    if zstd.returncode != 0:
        raise OSError(f"{path}: zstd ended with {zstd.returncode}")


def read(path):
    """(seconds, series as text, value as text) of each sample, in order of time."""
    for line in read_lines(path):
        if not line.startswith("#"):
            series, value, seconds = line.rstrip("\n").rsplit(" ", 2)
            yield int(seconds), series, value


def record(path, seconds, fetch, now=time.time, sleep=time.sleep):
    """fetch() gives a page. Seconds that were missed are left out, not filled. Samples written."""
    with Writer(path) as writer:
        due = int(now()) + 1
        last = due + seconds
        while due < last:
            sleep(max(0.0, due - now()))
            writer.add(fetch(), due)
            due = max(due + 1, int(now()) + 1)
        return writer.samples


def default_socket():
    if os.geteuid() == 0:
        return "/run/vherd/vherd.sock"
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR", f"/tmp/vherd-{os.geteuid()}"), "vherd",
                        "vherd.sock")


def main(words):
    parser = argparse.ArgumentParser(prog="./bench record", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--socket", default=default_socket(), help="the daemon's Unix socket")
    parser.add_argument("--set", default="vherd", help="set of metric names")
    parser.add_argument("--cat", action="store_true", help="print a recording")
    arguments = parser.parse_args(words)
    arguments.file = os.path.join(os.environ.get("VHERD_CALLER", ""), arguments.file)
    if arguments.cat:
        for line in read_lines(arguments.file):
            sys.stdout.write(line)
        return 0

    def fetch():
        status, _, text = http_get(f"/metrics?set={arguments.set}", unix=arguments.socket)
        if status != 200:
            raise OSError(f"/metrics: status {status}")
        return text
    try:
        samples = record(arguments.file, arguments.seconds, fetch)
    except OSError as error:
        print(f"./bench record: {arguments.socket}: {error}", file=sys.stderr)
        return 1
    size = os.path.getsize(arguments.file)
    print(f"{samples} samples, {size} bytes, {size / max(samples, 1):.2f} bytes a sample")
    return 0

# SPDX-License-Identifier: GPL-3.0-or-later
"""The real supervisor and web around a fake core and act (tests/tools/fake-core.c)."""

import os
import shutil
import socket
import tempfile

import vherd

BUILD = os.path.join(vherd.ROOT, os.environ.get("VHERD_BUILD", "build"))


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def make_libexec(core="fake-core"):
    """A folder with our programs, the fakes in place of core and act."""
    directory = tempfile.mkdtemp(prefix="vherd-libexec-")
    os.chmod(directory, 0o755)
    for name, fake in (("core", core), ("act", "fake-core")):
        os.symlink(os.path.join(BUILD, "tests", fake), os.path.join(directory, f"vherd-{name}"))
    for name in ("web", "send"):
        os.symlink(os.path.join(BUILD, "src", name, f"vherd-{name}"),
                   os.path.join(directory, f"vherd-{name}"))
    return directory


class FakeDaemon(vherd.Daemon):
    """Listens on a free port of 127.0.0.1 and on its Unix socket."""

    def __init__(self, config=None, environment=None, core="fake-core", **options):
        self.libexec = make_libexec(core)
        self.port = free_port()
        merged = {"web": {"listen": [f"127.0.0.1:{self.port}"]}}
        for section, keys in (config or {}).items():
            merged.setdefault(section, {}).update(keys)
        super().__init__(config=merged, build=BUILD,
                         environment=dict(environment or {}, VHERD_LIBEXEC=self.libexec),
                         **options)

    def close(self):
        try:
            self.stop()
            log = self.log() if os.path.exists(self.log_path) else ""
            if "Sanitizer" in log or "runtime error" in log:
                raise AssertionError(log)
        finally:
            super().close()
            shutil.rmtree(self.libexec, ignore_errors=True)

    def tcp(self, path, **options):
        return vherd.http_get(path, tcp=("127.0.0.1", self.port), **options)

    def raw(self, data, timeout=15, port=None):
        """Send bytes over TCP and read until the end; the answer."""
        with socket.create_connection(("127.0.0.1", port or self.port), timeout=timeout) as peer:
            peer.sendall(data)
            return read_all(peer)

    def fake_processes(self):
        """What the supervisor told core last, by name."""
        return {row["name"]: row for row in self.json("/processes")}


def read_all(peer):
    data = b""
    while True:
        try:
            piece = peer.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece

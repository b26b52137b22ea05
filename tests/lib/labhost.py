# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts and guests, as an object; see lab/README.md."""

import os
import subprocess
import time

import procfs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "lab", "host")

_up = {}


class LabHost:
    """One libvirt host of a lab that this process brought up."""

    def __init__(self, lab_id, number=1):
        self.lab_id = lab_id
        self.number = number
        self.environment = dict(os.environ, VHERD_LAB_ID=lab_id)
        self.prefix = ["env", f"VHERD_LAB_ID={lab_id}", PROGRAM, "exec", str(number)]

    def lab(self, *words, timeout=300):
        """Run lab/host; its standard output."""
        done = subprocess.run([PROGRAM, *words], env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"lab/host {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def up(self):
        self.lab("up", "1")
        _up[self.lab_id] = self

    def down(self):
        _up.pop(self.lab_id, None)
        self.lab("down")

    def run(self, *words, check=True, timeout=60):
        """Run a command inside the host; its CompletedProcess."""
        done = subprocess.run([*self.prefix, *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done

    def virsh(self, *words, check=True, timeout=60):
        return self.run("virsh", "-q", "-c", "qemu:///system", *words, check=check,
                        timeout=timeout).stdout

    def guest(self, name, *options):
        """Make one guest; options as lab/host says, without waiting for its boot."""
        self.lab("guest", str(self.number), name, *options)

    def wait_guest(self, name, seconds=120):
        self.lab("wait", str(self.number), name, str(seconds), timeout=seconds + 30)

    def serial(self, name, words):
        return self.lab("serial", str(self.number), name, words)

    def remove(self, name):
        self.lab("rm", str(self.number), name)

    def path(self):
        """The folder that holds the host's /run, /var and /etc."""
        return self.lab("path", str(self.number)).strip()

    def mount_namespace(self):
        return self.run("readlink", "/proc/self/ns/mnt").stdout.strip()

    def processes(self):
        """PIDs of all processes inside the host."""
        wanted = self.mount_namespace()
        for pid in procfs.pids():
            try:
                if os.readlink(f"/proc/{pid}/ns/mnt") == wanted:
                    yield pid
            except OSError:
                continue

    def qemus(self):
        """{domain name: PID} of all QEMU processes of the host."""
        found = {}
        for pid in self.processes():
            try:
                name = procfs.qemu_name(pid)
            except OSError:
                continue
            if name is not None:
                found[name] = pid
        return found

    def qemu(self, name):
        return self.qemus()[name]

    def libvirtd(self):
        """The PID of libvirtd, None where none runs."""
        for pid in self.processes():
            try:
                words = procfs.command_line(pid)
            except OSError:
                continue
            if words and os.path.basename(words[0]) == "libvirtd":
                return pid
        return None

    def stop_libvirtd(self):
        pid = self.libvirtd()
        if pid is None:
            return
        os.kill(pid, 9)
        while procfs.alive(pid):
            time.sleep(0.02)

    def start_libvirtd(self):
        self.run("libvirtd", "--daemon", "--listen")


def down_all():
    """Remove every lab that up() brought up and nobody took down."""
    for host in list(_up.values()):
        host.down()

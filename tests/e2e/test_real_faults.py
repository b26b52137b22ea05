# SPDX-License-Identifier: GPL-3.0-or-later
"""Real guests and a real libvirtd that fail, stop or go away."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import procfs
import realhost
import vherd
from vherd import wait_for


DEAD_MOUNT = os.path.join(vherd.ROOT, "tests", "tools", "dead_mount.py")


def gaps(daemon, name, seconds):
    """Seconds without a CPU figure in the last ones, the open newest left out."""
    cpu = daemon.vm(name)["history"]["cpu"]
    return sum(1 for value in cpu[-seconds - 1:-1] if value is None)


class Sick(unittest.TestCase):
    def setUp(self):
        self.host = realhost.get()
        self.daemon = realhost.daemon({"libvirt": {"pool_interval": "1s"}})
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        wait_for("libvirt's data of every VM", 30, lambda: all(
            "libvirt_age_seconds" in self.daemon.vm(name) for name in realhost.GUESTS))

    def flagged(self):
        return {one["name"] for one in self.daemon.status()["flagged"]}

    def test_stopped_qemu_leaves_the_others_alone(self):
        pid = self.host.qemu("busy")
        started = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        wait_for("flagged", 10, lambda: "busy" in self.flagged())
        self.assertEqual(self.daemon.vm("busy")["process_state"], "T")
        oldest = 0
        while time.monotonic() - started < 15:
            oldest = max(oldest, *(self.daemon.vm(name)["libvirt_age_seconds"]
                                   for name in ("calm", "writer")))
            time.sleep(0.25)
        self.assertLessEqual(oldest, 12)
        self.assertEqual(self.flagged(), {"busy"})
        os.kill(pid, signal.SIGCONT)
        wait_for("no longer flagged", 10, lambda: not self.flagged())
        wait_for("fresh data again", 30,
                 lambda: self.daemon.vm("busy")["libvirt_age_seconds"] < 5, pause=0.5)
        self.assertEqual(self.daemon.status()["samples"]["missed"], 0)
        for name in realhost.GUESTS:
            self.assertEqual(gaps(self.daemon, name, int(time.monotonic() - started)), 0, name)

    def test_stopped_libvirtd_costs_no_kernel_sample(self):
        pid = self.host.libvirtd()
        started = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        slowest = 0
        while time.monotonic() - started < 12:
            before = time.monotonic()
            self.daemon.metrics()
            slowest = max(slowest, time.monotonic() - before)
            time.sleep(0.2)
        self.assertLess(slowest, 2)
        os.kill(pid, signal.SIGCONT)
        wait_for("connected", 20, lambda: self.daemon.status()["libvirt"]["up"])
        self.assertEqual(self.daemon.status()["samples"]["missed"], 0)
        for name in realhost.GUESTS:
            self.assertEqual(gaps(self.daemon, name, int(time.monotonic() - started)), 0, name)

    def test_libvirtd_killed_and_restarted(self):
        self.host.stop_libvirtd()
        self.addCleanup(lambda: self.host.libvirtd() or self.host.start_libvirtd())
        status = wait_for("noticed", 10, lambda: (
            self.daemon.status() if not self.daemon.status()["libvirt"]["up"] else None))
        self.assertIn(status["libvirt"]["status"], ("lost", "not running", "connecting"))
        wait_for("not running", 10,
                 lambda: self.daemon.status()["libvirt"]["status"] == "not running")
        self.assertEqual(self.daemon.metrics().values("libvirt_up"), [0])
        # Kernel data go on, and what libvirt says is not shown as if it were fresh.
        first = self.daemon.vm("busy")["cpu_seconds"]
        time.sleep(2.5)
        vm = self.daemon.vm("busy")
        self.assertGreater(vm["cpu_seconds"], first)
        self.assertNotIn("state", vm)
        self.assertEqual(vm["disks"][0]["target"], "vda")
        self.assertIn("not running", self.daemon.cli("list").stdout)
        self.host.start_libvirtd()
        started = time.monotonic()
        wait_for("back", 15, lambda: self.daemon.vm("busy").get("state") == "running")
        self.assertLess(time.monotonic() - started, 10)
        self.assertEqual(self.daemon.status()["samples"]["missed"], 0)

    def pools(self):
        return {pool["name"]: pool for pool in self.daemon.json("/vherd/v1/host")["pools"]}

    def with_dead_storage(self):
        """A daemon that has seen the pools "sound" and "dead" before the storage of that goes away
        in the middle of a refresh; a function that brings it back."""
        for name in ("sound", "dead"):
            folder = f"/run/pool-{name}"
            self.host.virsh("pool-define-as", name, "dir", "--target", folder)
            self.addCleanup(self.host.virsh, "pool-undefine", name)
            self.host.virsh("pool-build", name)
            self.host.virsh("pool-start", name)
            self.addCleanup(self.host.virsh, "pool-destroy", name, check=False)
        wait_for("both pools", 20, lambda: all(
            self.pools().get(name, {}).get("state") == 2 for name in ("sound", "dead")))
        mount = subprocess.Popen([*self.host.prefix, sys.executable, "-B", DEAD_MOUNT,
                                  "/run/pool-dead"], stdout=subprocess.PIPE)
        self.addCleanup(mount.communicate)
        self.addCleanup(self.host.run, "umount", "--lazy", "/run/pool-dead")
        self.addCleanup(mount.kill)
        self.assertEqual(mount.stdout.readline(), b"mounted\n")
        refresh = subprocess.Popen([*self.host.prefix, "virsh", "pool-refresh", "dead"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(refresh.wait, 30)
        self.addCleanup(mount.kill)
        return mount.kill

    def test_pool_whose_storage_is_gone(self):
        if not os.path.exists("/dev/fuse"):
            self.skipTest("needs FUSE for a file system that does not answer")
        started = time.monotonic()
        back = self.with_dead_storage()
        wait_for("it is told", 20, lambda: self.pools()["dead"]["timed_out"] == 1)
        oldest = 0
        dead_since = time.monotonic()
        while time.monotonic() - dead_since < 15:
            oldest = max(oldest, *(self.daemon.vm(name)["libvirt_age_seconds"]
                                   for name in realhost.GUESTS))
            time.sleep(0.25)
        self.assertLessEqual(oldest, 12)
        self.assertEqual(self.daemon.status()["samples"]["missed"], 0)
        self.assertEqual(self.flagged(), set())
        pools = self.pools()
        self.assertNotIn("capacity_bytes", pools["dead"])
        self.assertEqual((pools["sound"]["state"], pools["sound"]["timed_out"]), (2, 0))
        metrics = self.daemon.metrics()
        self.assertEqual(metrics.value("vherd_pool_timed_out", pool="dead"), 1)
        self.assertEqual(metrics.value(
            "vherd_unavailable", domain="", what="storage_pools",
            reason="libvirt does not answer for the storage pool dead"), 1)
        self.assertRegex(self.daemon.cli("host").stdout, r"(?m)^  dead +no answer ")
        back()
        wait_for("it answers again", 30, lambda: self.pools()["dead"]["timed_out"] == 0)
        wait_for("nothing is said of pools", 30,
                 lambda: "storage_pools" not in self.daemon.cli("status").stdout)
        for name in realhost.GUESTS:
            self.assertEqual(gaps(self.daemon, name, int(time.monotonic() - started)), 0, name)

    def test_killed_core_is_back_and_knows_all(self):
        core = self.daemon.process_named("core")
        os.kill(core, signal.SIGKILL)
        wait_for("another core", 10, lambda: any(
            procfs.program(pid) == "vherd-core" and pid != core
            for pid in self.daemon.processes()))

        def all_known():
            try:
                vms = self.daemon.vms()
            except (AssertionError, OSError):
                return False
            return all(vms.get(name, {}).get("state") == "running" for name in realhost.GUESTS)
        wait_for("all VMs again", 15, all_known)

    def test_reload_keeps_every_sample(self):
        started = time.monotonic()
        time.sleep(3)
        self.daemon.config["metrics"] = {"sets": ["vherd"]}
        self.daemon.write_config()
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for("reloaded", 10,
                 lambda: "libvirt_domain_info_vstate" not in self.daemon.metrics().types)
        self.daemon.write_config("web:\n  lisen: []\n")
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for("the complaint", 10, lambda: "lisen" in self.daemon.log())
        self.assertRegex(self.daemon.log(), r":2:3: ")
        time.sleep(3)
        self.assertNotIn("libvirt_domain_info_vstate", self.daemon.metrics().types)
        self.assertEqual(self.daemon.status()["samples"]["missed"], 0)
        for name in realhost.GUESTS:
            self.assertEqual(gaps(self.daemon, name, int(time.monotonic() - started)), 0, name)

    def test_panic_is_shown(self):
        self.host.guest("doomed", "--mode", "panic@4", "--on-crash", "preserve")
        self.addCleanup(self.host.remove, "doomed")
        vm = wait_for("the panic", 60, lambda: (
            self.daemon.vm("doomed") if self.daemon.vms().get("doomed", {}).get("state") == "crashed"
            else None), pause=0.5)
        self.assertEqual(vm["state_reason"], "panicked")
        metrics = self.daemon.metrics()
        self.assertEqual(metrics.value("libvirt_domain_info_vstate", domain="doomed"), 6)

    def test_paused_and_resumed(self):
        self.host.virsh("suspend", "calm")
        self.addCleanup(self.host.virsh, "resume", "calm", check=False)
        wait_for("paused", 5, lambda: self.daemon.vms()["calm"]["state"] == "paused")
        wait_for("why", 5, lambda: self.daemon.vm("calm").get("state_reason") == "user")
        self.host.virsh("resume", "calm")
        wait_for("running", 5, lambda: self.daemon.vms()["calm"]["state"] == "running")


class Away(unittest.TestCase):
    """libvirt that cannot be reached from the start."""

    def wait_status(self, daemon, wanted):
        status = wait_for(f"libvirt is \"{wanted}\"", 15, lambda: (
            daemon.status() if daemon.status()["libvirt"]["status"] == wanted else None))
        self.assertFalse(status["libvirt"]["up"])
        self.assertTrue(status["libvirt"]["message"])
        self.assertNotIn("\n", status["libvirt"]["message"])
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("libvirt_up"), 0)
        self.assertEqual(metrics.value("vherd_libvirt_up", status=wanted), 0)
        self.assertIn(wanted, daemon.cli("status").stdout)

    def test_no_socket(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        uri = f"qemu:///system?socket={directory}/none"
        with vherd.Daemon({"libvirt": {"uri": uri}}) as daemon:
            wanted = {"not running", "not installed"}
            status = wait_for("a verdict", 15, lambda: (
                daemon.status() if daemon.status()["libvirt"]["status"] in wanted else None))
            self.wait_status(daemon, status["libvirt"]["status"])

    def test_not_installed(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to hide libvirt's programs")
        empty = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, empty)
        hidden = ["unshare", "--mount", "sh", "-c",
                  'mount --bind "$0" /usr/sbin && mount -t tmpfs none /run && exec "$@"', empty]
        with vherd.Daemon({"libvirt": {"uri": "qemu:///system"}}, prefix=hidden) as daemon:
            self.wait_status(daemon, "not installed")
            self.assertEqual(daemon.status()["samples"]["missed"], 0)

    def test_permission_denied(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to make a socket that others may not use")
        host = realhost.get()
        socket = os.path.join(host.path(), "run", "libvirt", "libvirt-sock-ro")
        os.chmod(socket, 0o700)
        self.addCleanup(os.chmod, socket, 0o777)
        uri = "qemu:///system?socket=/run/libvirt/libvirt-sock-ro"
        user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        daemon = vherd.Daemon({"libvirt": {"uri": uri}}, prefix=[*host.prefix, *user])
        self.addCleanup(daemon.close)
        os.chown(daemon.directory, 65534, 65534)
        daemon.start()
        self.wait_status(daemon, "permission denied")
        os.chmod(socket, 0o777)
        wait_for("allowed later", 60, lambda: daemon.status()["libvirt"]["up"])
        # An ordinary user sees what the kernel shows to everybody.
        wait_for("states", 60, lambda: daemon.vms().get("calm", {}).get("state") == "running")

    def test_foreign_log_to_a_full_disk(self):
        """A log that cannot be written must not stop anything."""
        daemon = vherd.Daemon({"libvirt": {"uri": "memory:///?vms=2"}})
        self.addCleanup(daemon.close)
        with open("/dev/full", "wb") as full:
            daemon.process = subprocess.Popen(daemon.command("daemon"), stdin=subprocess.DEVNULL,
                                              stdout=full, stderr=full)
        daemon.wait_ready()
        self.assertEqual(len(daemon.vms()), 2)
        self.assertEqual(daemon.stop(), 0)

    def test_no_proc(self):
        """Without a readable /proc it says so in one sentence and does not start."""
        empty = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, empty)
        os.chmod(empty, 0o755)
        daemon = vherd.Daemon({"libvirt": {"uri": "test:///default"}, "kernel": {"root": empty}})
        self.addCleanup(daemon.close)
        daemon.start(wait=False)

        def said():
            lines = [line for line in daemon.log().splitlines()
                     if re.search(rf"{re.escape(empty)}.*(No such file|proc)", line)]
            return lines
        lines = wait_for("a sentence about proc", 15, said)
        self.assertLess(len(lines[0]), 300)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of real guests: commands, metrics, coming and going, devices, odd names."""

import json
import os
import time
import unittest
import xml.sax.saxutils

import dropin
import procfs
import realhost
from vherd import wait_for

# The promise is 1 s; the test machine may be busy with other things.
SOON = 5

TRANSIENT = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
<os><type arch='x86_64'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<memballoon model='none'/></devices></domain>"""


class Watching(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = realhost.get()
        dropin.make_pool(cls.host)
        cls.daemon = realhost.daemon({"metrics": {"misnamed": True},
                                      "libvirt": {"pool_interval": "1s"}})
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()
        wait_for("libvirt's data of every VM", 30, lambda: all(
            "libvirt_age_seconds" in cls.daemon.vm(name) for name in realhost.GUESTS))

    def define(self, name):
        """A small domain of that name, not started; gone at the test's end."""
        path = os.path.join(self.host.path(), "run", "define.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(TRANSIENT.format(name=xml.sax.saxutils.escape(name)))
        self.host.virsh("define", "/run/define.xml")
        self.addCleanup(self.host.virsh, "undefine", "--domain", name, check=False)

    def test_commands_answer(self):
        listed = self.daemon.cli("list").stdout
        for name in realhost.GUESTS:
            self.assertIn(name, listed)
            self.assertIn(name, self.daemon.cli("show", name).stdout)
        self.assertIn("qemu:///system", self.daemon.cli("status").stdout)
        self.assertIn("CPU", self.daemon.cli("host").stdout)
        self.assertIn("libvirt_domain_info_vstate", self.daemon.cli("metrics").stdout)

    def test_json_of_each_command(self):
        for words in (["list"], ["show", "calm"], ["host"], ["status"]):
            with self.subTest(command=words[0]):
                json.loads(self.daemon.cli(*words, "--json").stdout)

    def test_running_vm_in_full(self):
        vm = self.daemon.vm("busy")
        self.assertEqual((vm["state"], vm["state_reason"]), ("running", "booted"))
        self.assertEqual(int(vm["pid"]), self.host.qemu("busy"))
        self.assertEqual([vcpu["vcpu"] for vcpu in vm["vcpus"]], ["0", "1"])
        self.assertEqual([disk["target"] for disk in vm["disks"]], ["vda"])
        self.assertEqual(len(vm["nics"]), 1)
        self.assertGreater(vm["resident_bytes"], 96 * 2**20)
        self.assertLess(vm["guest_unused_bytes"], vm["guest_available_bytes"])
        self.assertGreater(vm["disks"][0]["capacity_bytes"], 0)

    def test_started_again_at_once(self):
        """Before anybody has seen that the last process is gone."""
        self.define("again")
        self.addCleanup(self.host.virsh, "destroy", "again", check=False)
        with realhost.daemon({"kernel": {"scan_interval": "1h"}}) as daemon:
            for _ in range(4):
                self.host.run("sh", "-c", "virsh -q destroy again; virsh -q start again")
                pid = str(self.host.qemu("again"))
                wait_for("its new process is known", 60, lambda: daemon.vms().get("again", {}).get(
                    "pid") == pid)

    def test_disks_that_rest_are_left_out(self):
        with realhost.daemon({"libvirt": {"interval": "5s"}}) as daemon:
            def disk():
                return daemon.vm("calm")["disks"][0]

            wait_for("disks left out", 120, lambda: daemon.metrics().value(
                "vherd_lane_spared_total", lane="disks") >= 3, pause=1)
            told = dict(line.split()[1:] for line in
                        self.host.virsh("domblkstat", "calm", "vda").strip().splitlines())
            before = disk()
            for name, field in (("rd_req", "read_requests"), ("wr_bytes", "write_bytes"),
                                ("flush_operations", "flush_requests")):
                self.assertEqual(before[field], int(told[name]), name)
            self.host.serial("calm", "write=64")
            self.addCleanup(self.host.serial, "calm", "idle")
            # Sooner than all disks are read whatever seems to be.
            wait_for("the guest's writes show", 40, lambda: disk().get(
                "write_requests", 0) > before["write_requests"], pause=1)

    def test_uuid_finds_the_same(self):
        vm = self.daemon.vm("calm")
        self.assertEqual(self.daemon.vm(vm["uuid"])["name"], "calm")
        self.assertEqual(self.host.virsh("domuuid", "calm").strip(), vm["uuid"])

    def test_unknown_vm_is_a_problem_document(self):
        status, headers, text = self.daemon.get("/vherd/v1/vms/nobody")
        self.assertEqual(status, 404)
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertIn("nobody", json.loads(text)["detail"])

    def test_vcpu_time_is_schedstats(self):
        pid = self.host.qemu("busy")
        vcpus = procfs.qemu_vcpus(pid)
        before = {n: procfs.schedstat(pid, tid)[:2] for n, tid in vcpus.items()}
        time.sleep(2.2)
        metrics = self.daemon.metrics()
        after = {n: procfs.schedstat(pid, tid)[:2] for n, tid in vcpus.items()}
        for n in vcpus:
            run = metrics.value("libvirt_domain_vcpu_time_seconds_total", domain="busy", vcpu=str(n))
            wait = metrics.value("libvirt_domain_vcpu_delay_seconds_total", domain="busy",
                                 vcpu=str(n))
            for value, low, high in ((run, before[n][0], after[n][0]),
                                     (wait, before[n][1], after[n][1])):
                self.assertLessEqual(low, round(value * 1e9))
                self.assertLessEqual(round(value * 1e9), high)

    def test_no_vcpu_is_over_100_percent(self):
        for _ in range(3):
            for name in realhost.GUESTS:
                for vcpu in self.daemon.vm(name)["vcpus"]:
                    self.assertLessEqual(vcpu["utilisation_ratio"] + vcpu["wait_ratio"], 1.001)
            time.sleep(1)

    def test_load_shows(self):
        before = self.daemon.vms()

        def ran(name):
            return self.daemon.vms()[name]["cpu_seconds"] - before[name]["cpu_seconds"]
        # A calm guest has busy seconds too; over several it has not.
        wait_for("the busy guest ran more", 25, lambda: ran("busy") > 0.5 + 2 * ran("calm"),
                 pause=0.5)
        wait_for("writes seen", 25,
                 lambda: self.daemon.vms()["writer"].get("write_bytes_per_second", 0) > 50000,
                 pause=0.5)

    def test_network_is_counted_the_guests_way_round(self):
        before = self.daemon.vm("calm")["nics"][0]
        self.host.serial("calm", "net=50")
        self.addCleanup(self.host.serial, "calm", "idle")

        def sent():
            nic = self.daemon.vm("calm")["nics"][0]
            return nic["transmit_bytes"] > before["transmit_bytes"] + 50000
        wait_for("the guest's packets under transmit", 20, sent, pause=0.5)

    def test_exposition_is_sound(self):
        wait_for("as many domains as VMs", SOON, lambda: (
            self.daemon.metrics().value("libvirt_domains") == len(self.daemon.vms())))
        metrics = self.daemon.metrics()
        self.assertEqual(metrics.value("libvirt_up"), 1)
        for name in metrics.types:
            self.assertTrue(metrics.helps.get(name), name)

    def test_sets_are_selectable(self):
        tinkoff = self.daemon.metrics("?set=tinkoff")
        self.assertIn("libvirt_domain_info_vstate", tinkoff.types)
        self.assertFalse([name for name in tinkoff.types if name.startswith("vherd_")])
        self.assertNotIn("libvirt_domain_info_state", tinkoff.types)

    def answered(self, name):
        """The VM once its agent was asked what runs there and, right after that, for its clock."""
        vm = self.daemon.vm(name)
        return vm if "guest_os" in vm and "guest_time_offset_seconds" in vm else None

    def test_agent_data(self):
        # How far off it is, an emulated guest's clock decides; test_real_virt compares it with virsh.
        vm = wait_for("the agent's two answers", 30, lambda: self.answered("calm"), pause=0.5)
        self.assertEqual(vm["guest_hostname"], "calm")
        self.assertIn("lab guest", vm["guest_os"])
        self.assertEqual(vm["guest_timezone"], "UTC")
        self.assertEqual([fs["mountpoint"] for fs in vm["filesystems"]], ["/data"])

    def test_what_is_unavailable_is_said(self):
        metrics = self.daemon.metrics()
        said = metrics.values("vherd_unavailable", domain="calm", what="kvm_stats")
        self.assertEqual(said, [1])
        self.assertNotIn("vherd_vcpu_kvm_exits_total", metrics.samples)

    def test_dirty_rate_on_request(self):
        answer = self.daemon.json("/vherd/v1/vms/busy/dirty-rate?seconds=1")
        self.assertEqual(answer["name"], "busy")
        self.assertGreaterEqual(answer["dirty_bytes_per_second"], 0)

    def test_defined_renamed_removed(self):
        self.define("young")
        wait_for("a new domain", SOON, lambda: "young" in self.daemon.vms())
        wait_for("its state", SOON,
                 lambda: self.daemon.vms()["young"].get("state") == "shut off")
        self.host.virsh("domrename", "young", "old")
        self.addCleanup(self.host.virsh, "undefine", "old", check=False)
        wait_for("its new name", SOON, lambda: "old" in self.daemon.vms())
        self.assertNotIn("young", self.daemon.vms())
        self.host.virsh("undefine", "old")
        wait_for("it is gone", SOON, lambda: "old" not in self.daemon.vms())

    def test_network_comes_starts_stops_and_goes(self):
        name = 'spare <n> "1"'
        path = os.path.join(self.host.path(), "run", "network.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"<network><name>{xml.sax.saxutils.escape(name)}</name>"
                       "<forward mode='bridge'/><bridge name='br0'/></network>")

        def shown():
            networks = {one["name"]: one for one in self.daemon.json("/vherd/v1/host")["networks"]}
            return networks.get(name, {})
        self.host.virsh("net-define", "/run/network.xml")
        self.addCleanup(self.host.virsh, "net-undefine", name, check=False)
        wait_for("a new network", 2 * SOON, lambda: shown().get("active") == 0)
        self.host.virsh("net-start", name)
        self.addCleanup(self.host.virsh, "net-destroy", name, check=False)
        self.host.virsh("net-autostart", name)
        wait_for("it is active", 2 * SOON,
                 lambda: (shown().get("active"), shown().get("autostart")) == (1, 1))
        self.assertEqual(shown()["bridge"], "br0")
        self.assertEqual(self.daemon.metrics().value("vherd_network_active", network=name), 1)
        self.host.virsh("net-destroy", name)
        wait_for("it is inactive", 2 * SOON, lambda: shown().get("active") == 0)
        self.host.virsh("net-undefine", name)
        wait_for("it is gone", 2 * SOON, lambda: not shown())

    def test_transient_domain_comes_and_goes(self):
        path = os.path.join(self.host.path(), "run", "transient.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(TRANSIENT.format(name="passing"))
        self.host.virsh("create", "/run/transient.xml", "--paused")
        self.addCleanup(self.host.virsh, "destroy", "passing", check=False)
        vm = wait_for("a transient domain", SOON, lambda: self.daemon.vms().get("passing"))
        self.assertEqual(vm["state"], "paused")
        wait_for("it is transient", 2 * SOON,
                 lambda: self.daemon.vm("passing").get("persistent") == 0)
        wait_for("its threads", SOON, lambda: self.daemon.vm("passing").get("vcpus"))
        # No guest runs that could tell of its memory.
        wait_for("its memory is counted as not known", 4 * SOON, lambda: self.daemon.metrics(
        ).values("vherd_unavailable", domain="passing", what="guest_memory") == [1], pause=0.5)
        self.host.virsh("destroy", "passing")
        wait_for("it is gone", SOON, lambda: "passing" not in self.daemon.vms())

    def test_hot_plug_of_a_disk_and_a_nic(self):
        self.host.run("qemu-img", "create", "-q", "-f", "raw",
                      "/var/lib/libvirt/images/plugged.raw", "8M")
        self.host.virsh("attach-disk", "calm", "/var/lib/libvirt/images/plugged.raw", "vdb",
                        "--live")
        self.addCleanup(self.host.virsh, "detach-disk", "calm", "vdb", "--live", check=False)
        wait_for("a plugged disk", SOON,
                 lambda: "vdb" in [disk["target"] for disk in self.daemon.vm("calm")["disks"]])
        self.host.virsh("attach-interface", "calm", "bridge", "br0", "--model", "virtio",
                        "--mac", "52:54:00:00:00:77", "--live")
        self.addCleanup(self.host.virsh, "detach-interface", "calm", "bridge", "--mac",
                        "52:54:00:00:00:77", "--live", check=False)
        wait_for("a plugged NIC, with its counters", 2 * SOON, lambda: any(
            nic["mac"] == "52:54:00:00:00:77" and "receive_bytes" in nic
            for nic in self.daemon.vm("calm")["nics"]))
        self.host.virsh("detach-disk", "calm", "vdb", "--live")
        self.host.virsh("detach-interface", "calm", "bridge", "--mac", "52:54:00:00:00:77",
                        "--live")
        wait_for("both unplugged", 3 * SOON, lambda: (
            len(self.daemon.vm("calm")["disks"]), len(self.daemon.vm("calm")["nics"])) == (1, 1))

    def chain_depth(self, path):
        """How many images are below that one, as qemu-img says."""
        chain = self.host.run("qemu-img", "info", "-U", "--backing-chain", "--output", "json", path)
        return len(json.loads(chain.stdout)) - 1

    def test_running_as_stored_and_not(self):
        for name in realhost.GUESTS:
            vm = wait_for("what is stored", 60, lambda name=name: (
                self.daemon.vm(name) if "config_differs" in self.daemon.vm(name) else None))
            self.assertEqual((vm["config_differs"], vm.get("config_differences")), (0, None), name)
            self.assertEqual(vm["snapshots"], 0)
            for disk in vm["disks"]:
                self.assertEqual(disk["chain_depth"], self.chain_depth(disk["source"]))
        stored = self.host.virsh("dumpxml", "--inactive", "calm")
        path = os.path.join(self.host.path(), "run", "calm.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(stored)
        self.addCleanup(self.host.virsh, "define", "/run/calm.xml")
        # libvirt tells nobody of this one; the next event has it seen.
        self.host.virsh("setvcpus", "calm", "1", "--config")
        self.host.virsh("suspend", "calm")
        self.host.virsh("resume", "calm")
        vm = wait_for("the difference", 6 * SOON, lambda: (
            self.daemon.vm("calm") if self.daemon.vm("calm").get("config_differs") else None))
        self.assertEqual(vm["config_differences"], "vCPUs")
        self.assertEqual(self.daemon.metrics().value("vherd_vm_config_differs", domain="calm"), 1)
        self.assertRegex(self.daemon.cli("show", "calm").stdout, r"At restart +other vCPUs")
        self.host.virsh("define", "/run/calm.xml")
        wait_for("none any more", 6 * SOON,
                 lambda: self.daemon.vm("calm").get("config_differs") == 0)

    def test_snapshots_and_chain_of_a_vm_that_is_off(self):
        folder = "/var/lib/libvirt/images"
        self.host.run("qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/below.qcow2", "8M")
        self.host.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b",
                      "below.qcow2", f"{folder}/above.qcow2")
        disk = (f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                f"<source file='{folder}/above.qcow2'/><target dev='vda' bus='virtio'/></disk>")
        path = os.path.join(self.host.path(), "run", "off.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(TRANSIENT.format(name="off").replace("<memballoon", disk + "<memballoon"))
        self.host.virsh("define", "/run/off.xml")
        self.addCleanup(self.host.virsh, "undefine", "off", "--snapshots-metadata", check=False)
        vm = wait_for("what is stored of it", 6 * SOON, lambda: (
            self.daemon.vm("off") if "off" in self.daemon.vms()
            and "snapshots" in self.daemon.vm("off") else None))
        self.assertEqual(vm["snapshots"], 0)
        self.assertNotIn("config_differs", vm)
        self.assertNotIn("snapshot_oldest_time_seconds", vm)
        wait_for("its chain", 6 * SOON, lambda: [
            one.get("chain_depth") for one in self.daemon.vm("off")["disks"]] == [1])
        before = int(time.time())
        self.host.virsh("snapshot-create-as", "off", "first")
        # A snapshot tells nobody; the next definition has it seen.
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.host.virsh("dumpxml", "--inactive", "off"))
        self.host.virsh("define", "/run/off.xml")
        vm = wait_for("its snapshot", 6 * SOON, lambda: (
            self.daemon.vm("off") if self.daemon.vm("off")["snapshots"] == 1 else None))
        self.assertGreaterEqual(vm["snapshot_oldest_time_seconds"], before)
        self.assertEqual(vm["snapshot_newest_time_seconds"], vm["snapshot_oldest_time_seconds"])

    def test_odd_names(self):
        names = ["Gerät-日本-🖥", "a\"b'c\\d", "<script>alert(1)<&script>", "--option", "-rf",
                 "white  space", "a,b=c", "%2e%2e", "é" * 120 + "x" * 7, "{{7*7}}", "‮evil"]
        for name in names:
            with self.subTest(name=name):
                self.define(name)
                wait_for("a domain of that name", SOON, lambda: name in self.daemon.vms())
                self.assertEqual(self.daemon.vm(name)["name"], name)
        metrics = self.daemon.metrics()
        seen = {labels["domain"] for labels, _ in metrics.samples["libvirt_domain_info_vstate"]}
        self.assertLessEqual(set(names), seen)
        listed = self.daemon.cli("list").stdout
        self.assertNotIn("‮", listed)
        self.assertIn("--option", self.daemon.cli("show", "--", "--option").stdout)
        page = self.daemon.get("/")[2]
        self.assertNotIn("<script>alert", page)
        self.assertIn("&lt;script&gt;alert", page)

    def test_drop_in_for_both_exporters(self):
        self.host.guest("dropin", "--vcpus", "2", *dropin.GUEST_OPTIONS)
        self.addCleanup(self.host.remove, "dropin")
        self.host.wait_guest("dropin")
        with dropin.running_job(self.host, "dropin"):
            wait_for("the job", 90, lambda: (self.daemon.vm("dropin").get("job_type") or 0) > 0,
                     pause=0.5)
            wait_for("the agent's data", 30,
                     lambda: self.daemon.vm("dropin").get("filesystems"), pause=0.5)
            self.daemon.metrics()  # vherd_series counts those of the page before
            metrics = self.daemon.metrics()
        with self.subTest(table="our own"):
            self.assertEqual(dropin.missing(metrics, dropin.OWN_TABLE)[1], [])
        table = dropin.conformance("exporters", "metrics.tsv")
        with self.subTest(table="conformance"):
            if not table:
                self.skipTest("VHERD_CONFORMANCE is not set")
            self.assertEqual(dropin.missing(metrics, table)[1], [])
        folder = dropin.conformance("dashboards")
        with self.subTest(table="dashboards"):
            if not folder:
                self.skipTest("VHERD_CONFORMANCE is not set")
            self.assertEqual(dropin.dashboard_names(folder) - set(metrics.samples), set())

# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on the part that acts, on real guests: images that lead to other files, a full disk, two
deeds at once, a guest that ignores its shutdown, grants that are forged by a client."""

import json
import os
import subprocess
import unittest

import realact
import realhost
import vherd

SECRET = "this-is-the-hosts-own-secret"
IMAGES = "/var/lib/libvirt/images"


class RedTeam(unittest.TestCase):
    def setUp(self):
        self.host = realhost.get()
        self.daemon = realhost.daemon({"act": {"parallel": 4}})
        self.stage = realact.Stage(self.host, self.daemon, "red")
        self.stage.make_pools()
        self.addCleanup(self.daemon.close)
        self.addCleanup(self.stage.drop_pools)
        self.addCleanup(self.stage.remove_all)
        self.daemon.start()
        # Outside every pool; what root may read and a client must not.
        self.secret = os.path.join(self.daemon.directory, "secret")
        with open(self.secret, "w", encoding="utf-8") as file:
            file.write(SECRET.ljust(4096, "."))

    def shell(self, command):
        return self.host.run("sh", "-c", command).stdout

    def refuses(self, says, *words):
        done, why = self.stage.attempt(*words)
        self.assertFalse(done, words)
        self.assertIn(says, why)

    def create(self, name, **disk):
        fields = ",".join(f"{key}={value}" for key, value in disk.items())
        return ("vm", "create", name, "--memory", "64M", "--disk", f"pool=images,{fields}")

    def test_images_that_lead_out_of_the_pool(self):
        shell = self.shell
        shell(f"cd {IMAGES} && qemu-img create -q -f qcow2 -F raw -b {self.secret} red-shadow.qcow2")
        shell(f"cd {IMAGES} && qemu-img create -q -f qcow2 -F qcow2 -b red-shadow.qcow2"
              " red-above.qcow2")
        shell(f"cd {IMAGES} && qemu-img create -q -f qcow2 -o data_file=red-data.raw red-data.qcow2"
              " 1M && rm red-data.raw")
        shell(f"cd {IMAGES} && qemu-img create -q -f vmdk red-vmdk.vmdk 1M")
        shell(f"ln -s {self.secret} {IMAGES}/red-link.raw")
        cases = [("red-shadow.qcow2", "in no storage pool"),
                 ("red-above.qcow2", "in no storage pool"),
                 ("red-data.qcow2", "another file for its data"), ("red-vmdk.vmdk", "VMDK")]
        for volume, says in cases:
            for how in ({"image": volume}, {"volume": volume, "format": "qcow2"}):
                with self.subTest(volume, how=list(how)):
                    self.refuses(says, *self.create("red1", **how))
        for how in ({"image": "red-link.raw"}, {"volume": "red-link.raw", "format": "raw"}):
            done, why = self.stage.attempt(*self.create("red1", **how))
            self.assertFalse(done, why)
        self.refuses("say format", *self.create("red1", volume="red-above.qcow2"))
        self.assertEqual(self.stage.vms(), [])
        shell(f"rm -f {IMAGES}/red-*")

    def test_a_guest_writes_a_header_into_its_raw_disk(self):
        """Copied as libvirt sees it, the clone would hold a file of the host."""
        self.stage.do(*self.create("red1", size="1M", format="raw"))
        self.shell(f"cd {IMAGES} && qemu-img create -q -f qcow2 -F raw -b {self.secret} red.tmp && "
                   "dd if=red.tmp of=red1-vda.raw conv=notrunc status=none && rm red.tmp")
        self.refuses("its guest may have made it", "vm", "clone", "red1", "--name", "red2")
        self.refuses("in no storage pool", *self.create("red2", image="red1-vda.raw"))
        found = self.host.run("grep", "-rl", SECRET, IMAGES, check=False)
        self.assertEqual((found.returncode, found.stdout), (1, ""))

    def test_names_and_paths(self):
        for name in ("../x", "-x", "--help", ".hidden", "a/b", "x\ny", ""):
            with self.subTest(name):
                status = self.post("/vherd/v1/vms", {"name": name, "memory": "64M"})[0]
                self.assertEqual(status, 400)
        for field, value in (("volume", "../../../etc/shadow"), ("volume", "/etc/shadow"),
                             ("image", "-b"), ("pool", "../images"), ("target", "vda'/><x>")):
            disk = {"pool": "images", "size": "1M", field: value}
            with self.subTest(field, value=value):
                status, text = self.post("/vherd/v1/vms", {"name": "red1", "memory": "64M",
                                                           "disks": [disk]})
                self.assertGreaterEqual(status, 400, text)
        status, text = self.post("/vherd/v1/vms", {"name": "red1", "memory": "64M",
                                                   "xml": "<domain/>"})
        self.assertEqual(status, 400, text)
        self.assertEqual(self.stage.vms(), [])

    def post(self, path, body):
        connection = vherd.UnixConnection(self.daemon.socket, 60)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def test_no_space_in_the_middle_of_a_clone(self):
        """A pool that is a small file system of its own."""
        self.shell("mkdir -p /var/lib/libvirt/red && mount -t tmpfs -o size=24m none"
                   " /var/lib/libvirt/red")
        self.addCleanup(self.shell, "umount /var/lib/libvirt/red; rmdir /var/lib/libvirt/red")
        self.host.virsh("pool-define-as", "red", "dir", "--target", "/var/lib/libvirt/red")
        self.addCleanup(self.host.virsh, "pool-undefine", "red", check=False)
        self.host.virsh("pool-start", "red")
        self.addCleanup(self.host.virsh, "pool-destroy", "red", check=False)
        self.stage.do("vm", "create", "red1", "--memory", "64M", "--disk",
                      "pool=red,size=16M,format=raw")
        self.shell("dd if=/dev/urandom of=/var/lib/libvirt/red/red1-vda.raw bs=1M count=14"
                   " conv=notrunc status=none")
        done = self.stage.run("vm", "clone", "red1", "--name", "red2", "--wait", "--json")
        task = json.loads(done.stdout)
        self.assertEqual(task["state"], "failed", task)
        self.assertIn("no volume of it is left", task["message"])
        self.assertEqual(self.stage.vms(), ["red1"])
        self.assertEqual(self.shell("ls /var/lib/libvirt/red").split(), ["red1-vda.raw"])
        self.stage.do("vm", "delete", "red1", "--disks", "delete")
        self.assertEqual(self.shell("ls /var/lib/libvirt/red"), "")

    def running(self):
        """The numbers of the tasks that run."""
        tasks = json.loads(self.stage.vherd("task", "list", "--state", "running", "--json"))["tasks"]
        return [t["id"] for t in tasks]

    def check_cancelling(self):
        """Of a task that runs, with its bar on a terminal, and of one that waits for it."""
        terminal, inner = os.openpty()
        self.addCleanup(os.close, terminal)
        down = subprocess.Popen(self.daemon.command("vm", "shutdown", "red1", "--timeout", "120s",
                                                    "--wait"), stdout=subprocess.PIPE, stderr=inner)
        os.close(inner)
        first = vherd.wait_for("the shutdown to begin", 20, self.running)[0]
        second = json.loads(self.stage.vherd("vm", "reset", "red1", "--json"))["id"]
        for number, how in ((first, "has begun"), (second, "waits")):
            said = self.stage.vherd("task", "cancel", str(number), "--dry-run")
            self.assertRegex(said, f"cancel task {number}: vm[.].* red1, which {how}")
        self.assertEqual(self.running(), [first])
        self.assertIn("cancelled", self.stage.vherd("task", "cancel", str(second)))
        self.stage.vherd("task", "cancel", str(first))
        self.assertIn(b"cancelled", down.communicate(timeout=60)[0])
        self.assertNotEqual(down.returncode, 0)
        self.assertEqual(self.stage.state("red1"), "running")
        self.assertRegex(os.read(terminal, 65536).decode(), rf"[#.]{{10,}} task {first} ")
        records = json.loads(self.stage.vherd("audit-log", "--json"))["records"]
        self.assertEqual(sorted(int(r["object"]) for r in records if r["verb"] == "task cancel"),
                         [first, second])
        self.assertEqual(sorted(r["verb"] for r in records if r["result"] == "cancelled"),
                         ["vm.reset", "vm.shutdown"])

    def test_two_deeds_at_once_and_a_deaf_guest(self):
        self.stage.create("red1", "--start")
        # It has no acpid yet, so that it hears no request to shut down.
        self.stage.boot("red1")
        self.stage.guest("red1", "(sleep 2; kill $(pidof acpid) $(pidof qemu-ga)) > /dev/null 2>&1 &")
        vherd.wait_for("the agent's end", 30, lambda: not self.stage.ping("red1"))
        self.check_cancelling()
        down = subprocess.Popen(self.daemon.command("vm", "shutdown", "red1", "--timeout", "8s",
                                                    "--wait", "--json"), stdout=subprocess.PIPE)
        vherd.wait_for("the shutdown to begin", 20, self.running)
        second = json.loads(self.stage.vherd("vm", "pause", "red1", "--json"))
        self.assertEqual(second["state"], "queued")
        task = json.loads(down.communicate(timeout=60)[0])
        self.assertEqual(task["state"], "failed", task)
        self.assertIn("did not end within 8 s", task["message"])
        self.assertIn("the VM is now running", task["message"])
        # The second was not lost, and came after the first.
        self.stage.closed()
        self.assertEqual(self.stage.state("red1"), "paused")
        self.stage.do("vm", "resume", "red1")
        task = self.stage.do("vm", "shutdown", "red1", "--timeout", "3s", "--fallback", "destroy")
        self.assertEqual((task["result"]["fallback"], self.stage.state("red1")),
                         ("destroy", "shut off"))

    def test_what_a_client_claims_to_be(self):
        """Headers, fields and frames that only core and web may use have no meaning from outside."""
        connection = vherd.UnixConnection(self.daemon.socket, 30)
        try:
            for headers in ({"X-Vherd-Grant": "admin"}, {"X-Vherd-Principal": "root"},
                            {"Authorization": "Bearer vherd_0123456789abcdef_" + "A" * 43}):
                connection.request("POST", "/vherd/v1/vms", json.dumps({"name": "red1"}),
                                   {"Content-Type": "application/json", **headers})
                answer = connection.getresponse()
                answer.read()
                self.assertIn(answer.status, (400, 401))
        finally:
            connection.close()
        for field in ("principal", "role", "grant", "uuid"):
            status, text = self.post("/vherd/v1/vms", {"name": "red1", "memory": "64M",
                                                       field: "root"})
            self.assertEqual(status, 400, text)
        self.assertEqual(self.stage.vms(), [])

    def test_what_act_holds(self):
        """No capability, no new privileges, a filter, no files but its own; it runs no program."""
        said = {one["process"]: one["sandbox"] for one in self.daemon.status()["processes"]}
        self.assertIn("seccomp, no programs", said["act"])
        # Where the kernel has Landlock, web says so too.
        self.assertEqual("landlock ABI" in said["act"], "landlock ABI" in said["web"], said)
        act = self.daemon.process_named("act")
        for thread in os.listdir(f"/proc/{act}/task"):
            with open(f"/proc/{act}/task/{thread}/status", encoding="utf-8") as file:
                status = dict(line.split(":\t", 1) for line in file.read().splitlines()
                              if ":\t" in line)
            for field in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
                self.assertEqual(int(status[field], 16), 0, field)
            self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"))


if __name__ == "__main__":
    unittest.main()

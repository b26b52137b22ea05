# SPDX-License-Identifier: GPL-3.0-or-later
"""What managing VMs costs: many starts beside virsh, and a file applied twice."""

import json
import os
import subprocess
import time

import labhost
import vherd

LAB = "bench-act"


def run_vherd(daemon, *words):
    done = subprocess.run(daemon.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout} {done.stderr}")
    return done.stdout


def wanted(count):
    """Guests that have nothing to boot: only libvirt's and QEMU's work is measured."""
    vms = "".join(f"  - {{name: many{i:02}, memory: 32M, labels: {{set: bench}},"
                  f" disks: [{{pool: images, size: 1M}}]}}\n" for i in range(count))
    return "vms:\n" + vms


def apply(daemon, report, count):
    path = os.path.join(daemon.directory, "wanted.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(wanted(count))
    start = time.monotonic()
    first = json.loads(run_vherd(daemon, "apply", path, "--json"))
    report.row(f"vherd apply: {count} VMs made", time.monotonic() - start, "s")
    report.at_least("vherd apply: VMs made", len(first["tasks"]), "VMs", count)
    again = json.loads(run_vherd(daemon, "apply", path, "--json"))
    report.at_most("vherd apply again: deeds asked for", len(again["tasks"]), "deeds", 0)


def starts(daemon, host, report, count):
    names = [f"many{i:02}" for i in range(count)]
    start = time.monotonic()
    # One shell inside the host, so that only virsh itself is counted.
    host.run("sh", "-c", f"for i in {' '.join(names)}; do virsh -q start $i || exit 1; done",
             timeout=300)
    theirs = time.monotonic() - start
    for name in names:
        host.virsh("destroy", name)
    start = time.monotonic()
    tasks = json.loads(run_vherd(daemon, "vm", "start", *names, "--wait", "--json"))
    ours = time.monotonic() - start
    failed = sum(1 for task in tasks if task["state"] != "done")
    report.row(f"virsh start in a loop, {count} guests", theirs, "s")
    report.at_most(f"vherd vm start of {count} guests", ours, "s", theirs)
    report.at_most("vherd vm start: failures", failed, "guests", 0)


def run(arguments, report):
    count = 6 if arguments.quick else 20
    host = labhost.LabHost(LAB)
    if os.path.exists(f"/run/vherd-lab-{LAB}/up"):
        host.down()
    host.up()
    daemon = vherd.Daemon({"libvirt": {"uri": "qemu:///system"}}, prefix=host.prefix)
    daemon.config["act"] = {"state": os.path.join(daemon.directory, "act")}
    daemon.write_config()
    try:
        host.virsh("pool-define-as", "images", "dir", "--target", "/var/lib/libvirt/images")
        host.virsh("pool-start", "images")
        daemon.start()
        vherd.wait_for("libvirt", 30, lambda: daemon.status()["libvirt"]["up"])
        apply(daemon, report, count)
        starts(daemon, host, report, count)
        run_vherd(daemon, "vm", "destroy", "--match", "many*", "--wait")
        run_vherd(daemon, "vm", "delete", "--match", "many*", "--disks", "delete", "--wait")
    finally:
        daemon.close()
        host.down()

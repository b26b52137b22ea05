# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab host with a few guests, shared by all tests of a run that need real ones."""

import os
import unittest

import labhost
import vherd

LAB = os.environ.get("VHERD_TEST_LAB", "e2e")
GUESTS = ("calm", "busy", "writer")

_host = None


def get():
    """The host with its guests booted; skips the test where there can be none."""
    global _host
    if os.geteuid() != 0:
        raise unittest.SkipTest("real guests need root")
    if _host is None:
        host = labhost.LabHost(LAB)
        if os.path.exists(f"/run/vherd-lab-{LAB}/up"):
            host.down()
        host.up()
        host.guest("calm", "--vcpus", "2")
        host.guest("busy", "--vcpus", "2", "--mode", "cpu=20")
        host.guest("writer", "--mode", "write=256")
        for name in GUESTS:
            host.wait_guest(name)
        _host = host
    return _host


def daemon(config=None, **options):
    """A daemon that watches that host; not started yet."""
    host = get()
    merged = {"libvirt": {"uri": "qemu:///system"}}
    for section, keys in (config or {}).items():
        merged.setdefault(section, {}).update(keys)
    return vherd.Daemon(merged, prefix=host.prefix, **options)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of real guests, told by the rules that vherd ships: each once, in the right words."""

import os
import signal
import unittest

import faultplay
import quietplay
import realhost
import vherd
from vherd import wait_for

GUESTS = ("full", "lost", "panics", "crashes")


class Told(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = realhost.get()
        cls.storage = faultplay.Storage(cls.host)
        cls.addClassCleanup(cls.storage.close)
        for name in GUESTS:
            cls.addClassCleanup(cls.host.lab, "rm", "1", name)
        cls.host.guest("panics")
        cls.host.guest("crashes")
        cls.storage.guest_on_small("full")
        cls.storage.guest_on_server("lost")
        for name in GUESTS:
            cls.host.wait_guest(name, 300)
        cls.sink = faultplay.Sink(cls.host)
        cls.addClassCleanup(cls.sink.close)
        cls.daemon = vherd.Daemon(faultplay.config(cls.sink), prefix=cls.host.prefix)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()
        wait_for("all guests are known", 120, lambda: set(GUESTS) <= set(cls.daemon.vms()) and
                 faultplay.is_well(cls.daemon))

    def test_1_nothing_is_told_of_what_people_do(self):
        quiet = quietplay.Quiet(self.host, self.daemon, self.sink,
                                ("calm", "lost", "panics", "crashes"))
        self.assertEqual(quiet.run(20, pause_s=8), [])
        self.assertGreaterEqual(quiet.reboots, 1)

    def test_2_each_fault_is_told_once(self):
        """libvirtd's end, while the others last, is one incident more and the end of none."""
        faults = faultplay.faults(self.host, self.storage, "calm", *GUESTS)
        self.addCleanup(lambda: os.kill(self.host.qemu("calm"), signal.SIGCONT))
        wrong = faultplay.play_together(self.sink, faults, 3, 240)
        for fault in faults:
            with self.subTest(fault.name):
                self.assertEqual(wrong[fault.name], [])
        os.kill(self.host.qemu("calm"), signal.SIGCONT)
        wait_for("libvirt is back", 120, lambda: faultplay.is_well(self.daemon), 0.5)
        wait_for("an end is told too", 240, lambda: ("resolved", "VmProcessStopped", "calm") in {
            (t.status, t.alert, t.domain) for t in self.sink.told()}, 0.5)


if __name__ == "__main__":
    unittest.main()

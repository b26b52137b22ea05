# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of real guests, told by the rules that vherd ships: each once, in the right words."""

import unittest

import faultplay
import quietplay
import realhost
import vherd
from vherd import wait_for

GUESTS = ("victim", "full", "lost")


class Told(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = realhost.get()
        cls.storage = faultplay.Storage(cls.host)
        cls.addClassCleanup(cls.storage.close)
        for name in GUESTS:
            cls.addClassCleanup(cls.host.lab, "rm", "1", name)
        cls.host.guest("victim")
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
                                ("calm", "lost", "victim", "full"))
        self.assertEqual(quiet.run(20, pause_s=8), [])
        self.assertGreaterEqual(quiet.reboots, 1)

    def test_2_each_fault_is_told_once(self):
        for fault in faultplay.faults(self.host, self.storage, *GUESTS):
            with self.subTest(fault.name):
                outcome = faultplay.play(self.daemon, self.sink, fault, 3, 240)
                self.assertEqual(outcome.wrong, [])


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests that idle, are paused, saved and restart: what people do to VMs, of which none is a fault."""

import time

from vherd import wait_for


class Quiet:
    """`guests`: names of four that run; used up one each for idle, paused, saved, rebooting."""

    def __init__(self, host, daemon, sink, guests):
        self.host, self.daemon, self.sink = host, daemon, sink
        self.idle, self.paused, self.saved, self.rebooting = guests
        self.reboots = 0

    def state(self, name):
        return self.daemon.vms().get(name, {}).get("state")

    def begin(self):
        """Once nothing is told any more, as of guests that were just made."""
        self.before = len(self.sink.told())
        self.host.virsh("suspend", self.paused)
        self.host.virsh("managedsave", self.saved, timeout=180)
        wait_for("it is saved", 60, lambda: self.state(self.saved) == "shut off")
        wait_for("it is paused", 60, lambda: self.state(self.paused) == "paused")

    def boots(self):
        return self.host.lab("log", str(self.host.number), self.rebooting).count("VHERD-READY")

    def round(self):
        """Reset, as by its button, and the guest's own restart, in turn."""
        before = self.boots()
        self.reboots += 1
        if self.reboots % 2:
            self.host.virsh("reset", self.rebooting)
        else:
            self.host.serial(self.rebooting, "sh (sleep 1; reboot -f) >/dev/null 2>&1 &")
        wait_for("it has booted again", 240, lambda: self.boots() > before, 0.5)

    def run(self, seconds, pause_s=20):
        """Alerts told meanwhile."""
        self.begin()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.round()
                time.sleep(max(0, min(pause_s, end - time.monotonic())))
        finally:
            self.finish()
        time.sleep(2)
        return [t for t in self.sink.told()[self.before:] if t.status == "firing"]

    def finish(self):
        """All run again, which is no fault either."""
        self.host.virsh("resume", self.paused)
        self.host.virsh("start", self.saved, timeout=180)
        wait_for("all run", 60, lambda: all(
            self.state(name) == "running" for name in (self.paused, self.saved)))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write over outages: of the receiver, of vherd-send, of all of vherd. Nothing that the log
holds is lost, and what waits costs no memory."""

import os
import shutil
import tempfile
import time
import unittest

import building
import procfs
from flow import Flow, Page, job, remote
from remotewrite import Answer, Receiver, key_of
from vherd import wait_for

LONG = bool(os.environ.get("VHERD_TEST_LONG"))


class Outage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not building.build("build", None, ["tests/flow-core"]):
            raise AssertionError("build does not build")

    def setUp(self):
        self.page = Page("".join(f'a{{i="{i}"}} {i}\n' for i in range(20)))
        self.receiver = Receiver()
        self.directory = tempfile.mkdtemp(prefix="vherd-outage-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.addCleanup(self.receiver.close)
        self.addCleanup(self.page.close)

    def flow(self, version=1, queue=None, **more):
        return Flow({"scrape": [job(self.page.address, interval="100ms")],
                     "remote_write": [remote(self.receiver, version, queue, **more)]},
                    directory=self.directory)

    def check_all_arrives(self, flow, seconds=60):
        """All that came in until now."""
        wanted = {(series, t) for series, t, _ in flow.samples()}
        self.assertGreater(len(wanted), 100)
        try:
            wait_for("all samples", seconds, lambda: wanted <= self.receiver.delivered(), 0.2)
        except AssertionError:
            missing = wanted - self.receiver.delivered()
            self.fail(f"{len(missing)} of {len(wanted)} lost, such as {sorted(missing)[:3]}")

    def test_receiver_goes_and_comes(self):
        with self.flow(queue={"max_backoff": "300ms"}) as flow:
            wait_for("samples", 20, self.receiver.delivered)
            for kind in ("closed", "failing"):
                if kind == "closed":
                    self.receiver.stop()
                else:
                    self.receiver.default = Answer(503)
                time.sleep(30 if LONG else 3)
                before = self.receiver.delivered()
                self.assertTrue({(s, t) for s, t, _ in flow.samples()} - before)
                self.receiver.default = Answer(204)
                if kind == "closed":
                    self.receiver.start()
                self.check_all_arrives(flow)
            self.assertIn("works again", flow.log())

    def test_unreachable_receiver_costs_no_memory(self):
        self.page.text = "".join(f'a{{i="{i}",text="{"x" * 50}"}} {i}\n' for i in range(3000))
        self.receiver.stop()
        with self.flow() as flow:
            flow.wait_sample("a{")
            pid = flow.send_pid()
            time.sleep(2)
            early = procfs.pss_bytes(pid)
            time.sleep(20 if LONG else 5)
            self.assertLess(procfs.pss_bytes(pid) - early, 8 << 20)

    def test_restart_goes_on_where_it_was(self):
        with self.flow() as flow:
            wait_for("samples", 20, self.receiver.delivered)
            self.receiver.default = Answer(503)
            time.sleep(1)
            flow.restart()
            time.sleep(0.5)
            self.receiver.default = Answer(204)
            self.check_all_arrives(flow)
            counts = {}
            for labels, samples in self.receiver.taken().items():
                for t, _, _ in samples:
                    counts[key_of(labels), t] = counts.get((key_of(labels), t), 0) + 1
            # An orderly end gives the last batch away at most twice, the beginning never.
            first = min(t for _, t in counts)
            self.assertEqual({n for (_, t), n in counts.items() if t < first + 300}, {1})

    def test_killed_and_started_again(self):
        with self.flow() as flow:
            for _ in range(20 if LONG else 4):
                time.sleep(0.7)
                flow.kill()
                flow.start()
            self.check_all_arrives(flow)

    def test_connection_to_core_breaks(self):
        with self.flow() as flow:
            for _ in range(5):
                time.sleep(0.3)
                flow.drop_connection()
            time.sleep(0.5)
            # What was on its way from send to core when the connection broke may be gone; what core
            # has must arrive.
            self.check_all_arrives(flow)

    def test_retry_after(self):
        self.receiver.answers = [Answer(503, headers={"Retry-After": "2"})]
        with self.flow():
            wait_for("the second request", 20, lambda: len(self.receiver.writes()) > 1)
        first, second = self.receiver.writes()[:2]
        self.assertGreaterEqual(second.at - first.at, 1.9)

    def test_age_limit_drops_what_is_too_old(self):
        self.receiver.default = Answer(503)
        with self.flow(queue={"sample_age_limit": "2s"}) as flow:
            wait_for("samples", 20, self.receiver.writes)
            time.sleep(4)
            self.receiver.default = Answer(204)
            back = time.time() * 1000
            wait_for("samples again", 20, self.receiver.delivered)
            oldest = min(t for _, t in self.receiver.delivered())
            self.assertGreater(oldest, back - 3500)
            self.assertGreater(len(flow.samples()), 0)

    def test_external_labels_and_relabelling(self):
        self.receiver.default = Answer(204)
        config = {"scrape": [job(self.page.address, interval="100ms")],
                  "global": {"external_labels": {"host": "h1", "job": "never"}},
                  "remote_write": [remote(self.receiver, write_relabel_configs=[
                      {"source_labels": ["__name__"], "regex": "a", "action": "keep"},
                      {"source_labels": ["i"], "regex": "(1.)", "target_label": "teen"}])]}
        with Flow(config, directory=self.directory):
            wait_for("samples", 20, self.receiver.delivered)
        for labels in self.receiver.taken():
            pairs = dict(labels)
            self.assertEqual((pairs["__name__"], pairs["host"], pairs["job"]), ("a", "h1", "app"))
            self.assertEqual(pairs.get("teen"),
                             pairs["i"] if 10 <= int(pairs["i"]) < 20 else None)

    def test_receiver_of_1_0_gets_1_0(self):
        """As Debian's Prometheus and VictoriaMetrics: 204 to 2.0, and nothing stored."""
        self.receiver.default = Answer(204, confirm=False)
        with self.flow(version=2) as flow:
            wait_for("samples", 20, lambda: len(self.receiver.writes()) > 3)
            writes = self.receiver.writes()
            self.assertEqual([request.version for request in writes[:4]], [2, 1, 1, 1])
            one, two = [{(key_of(series["labels"]), sample["t"]) for series in request.series
                         for sample in series["samples"]} for request in writes[:2]]
            self.assertEqual(one, two)
            self.assertIn("does not confirm version 2.0", flow.log())

    def test_ten_minutes_compressed(self):
        """600 scrapes' worth of samples wait in the log, and then all go."""
        self.receiver.stop()
        with self.flow(queue={"max_samples_per_send": 500, "max_backoff": "200ms"}) as flow:
            # 20 series and 5 reports, ten times a second.
            want = 600 * 25 if LONG else 100 * 25
            wait_for("samples", 120, lambda: len(flow.samples()) >= want, 0.5)
            self.receiver.start()
            self.check_all_arrives(flow, 120)
            self.assertEqual(os.path.exists(os.path.join(self.directory, "remote-write")), True)

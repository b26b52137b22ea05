# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Prometheus, VictoriaMetrics and node_exporter as real peers: what is scraped, written and
read back is equal."""

import json
import math
import os
import time
import unittest
import urllib.parse

import building
import debianpeers as peers
from fakedaemon import free_port
from flow import Flow, Page, job
from vherd import ROOT, wait_for

PAGE = """# HELP guest_cpu_seconds_total CPU of a guest.
# TYPE guest_cpu_seconds_total counter
guest_cpu_seconds_total{vm="db \\"1\\"",os="Débian 🐧"} 12.25
guest_cpu_seconds_total{vm="web"} 0.1234567890123456
# TYPE guest_up gauge
guest_up{vm="web"} 1
tiny 5e-300
huge 1.5e300
minus -7
infinite +Inf
"""


# VictoriaMetrics keeps 14 decimal digits.
DIGITS = 1e-13


def peer(start):
    try:
        return start(free_port())
    except peers.PeerMissing as missing:
        raise unittest.SkipTest(str(missing))


def series_in(text):
    """{(name, labels as JSON): value} of samples as flow-core prints them."""
    name, _, rest = text.partition("{")
    labels = {}
    decoder = json.JSONDecoder()
    rest = rest.rstrip("}") if not rest.endswith('"}') else rest[:-1]
    at = 0
    while at < len(rest):
        equals = rest.index("=", at)
        value, end = decoder.raw_decode(rest, equals + 1)
        labels[rest[at:equals]] = value
        at = end + 2
    labels["__name__"] = name
    return labels


def key(labels):
    return json.dumps(labels, sort_keys=True)


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not building.build("build", None, ["tests/flow-core"]):
            raise AssertionError("build does not build")

    def query(self, receiver, selector, first_ms, last_ms):
        """{series: {t_ms: value}} by the query API's raw samples."""
        seconds = math.ceil((time.time() * 1000 - first_ms) / 1000) + 5
        query = urllib.parse.urlencode({"query": f"{selector}[{seconds}s]"})
        answer = json.loads(receiver.get(f"/api/v1/query?{query}"))
        self.assertEqual(answer["status"], "success")
        out = {}
        for row in answer["data"]["result"]:
            out[key(row["metric"])] = {
                round(float(t) * 1000): float(v) for t, v in row["values"]
                if first_ms <= round(float(t) * 1000) <= last_ms}
        return {name: values for name, values in out.items() if values}

    def round_trip(self, start, message, settle=None, precision=0.0):
        receiver = peer(start)
        self.addCleanup(receiver.close)
        page = Page(PAGE)
        self.addCleanup(page.close)
        remote = {"url": f"http://{receiver.address}/api/v1/write", "protobuf_message": message,
                  "queue_config": {"batch_send_deadline": "200ms"}}
        with Flow({"scrape": [job(page.address, interval="500ms")],
                   "remote_write": [remote]}) as flow:
            wait_for("samples", 30, lambda: len(flow.values("guest_up")) >= 6)
            time.sleep(1.5)
            wanted = {}
            for text, t, value in flow.samples():
                wanted.setdefault(key(series_in(text)), {})[t] = float(value)
        if settle:
            settle(receiver)
        times = [t for values in wanted.values() for t in values]
        # The last scrape may have come after the last request.
        first, last = min(times), max(times) - 1000
        wanted = {name: {t: v for t, v in values.items() if t <= last}
                  for name, values in wanted.items() if min(values) <= last}
        self.assertGreaterEqual(len(wanted), 12)

        def same(a, b):
            return a is not None and a.keys() == b.keys() and all(
                a[t] == b[t] or math.isclose(a[t], b[t], rel_tol=precision) for t in b)

        def equal():
            seen = self.query(receiver, '{job="app"}', first, last)
            return seen.keys() == wanted.keys() and all(same(seen[name], values)
                                                        for name, values in wanted.items())
        try:
            wait_for("the same samples", 40, equal, 0.5)
        except AssertionError:
            seen = self.query(receiver, '{job="app"}', first, last)
            differing = {name: (seen.get(name), values) for name, values in wanted.items()
                         if not same(seen.get(name), values)}
            self.fail(f"wrong or missing: {differing}; unknown: {set(seen) - set(wanted)}")
        return receiver, flow

    def test_prometheus(self):
        receiver, _ = self.round_trip(peers.prometheus, "prometheus.WriteRequest")
        meta = json.loads(receiver.get("/api/v1/status/tsdb"))
        self.assertEqual(meta["status"], "success")

    def test_prometheus_asked_for_2_0(self):
        self.round_trip(peers.prometheus, "io.prometheus.write.v2.Request")

    def test_victoria_metrics(self):
        self.round_trip(peers.victoria_metrics, "prometheus.WriteRequest",
                        lambda receiver: receiver.get("/internal/force_flush"), precision=DIGITS)

    def test_victoria_metrics_asked_for_2_0(self):
        self.round_trip(peers.victoria_metrics, "io.prometheus.write.v2.Request",
                        lambda receiver: receiver.get("/internal/force_flush"), precision=DIGITS)

    def test_the_example_of_the_manual(self):
        """docs/in-and-out.md, with the port of this test."""
        with open(os.path.join(ROOT, "docs", "in-and-out.md"), encoding="utf-8") as file:
            text = file.read()
        example = text.split("test_remote_write_peers.py -->\n```yaml\n")[1].split("```")[0]
        receiver = peer(peers.victoria_metrics)
        self.addCleanup(receiver.close)
        page = Page(PAGE)
        self.addCleanup(page.close)
        self.assertIn("127.0.0.1:8428", example)
        example = example.replace("127.0.0.1:8428", receiver.address)
        scrape = "scrape: " + json.dumps([job(page.address)]) + "\n"

        def stored():
            receiver.get("/internal/force_flush")
            query = urllib.parse.urlencode({"query": 'guest_up{host="host-1"}'})
            answer = json.loads(receiver.get(f"/api/v1/query?{query}"))
            return [row["value"][1] for row in answer["data"]["result"]]
        with Flow(scrape + example):
            self.assertEqual(wait_for("a sample", 40, stored, 0.5), ["1"])

    def test_node_exporter(self):
        exporter = peer(peers.node_exporter)
        self.addCleanup(exporter.close)
        with Flow({"scrape": [job(exporter.address, name="node", interval="1s")]}) as flow:
            flow.wait_sample("up{", "1", 30)
            flow.wait_sample("node_load1{")
            self.assertTrue(flow.values('node_cpu_seconds_total{cpu="0"'))
            scraped = float(flow.values("scrape_samples_scraped")[0])
            self.assertGreater(scraped, 100)
            page = exporter.get("/metrics")
            lines = [line for line in page.split("\n") if line and not line.startswith("#")]
            self.assertLess(abs(len(lines) - scraped), len(lines) * 0.1)
            uname = flow.values("node_uname_info")
            self.assertIn(os.uname().release, [series for series, _, _ in flow.samples()
                                               if series.startswith("node_uname_info")][0])
            self.assertEqual(uname[0], "1")

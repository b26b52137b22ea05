# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole daemon with its own store: what is scraped, read from files and pushed lands in the
store, goes on to Debian's Prometheus and VictoriaMetrics, and is the same everywhere; an outage
with a kill -9 in its middle loses nothing."""

import http.client
import json
import math
import os
import signal
import tempfile
import time
import unittest
import urllib.parse

import debianpeers as peers
import memorydaemon
import remotewrite
from fakedaemon import free_port
from flow import Page, job, remote
from remotewrite import Answer, Receiver
from vherd import wait_for

PAGE = """# TYPE guest_cpu_seconds_total counter
guest_cpu_seconds_total{vm="db \\"1\\"",os="Débian 🐧"} 12.25
guest_cpu_seconds_total{vm="web"} 0.1234567890123456
tiny 5e-300
"""
TOKEN = "a-token-of-some-length"
# VictoriaMetrics brings the values of a block to one power of ten, which costs it digits.
PRECISION = {"prometheus": 0, "victoria": 1e-11}


def raw(get, selector, first, last):
    """{series: {milliseconds: value}} of raw samples within [first, last] (seconds)."""
    query = urllib.parse.urlencode({"query": f"{selector}[{math.ceil(last - first) + 1}s]",
                                    "time": f"{last:.3f}"})
    answer = json.loads(get(f"/api/v1/query?{query}"))
    if answer["status"] != "success":
        raise AssertionError(answer)
    out = {}
    for row in answer["data"]["result"]:
        values = {round(float(t) * 1000): float(v) for t, v in row["values"]
                  if first <= float(t) <= last}
        if values:
            out[json.dumps(row["metric"], sort_keys=True)] = values
    return out


def differences(wanted, seen, precision=0):
    """What is missing or differs, as texts."""
    out = []
    for name, values in wanted.items():
        for t, v in values.items():
            got = seen.get(name, {}).get(t)
            if got is None or not (got == v or math.isclose(got, v, rel_tol=precision)):
                out.append(f"{name} @{t}: {v}, got {got}")
    return out


class StoreFlow(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.addCleanup(self.top.cleanup)
        self.page = Page(PAGE)
        self.addCleanup(self.page.close)

    def daemon(self, remotes=(), **config):
        d = memorydaemon.MemoryDaemon(2, config={"store": {"instance": "host-1"}, **config})
        d.config["scrape"] = [job(self.page.address, interval="500ms")]
        d.config["remote_write"] = list(remotes)
        d.write_config()
        self.addCleanup(d.close)
        d.start()
        return d

    @staticmethod
    def own(daemon, selector, first, last):
        return raw(lambda path: daemon.get(path)[2], selector, first, last)

    def start_peers(self):
        out = {}
        for name, start in (("prometheus", peers.prometheus),
                            ("victoria", peers.victoria_metrics)):
            try:
                out[name] = start(free_port())
            except peers.PeerMissing as missing:
                raise unittest.SkipTest(str(missing))
            self.addCleanup(out[name].close)
        return out

    def test_what_is_kept_is_what_the_peers_have(self):
        directory = os.path.join(self.top.name, "textfile")
        os.mkdir(directory)
        with open(os.path.join(directory, "a.prom"), "w", encoding="utf-8") as file:
            file.write("# TYPE raid_ok gauge\nraid_ok{array=\"md0\"} 1\n")
        os.chmod(self.top.name, 0o755)
        receivers = self.start_peers()
        daemon = self.daemon(
            [{"url": f"http://{peer.address}/api/v1/write", "name": name,
              "queue_config": {"batch_send_deadline": "200ms"}}
             for name, peer in receivers.items()],
            textfile={"directories": [directory], "interval": "500ms"})
        first = time.time()
        wait_for("textfile", 30, lambda: self.own(daemon, "raid_ok", first, time.time()))
        time.sleep(6)
        last = time.time() - 1
        wanted = self.own(daemon, '{__name__!=""}', first, last)
        names = {json.loads(series)["__name__"] for series in wanted}
        for name in ("raid_ok", "guest_cpu_seconds_total", "tiny", "up",
                     "libvirt_domain_vcpu_time_seconds_total"):
            self.assertIn(name, names)
        self.assertGreater(len(wanted), 200)
        for name, peer in receivers.items():
            with self.subTest(name):
                def differ(name=name, peer=peer):
                    return differences(wanted, raw(peer.get, '{__name__!=""}', first, last),
                                       PRECISION[name])
                try:
                    wait_for("equal", 30, lambda: not differ(), 0.5)
                except AssertionError:
                    wrong = differ()
                    self.fail(f"{len(wrong)} differ, such as {wrong[:4]}\n{daemon.log()[-2000:]}")

    def test_an_outage_with_kill_9_in_its_middle_loses_nothing(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        daemon = self.daemon([remote(receiver)], store={"instance": "host-1", "flush": "100ms"})
        first = time.time()
        wait_for("samples", 30, receiver.taken)
        wait_for("a position", 20, lambda: os.path.exists(daemon.store + "/remote-write"))
        receiver.default = Answer(503)
        time.sleep(3)
        for pid in reversed(daemon.processes()):
            os.kill(pid, signal.SIGKILL)
        daemon.process.wait()
        time.sleep(0.5)
        daemon.start()
        time.sleep(3)
        last = time.time() - 1
        wanted = self.own(daemon, '{__name__!=""}', first, last)
        self.assertGreater(sum(map(len, wanted.values())), 1000)
        receiver.default = Answer(204)

        def missing():
            seen = {}
            for labels, samples in receiver.taken().items():
                series = seen.setdefault(json.dumps(dict(labels), sort_keys=True), {})
                series.update({t: v for t, v, *_ in samples})
            return differences(wanted, seen)
        try:
            wait_for("all samples", 40, lambda: not missing(), 0.5)
        except AssertionError:
            lost = missing()
            self.fail(f"{len(lost)} lost, such as {lost[:4]}\n{daemon.log()[-2000:]}")

    def test_metadata_of_what_is_sampled_is_told(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        self.daemon([remote(receiver)])
        told = wait_for("metadata", 30, lambda: {
            str(entry) for entry in receiver.metadata()
            if "libvirt_domain_vcpu_time_seconds_total" in str(entry)})
        self.assertTrue(any("Time the vCPU r" in entry for entry in told), told)

    def test_what_is_pushed_is_read_back(self):
        token = os.path.join(self.top.name, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        port = free_port()
        daemon = self.daemon(web={"listen": [f"127.0.0.1:{port}"]},
                             receive={"enabled": True, "token_file": token})
        now = round(time.time()) * 1000
        labels = {"__name__": "pushed", "job": "guest", "os": "Débian 🐧"}
        body = remotewrite.encode_1([(labels, [(now - 2000, 1.5), (now - 1000, 2.5)])])
        for given, status in ((None, 401), ("wrong-token-of-some-length", 401), (TOKEN, 204)):
            headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
            if given:
                headers["Authorization"] = f"Bearer {given}"
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/api/v1/write", body, headers)
            self.assertEqual(connection.getresponse().status, status)
            connection.close()
            seen = self.own(daemon, "pushed", now / 1000 - 5, now / 1000)
            wanted = {json.dumps(labels, sort_keys=True): {now - 2000: 1.5, now - 1000: 2.5}}
            self.assertEqual(seen, wanted if status == 204 else {})

# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' API over known series: core's own code (tests/tools/query-core.c) behind the real web."""

import concurrent.futures
import csv
import gzip
import http.client
import io
import json
import os
import pty
import re
import select
import subprocess
import time
import unittest
import urllib.parse

import fakedaemon
import vherd

DATA = os.path.join(vherd.ROOT, "tests", "data", "query")
FORM = "application/x-www-form-urlencoded"
NOW = 1700000600  # the last sample's time
# Takes a minute and little memory.
HEAVY = "max_over_time(quantile_over_time(0.5, vector(1)[10m:1s])[1000h:1s])"


def start_daemon(config=None, series="series.txt"):
    suppressions = os.path.join(vherd.ROOT, "tests", "lsan.supp")
    return fakedaemon.FakeDaemon(config, core="query-core", environment={
        "VHERD_TEST_SERIES": os.path.join(DATA, series), "TZ": "UTC",
        "LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0"})


class Asked(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = start_daemon()
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def ask(self, path, form=None, headers=None, daemon=None):
        connection = http.client.HTTPConnection("127.0.0.1", (daemon or self.daemon).port,
                                                timeout=30)
        try:
            head = dict(headers or {})
            if form is not None:
                head["Content-Type"] = FORM
            connection.request("GET" if form is None else "POST", path, form, head)
            answer = connection.getresponse()
            body = answer.read()
            if answer.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            return answer.status, json.loads(body)
        finally:
            connection.close()

    def query(self, expression, daemon=None, **parameters):
        parameters.setdefault("time", NOW)
        form = urllib.parse.urlencode({"query": expression, **parameters})
        return self.ask("/api/v1/query", form, daemon=daemon)


class Answers(Asked):
    def test_golden_answers(self):
        with open(os.path.join(DATA, "answers.json"), encoding="utf-8") as file:
            cases = json.load(file)
        for case in cases:
            with self.subTest(path=case["path"], form=case.get("form")):
                status, answer = self.ask(case["path"], case.get("form"))
                self.assertEqual(status, case["status"], answer)
                if "answer" in case:
                    self.assertEqual(answer, case["answer"])
                else:
                    self.assertEqual(answer["status"], "error")

    def test_answers_are_the_same_compressed(self):
        path = ("/api/v1/query_range?query={__name__=~%22.%2B%22}&start=1700000000&end=1700000600"
                "&step=1")
        plain = self.ask(path)
        self.assertEqual(plain[0], 200)
        self.assertEqual(self.ask(path, headers={"Accept-Encoding": "gzip"}), plain)
        self.assertEqual(len(plain[1]["data"]["result"]), 17)
        # Longer than the pieces that core and web hand each other.
        self.assertGreater(len(json.dumps(plain[1])), 3 * 65536)

    def test_statistics_of_the_store(self):
        _, answer = self.ask("/api/v1/status/tsdb")
        self.assertEqual(answer["data"]["headStats"]["numSeries"], 0)

    def test_head_and_unknown(self):
        status, headers, text = self.daemon.tcp("/api/v1/query?query=1", method="HEAD")
        self.assertEqual((status, text), (200, ""))
        self.assertEqual(self.daemon.tcp("/api/v1/nothing")[0], 404)
        self.assertEqual(self.daemon.tcp("/api/v1/query", method="PUT")[0], 405)

    def test_configuration_for_the_socket_only(self):
        self.assertEqual(self.daemon.tcp("/api/v1/status/config")[0], 403)
        text = self.daemon.json("/api/v1/status/config")["data"]["yaml"]
        self.assertIn("concurrency", text)

    def test_warnings_and_infos(self):
        status, answer = self.query("rate(up[1m])")
        self.assertEqual(status, 200)
        self.assertRegex(answer["infos"][0], "metric might not be a counter")
        status, answer = self.query("quantile(2, up)")
        self.assertEqual(status, 200)
        self.assertRegex(answer["warnings"][0], "quantile value should be between 0 and 1")

    def test_a_clone_without_store_says_so(self):
        with fakedaemon.FakeDaemon(core="query-core", environment={
                "LSAN_OPTIONS": "detect_leaks=0"}) as daemon:
            status, answer = self.query("1", daemon=daemon)
            self.assertEqual((status, answer["errorType"]), (503, "unavailable"))
            self.assertIn("store", answer["error"])


class Limits(Asked):
    def with_limit(self, key, value):
        daemon = start_daemon({"query": {key: value}})
        self.addCleanup(daemon.close)
        daemon.start()
        return daemon

    def test_samples(self):
        status, answer = self.query("up[10m]", daemon=self.with_limit("max_samples", 1000))
        self.assertEqual(status, 200)
        status, answer = self.query('{__name__=~".+"}[10m:1s]',
                                    daemon=self.with_limit("max_samples", 1000))
        self.assertEqual((status, answer["errorType"]), (422, "execution"))
        self.assertIn("query.max_samples", answer["error"])

    def test_series(self):
        daemon = self.with_limit("max_series", 3)
        self.assertEqual(self.query("special", daemon=daemon)[0], 200)
        status, answer = self.query('{job!="x"}', daemon=daemon)
        self.assertEqual(status, 400)  # would match everything: no error of ours
        status, answer = self.query('{__name__=~".+"}', daemon=daemon)
        self.assertEqual((status, answer["errorType"]), (422, "execution"))
        self.assertIn("query.max_series", answer["error"])
        status, answer = self.ask('/api/v1/series?match[]={__name__=~".%2B"}', daemon=daemon)
        self.assertEqual(status, 422)

    def test_time(self):
        began = time.monotonic()
        status, answer = self.query(HEAVY, timeout="100ms")
        self.assertEqual((status, answer["errorType"]), (503, "timeout"), answer)
        self.assertIn("query.timeout", answer["error"])
        self.assertLess(time.monotonic() - began, 25)
        status, answer = self.query(HEAVY, daemon=self.with_limit("timeout", "100ms"))
        self.assertEqual((status, answer["errorType"]), (503, "timeout"), answer)

    def test_queue(self):
        daemon = start_daemon({"query": {"queue": 2, "concurrency": 1, "timeout": "3s"}})
        self.addCleanup(daemon.close)
        daemon.start()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.query(HEAVY, daemon=daemon), range(8)))
        self.assertTrue(all(status == 503 for status, _ in answers), answers)
        full = [answer for _, answer in answers if "query.queue" in answer["error"]]
        self.assertGreaterEqual(len(full), 5)
        self.assertEqual(self.query("1", daemon=daemon)[0], 200)

    def test_regular_expressions_cannot_stall_it(self):
        began = time.monotonic()
        pattern = "(a*)*" * 30 + "b"
        status, _ = self.query('{__name__=~"%s"}' % pattern)
        self.assertIn(status, (200, 400, 422))
        self.assertLess(time.monotonic() - began, 25)

    def test_a_query_ends_with_its_client(self):
        daemon = self.with_limit("concurrency", 1)
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": HEAVY, "time": NOW})
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
            connection.request("GET", path)
            time.sleep(0.2)
            connection.close()
        began = time.monotonic()
        self.assertEqual(self.query("1", daemon=daemon)[0], 200)
        self.assertLess(time.monotonic() - began, 20)  # not behind three timeouts of 30 s

    def test_many_clients(self):
        def one(number):
            return [self.query(f"up + {number}")[1]["data"]["result"][0]["value"][1]
                    for _ in range(3)]
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            for number, values in enumerate(pool.map(one, range(100))):
                self.assertEqual(values, [str(number + 1)] * 3)


if __name__ == "__main__":
    unittest.main()

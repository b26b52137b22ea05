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
import sys
import tempfile
import time
import unittest
import urllib.parse

import fakedaemon
import memorydaemon
import openapi
import vherd

sys.path.insert(0, os.path.join(vherd.ROOT, "benchmarks"))
from see import peers  # noqa: E402

DATA = os.path.join(vherd.ROOT, "tests", "data", "query")
FORM = "application/x-www-form-urlencoded"
NOW = 1700000600  # the last sample's time
# Takes a minute and little memory.
HEAVY = "max_over_time(quantile_over_time(0.5, vector(1)[1h:1s])[1000h:1s])"


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

    def test_statistics_are_given_where_asked_for(self):
        self.assertNotIn("stats", self.query("vector(1)")[1]["data"])
        self.assertNotIn("stats", self.query("vector(1)", stats="")[1]["data"])
        for expression in ("vector(1)", "1", '"text"', "sum(rate(vherd_vm_resident_bytes[1m]))"):
            with self.subTest(expression=expression):
                status, answer = self.query(expression, stats="1")
                self.assertEqual(status, 200)
                stats = answer["data"]["stats"]
                timings = stats["timings"]
                self.assertEqual(list(timings), [
                    "evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime",
                    "execQueueTime", "execTotalTime"])
                self.assertGreater(timings["evalTotalTime"], 0)
                self.assertGreaterEqual(timings["execTotalTime"],
                                        timings["evalTotalTime"] + timings["execQueueTime"])
                self.assertEqual(list(stats["samples"]), ["totalQueryableSamples", "peakSamples"])
        self.assertEqual(stats["samples"]["totalQueryableSamples"], 8)  # 2 VMs, 4 in the minute
        form = urllib.parse.urlencode({"query": "count(vherd_vm_resident_bytes)", "stats": "all",
                                       "start": NOW - 30, "end": NOW, "step": 15})
        _, answer = self.ask("/api/v1/query_range", form)
        self.assertEqual(answer["data"]["stats"]["samples"]["totalQueryableSamplesPerStep"],
                         [[NOW - 30, 2], [NOW - 15, 2], [NOW, 2]])
        self.assertEqual(answer["data"]["stats"]["samples"]["totalQueryableSamples"], 6)

    def test_answers_are_the_same_compressed(self):
        path = ("/api/v1/query_range?query={__name__=~%22.%2B%22}&start=1700000000&end=1700000600"
                "&step=1")
        plain = self.ask(path)
        self.assertEqual(plain[0], 200)
        self.assertEqual(self.ask(path, headers={"Accept-Encoding": "gzip"}), plain)
        self.assertEqual(len(plain[1]["data"]["result"]), 18)
        # Longer than the pieces that core and web hand each other.
        self.assertGreater(len(json.dumps(plain[1])), 3 * 65536)

    def test_statistics_of_the_store(self):
        _, answer = self.ask("/api/v1/status/tsdb")
        self.assertEqual(answer["data"]["headStats"]["numSeries"], 0)  # long ago
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(f"{int(time.time()) - 60} 5\n"
                       'a{x="1", y="long value"} 1x20\na{x="2", y="long value"} 1x20\nb{x="1"} 1x20\n')
            file.flush()
            daemon = start_daemon(series=file.name)
            self.addCleanup(daemon.close)
            daemon.start()
        data = self.ask("/api/v1/status/tsdb?limit=2", daemon=daemon)[1]["data"]
        self.assertEqual(data["headStats"]["numSeries"], 3)
        self.assertEqual(data["headStats"]["numLabelPairs"], 5)
        self.assertEqual(data["seriesCountByMetricName"],
                         [{"name": "a", "value": 2}, {"name": "b", "value": 1}])
        self.assertEqual(data["labelValueCountByLabelName"],
                         [{"name": "__name__", "value": 2}, {"name": "x", "value": 2}])
        self.assertEqual(data["memoryInBytesByLabelName"][0], {"name": "y", "value": 10})
        self.assertEqual(data["seriesCountByLabelValuePair"],
                         [{"name": "__name__=a", "value": 2}, {"name": "x=1", "value": 2}])

    def test_head_and_unknown(self):
        status, headers, text = self.daemon.tcp("/api/v1/query?query=1", method="HEAD")
        self.assertEqual((status, text), (200, ""))
        self.assertEqual(self.daemon.tcp("/api/v1/nothing")[0], 404)
        self.assertEqual(self.daemon.tcp("/api/v1/query", method="PUT")[0], 405)

    def test_configuration_for_the_socket_only(self):
        self.assertEqual(self.daemon.tcp("/api/v1/status/config")[0], 403)
        text = self.daemon.json("/api/v1/status/config")["data"]["yaml"]
        self.assertIn("concurrency", text)

    def test_the_host_as_a_target_is_labelled_as_its_series(self):
        daemon = start_daemon({"store": {"job": "vms", "instance": "host-1"}})
        self.addCleanup(daemon.close)
        daemon.start()
        target, = daemon.json("/api/v1/targets")["data"]["activeTargets"]
        self.assertEqual(target["labels"], {"instance": "host-1", "job": "vms"})

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
            # Text needs none.
            for path, data in (("format_query?query=sum%28up%29by%28job%29", "sum by (job) (up)"),
                               ("parse_query?query=1", {"type": "numberLiteral", "val": "1"})):
                status, _, text = daemon.get("/api/v1/" + path)
                self.assertEqual((status, json.loads(text).get("data")), (200, data))


class Clients(Asked):
    """What others ask: requests as Grafana sends them, and Debian's promtool."""

    def recorded(self):
        with open(os.path.join(DATA, "grafana.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_what_grafana_asks(self):
        for request in self.recorded():
            with self.subTest(request["what"]):
                status, answer = self.ask(request["path"], request.get("form"),
                                          {"Accept-Encoding": "gzip", "User-Agent": "Grafana/11"})
                self.assertEqual(status, request.get("status", 200), answer)
                self.assertEqual(answer["status"], "success" if status == 200 else "error")

    def test_grafana_does_not_take_us_for_mimir(self):
        _, answer = self.ask("/api/v1/status/buildinfo")
        self.assertNotIn("features", answer["data"])
        self.assertNotIn("application", answer["data"])

    def test_against_the_openapi_description(self):
        try:
            description = openapi.Description()
        except openapi.Missing as why:
            self.skipTest(str(why))
        with open(os.path.join(DATA, "answers.json"), encoding="utf-8") as file:
            requests = self.recorded() + json.load(file)
        for request in requests:
            with self.subTest(path=request["path"]):
                status, answer = self.ask(request["path"], request.get("form"))
                # The description wants a text for the time of a string; Prometheus gives a number.
                if status == 200 and "resultType" in answer["data"] and \
                        answer["data"]["resultType"] == "string":
                    continue
                path = urllib.parse.urlsplit(request["path"]).path.removeprefix("/api/v1")
                path = re.sub(r"^/label/[^/]+/", "/label/{name}/", path)
                description.check(path, "get" if request.get("form") is None else "post", status,
                                  answer)
        description.check("/status/config", "get", 200, self.daemon.json("/api/v1/status/config"))

    def promtool(self, *words):
        done = subprocess.run([peers.promtool(), "query", *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_promtool(self):
        url = f"http://127.0.0.1:{self.daemon.port}"
        try:
            peers.unpack()
        except peers.PeerMissing as why:
            self.skipTest(str(why))
        at = "--time=1700000600"
        self.assertIn("=> 1 @[1700000600]", self.promtool("instant", at, url, "up"))
        span = ["--start=1700000000", "--end=1700000060"]
        text = self.promtool("range", *span, "--step=30s", url, "up")
        self.assertEqual(text.count("1 @[17000000"), 3, text)
        text = self.promtool("series", *span, "--match=special", url)
        self.assertEqual(len(text.split("\n")), 4, text)
        text = self.promtool("labels", *span, url, "domain")
        self.assertEqual(text.split(), ["vm1", "vm2"])


class CommandLine(Asked):
    def vherd(self, *words, status=0):
        done = self.daemon.cli(*words, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_table(self):
        text = self.vherd("query", "--time", str(NOW), "libvirt_domain_info_virtual_cpus")
        lines = [line.split() for line in text.splitlines()]
        self.assertEqual(lines, [["METRIC", "domain", "VALUE"],
                                 ["libvirt_domain_info_virtual_cpus", "vm1", "2"],
                                 ["libvirt_domain_info_virtual_cpus", "vm2", "4"]])
        text = self.vherd("query", "--end", str(NOW), "--range", "10m", "--step", "15s",
                          "vherd_vm_resident_bytes{domain='vm1'}")
        self.assertEqual(text.splitlines()[0].split(), ["METRIC", "domain", "MIN", "MEAN", "MAX",
                                                        "LAST"])
        self.assertIn("1.00 GiB", text)
        self.assertIn("1.04 GiB", text)
        self.assertEqual(self.vherd("query", "1 + 1"), "2\n")
        self.assertEqual(self.vherd("query", "nothing"), "No series has a value there.\n")

    def test_json_and_csv(self):
        answer = json.loads(self.vherd("query", "--json", "--time", str(NOW), "up"))
        self.assertEqual(answer["data"]["result"][0]["value"], [NOW, "1"])
        rows = list(csv.DictReader(io.StringIO(self.vherd(
            "query", "--csv", "--start", "1700000000", "--end", str(NOW), "--step", "15s",
            "{__name__='utf8.metric'}"))))
        self.assertEqual(len(rows), 41)
        self.assertEqual(rows[-1], {"time": "2023-11-14T22:23:20Z", "__name__": "utf8.metric",
                                    "job": "x", "label.one": 'a "quoted" value', "value": "5"})

    def test_plot(self):
        expression = "sum by (domain) (rate(libvirt_domain_vcpu_time_seconds_total[1m]))"
        words = ["query", "--plot", "--end", str(NOW), "--range", "10m", "--step", "15s", expression]
        lines = self.vherd(*words).splitlines()
        self.assertTrue(all(len(line) <= 80 for line in lines), lines)
        self.assertLessEqual(len(lines), 24)
        text = "\n".join(lines)
        self.assertIn("60% ┤", text)
        self.assertIn("22:20", text)
        self.assertIn('{domain="vm1"}', text)
        self.assertNotIn("\x1b", text)

    def test_long_expressions(self):
        self.assertEqual(self.vherd("query", " + ".join(["1"] * 200) + " " * 20000), "200\n")

    def test_wrong_usage_and_wrong_queries(self):
        self.assertIn("1:4: parse error", self.vherd("query", "up{", status=1))
        self.assertIn("--range", self.vherd("query", "--range", "soon", "up", status=2))
        self.assertIn("--time", self.vherd("query", "--time", "x", "up", status=2))
        self.assertIn("--start", self.vherd("query", "--start", "5", "--end", "4", "up", status=2))
        self.assertIn("terminal", self.vherd("query", status=2))

    def test_completion(self):
        def complete(text):
            return self.vherd("query", "--complete", text).splitlines()
        self.assertEqual(complete("rate(libvirt_domain_vcpu_t"),
                         ["rate(libvirt_domain_vcpu_time_seconds_total"])
        self.assertIn("quantile_over_time(", complete("quan"))
        self.assertEqual(complete("up{in"), ['up{instance="'])
        self.assertEqual(complete('up{instance="'), ['up{instance="host1"'])
        self.assertEqual(complete('libvirt_domain_info_virtual_cpus{domain=~"vm'),
                         ['libvirt_domain_info_virtual_cpus{domain=~"vm1"',
                          'libvirt_domain_info_virtual_cpus{domain=~"vm2"'])
        self.assertEqual(complete('"u'), ["unless", "up", "utf8.metric"])
        self.assertEqual(complete("zzz"), [])

    def test_completion_of_bash(self):
        script = os.path.join(vherd.ROOT, "packaging", "completion", "vherd.bash")
        program = self.daemon.command("query", "--complete")
        done = subprocess.run(
            ["bash", "-c", f"""source {script}
             vherd() {{ shift 2; {" ".join(program)} "$@"; }}
             COMP_WORDS=(vherd query 'rate(libvirt_domain_vcpu'); COMP_CWORD=2; _vherd
             printf '%s\\n' "${{COMPREPLY[@]}}" """],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
            env=self.daemon.environment)
        self.assertEqual(done.stdout, "rate(libvirt_domain_vcpu_time_seconds_total\n", done.stderr)

    def test_prompt(self):
        with tempfile.TemporaryDirectory() as state:
            pid, fd = pty.fork()
            if pid == 0:
                environment = dict(self.daemon.environment, TERM="xterm", XDG_STATE_HOME=state,
                                   LSAN_OPTIONS="detect_leaks=0")
                words = self.daemon.command("query", "--time", str(NOW))
                os.execve(words[0], words, environment)
            seen = b""

            def expect(text):
                nonlocal seen
                end = time.monotonic() + 20
                while text not in seen:
                    ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
                    if not ready:
                        self.fail(f"{text} is not in {seen}")
                    seen += os.read(fd, 65536)
                seen = seen[seen.index(text) + len(text):]

            expect(b"vherd> ")
            os.write(fd, b"libvirt_domain_info_virt\t\n")
            expect(b"vm2")
            expect(b"vherd> ")
            os.write(fd, b"up +\n")
            expect(b"parse error")
            expect(b"vherd> ")
            os.write(fd, b".json\n")
            expect(b"vherd> ")
            os.write(fd, b"1 + 2\n")
            expect(b'"3"')
            expect(b"vherd> ")
            os.write(fd, b".quit\n")
            _, status = os.waitpid(pid, 0)
            os.close(fd)
            self.assertEqual(status, 0)
            path = os.path.join(state, "vherd", "query_history")
            with open(path, encoding="utf-8") as file:
                history = file.read()
            self.assertIn("libvirt_domain_info_virtual_cpus", history)
            self.assertEqual(os.stat(path).st_mode & 0o077, 0)

    def test_statistics_of_a_vm(self):
        answer = json.loads(self.vherd("stats", "vm1", "--range", "5m", "--end", str(NOW), "--json"))
        rows = {(row["what"], row["series"]): row for row in answer["rows"]}
        cpu = rows["CPU", ""]
        # Two vCPUs, 3 and 6 seconds in each 15.
        self.assertAlmostEqual(cpu["mean"], 0.6, 6)
        self.assertAlmostEqual(cpu["p95"], 0.6, 6)
        self.assertAlmostEqual(cpu["sum"], 0.6 * 300, 4)
        self.assertAlmostEqual(cpu["utilisation_ratio"], 0.3, 6)
        self.assertEqual(cpu["limit"], 2)
        memory = rows["memory on the host", ""]
        # 1 MiB in each 15 seconds: 240 MiB an hour; 472 MiB are left of what it is given now.
        # Steps of the query fall between samples.
        self.assertAlmostEqual(memory["trend_per_hour"] / (240 * 2**20), 1, 2)
        self.assertAlmostEqual(memory["seconds_to_limit"] / (472 / 240 * 3600), 1, 2)
        self.assertGreater(memory["max"], memory["p50"])
        disk = rows["disk read", ""]
        self.assertAlmostEqual(disk["mean"], (65536 + 131072) / 15, 3)
        text = self.vherd("stats", "vm1", "--range", "5m", "--end", str(NOW))
        self.assertIn("60.0%", text)
        self.assertIn("to its memory", text)

    def test_a_vm_that_has_just_started_is_no_idle_one(self):
        for more in ((), ("--metric", "libvirt_domain_vcpu_time_seconds_total")):
            answer = json.loads(self.vherd("stats", "vm1", "--range", "5m", "--end", "1700000150",
                                           "--json", *more))
            for row in answer["rows"]:
                if row["unit"] != "%":
                    continue
                self.assertAlmostEqual(row["min"], row["max"], 6)
                self.assertAlmostEqual(row["trend_per_hour"], 0, 6)
                self.assertAlmostEqual(row["sum"], row["mean"] * row["covered_seconds"], 6)
                self.assertNotIn("seconds_to_limit", row)
            self.assertIn("%", [row["unit"] for row in answer["rows"]])

    def test_statistics_of_any_metric(self):
        answer = json.loads(self.vherd(
            "stats", "vm1", "--range", "5m", "--end", str(NOW), "--json", "--metric",
            "libvirt_domain_vcpu_time_seconds_total", "--metric", "with_gap",
            "--metric", "2 * vherd_vm_resident_bytes{domain=$vm}"))
        rows = {(row["what"], row["series"]): row for row in answer["rows"]}
        self.assertAlmostEqual(rows["libvirt_domain_vcpu_time_seconds_total", "1"]["mean"], 0.4, 6)
        self.assertEqual(rows["with_gap", ""]["mean"], 1)
        self.assertGreater(rows["2 * vherd_vm_resident_bytes{domain=$vm}", ""]["min"], 2**31)
        self.assertIn("No samples", self.vherd("stats", "vm9", "--end", str(NOW)))
        self.assertIn("--range", self.vherd("stats", "vm1", "--range", "1s", status=2))
        self.assertIn("1:", self.vherd("stats", "--metric", "a +", status=1))


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

    def test_memory(self):
        daemon = self.with_limit("max_memory_mib", 1)
        self.assertEqual(self.query("up[10m]", daemon=daemon)[0], 200)
        status, answer = self.query("vector(1)[100h:1s]", daemon=daemon)
        self.assertEqual((status, answer["errorType"]), (422, "execution"))
        self.assertIn("query.max_memory_mib", answer["error"])

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
        # One is evaluated and one waits; a fast machine may be done with them in time.
        refused = [answer for status, answer in answers if status == 503]
        self.assertTrue(all(status in (200, 503) for status, _ in answers), answers)
        full = [answer for answer in refused if "query.queue" in answer["error"]]
        self.assertGreaterEqual(len(full), 4)
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


class StoredByTheDaemon(unittest.TestCase):
    """The whole, on the in-memory back end: what is sampled can be asked for."""

    def value(self, expression):
        result = self.daemon.json("/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression}))["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def stats(self):
        text = self.daemon.cli("stats", "vm1", "--range", "1m").stdout
        return text if "CPU" in text else None

    def test_from_samples_to_answers(self):
        self.daemon = memorydaemon.MemoryDaemon(2)
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        busy = 'sum(rate(libvirt_domain_vcpu_time_seconds_total{domain="vm1"}[10s]))'
        vherd.wait_for("a rate", 60, lambda: self.value(busy), pause=0.5)
        self.assertGreater(self.value(busy), 0)
        self.assertEqual(self.value("count(vherd_vm_resident_bytes)"), 2)
        names = self.daemon.json("/api/v1/label/domain/values")["data"]
        self.assertEqual(names, ["vm1", "vm2"])
        # Steps of its queries fall on multiples of 5 s.
        text = vherd.wait_for("figures", 30, self.stats, pause=0.5)
        self.assertIn("memory on the host", text)
        self.assertIn("CPU", self.daemon.cli("stats", "--range", "1m").stdout)
        text = self.daemon.cli("query", "--range", "1m", "--plot", busy).stdout
        self.assertIn("%", text)
        status = self.daemon.json("/api/v1/status/tsdb")["data"]
        self.assertGreater(status["headStats"]["numSeries"], 100)

    def test_a_hundred_clients_delay_no_sample(self):
        self.daemon = memorydaemon.MemoryDaemon(4)
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        vherd.wait_for("samples", 30, lambda: self.value("count(vherd_vm_resident_bytes)") == 4)
        before, began = self.daemon.status()["samples"], time.time()
        path = "/api/v1/query_range?" + urllib.parse.urlencode({
            "query": 'sum by (domain) (rate({__name__=~"libvirt_domain_.*_total"}[1m]))',
            "start": began - 300, "end": began, "step": 1})

        def ask(_):
            return [self.daemon.get(path, timeout=60)[0] for _ in range(2)]
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            self.assertEqual(list(pool.map(ask, range(100))), [[200, 200]] * 100)
        last = began
        while last < began + 3:  # as many as it takes for some samples
            list(map(ask, range(5)))
            last = time.time()
        after = self.daemon.status()["samples"]
        self.assertEqual(after["missed"], before["missed"])
        self.assertGreater(after["taken"], before["taken"])
        raw = self.daemon.json("/api/v1/query?" + urllib.parse.urlencode({
            "query": f'vherd_vm_resident_bytes{{domain="vm1"}}[{int(last - began)}s]',
            "time": last - 1}))["data"]["result"][0]["values"]
        steps = {round(b[0] - a[0], 3) for a, b in zip(raw, raw[1:])}
        self.assertEqual(steps, {1})


if __name__ == "__main__":
    unittest.main()

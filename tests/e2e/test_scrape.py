# SPDX-License-Identifier: GPL-3.0-or-later
"""What vherd-send makes of other exporters: good ones, slow, huge, dead and malicious ones; and of
files in a directory."""

import gzip
import os
import shutil
import signal
import socket
import tempfile
import time
import unittest

import building
import memorydaemon
import procfs
from flow import Flow, Page, job
from vherd import wait_for


def build():
    if not building.build("build", None, ["tests/flow-core"]):
        raise AssertionError("build does not build")


class Scraping(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build()

    def page(self, *arguments, **more):
        page = Page(*arguments, **more)
        self.addCleanup(page.close)
        return page

    def test_labels_and_reports(self):
        page = self.page('# TYPE a gauge\na{job="own"} 1\nb 2\ngo_x 3\n')
        config = job(page.address, honor_labels=False, metric_relabel_configs=[
            {"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"},
            {"source_labels": ["exported_job"], "target_label": "was", "regex": "(.+)"},
        ], relabel_configs=[{"source_labels": ["__address__"], "regex": ".*:(.*)",
                             "target_label": "port"}])
        config["static_configs"][0]["labels"] = {"rack": "r1"}
        config["params"] = {"collect[]": ["cpu", "mem"], "x": ["1 2"]}
        config["headers"] = {"X-Test": "yes"}
        with Flow({"scrape": [config]}) as flow:
            outer = f'instance="{page.address}", job="app", port="{page.port}", rack="r1"'
            flow.wait_sample(f'a{{exported_job="own", {outer}, was="own"}}', "1")
            flow.wait_sample(f"b{{{outer}}}", "2")
            flow.wait_sample(f"up{{{outer}}}", "1")
            flow.wait_sample("scrape_samples_scraped", "3")
            flow.wait_sample("scrape_samples_post_metric_relabeling", "2")
            flow.wait_sample("scrape_series_added", "2")
            flow.wait_sample("scrape_series_added", "0")
            self.assertEqual(flow.values("go_x"), [])
        path, headers = page.requests[0]
        self.assertEqual(path, "/metrics?collect%5B%5D=cpu&x=1%202&collect%5B%5D=mem")
        self.assertIn("application/openmetrics-text", headers["Accept"])
        self.assertEqual(headers["X-Test"], "yes")
        self.assertEqual(headers["X-Prometheus-Scrape-Timeout-Seconds"], "0.2")

    def test_timestamps_keep_their_distance(self):
        page = self.page("a 1\n")
        with Flow({"scrape": [job(page.address, interval="100ms")]}) as flow:
            wait_for("samples", 20, lambda: len(flow.values("a{")) > 15)
            times = [t for series, t, _ in flow.samples() if series.startswith("a{")]
        steps = [b - a for a, b in zip(times, times[1:])]
        self.assertGreater(steps.count(100), len(steps) // 2, steps)

    def test_openmetrics_by_content_type(self):
        page = self.page("# TYPE a counter\na_total 5 12.5\n# EOF\n",
                         "application/openmetrics-text; version=1.0.0; charset=utf-8")
        with Flow({"scrape": [job(page.address)]}) as flow:
            flow.wait_sample("a_total", "5")
            self.assertEqual({t for series, t, _ in flow.samples() if series.startswith("a_")},
                             {12500})

    def test_malformed_line_is_named(self):
        page = self.page("good 1\nbad{ 1\n")
        with Flow({"scrape": [job(page.address)]}) as flow:
            flow.wait_sample("up", "0")
            self.assertIn("line 2, column 6", flow.log())
            self.assertEqual(flow.values("good"), [])

    def test_stale_when_series_or_target_go(self):
        page = self.page("a 1\nb 1\n")
        with Flow({"scrape": [job(page.address)]}) as flow:
            flow.wait_sample("b{", "1")
            page.text = "a 2\n"
            flow.wait_sample("b{", "stale")
            page.close()
            flow.wait_sample("up", "0")
            flow.wait_sample("a{", "stale")
            self.assertNotIn("stale", flow.values("up"))
            time.sleep(0.5)
            self.assertEqual(flow.values("a{").count("stale"), 1)

    def test_status_and_authentication(self):
        def respond(handler):
            right = handler.headers.get("Authorization") == "Bearer secret-token"
            body = b"a 1\n" if right else b"no"
            handler.send_response(200 if right else 403)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        page = self.page(respond=respond)
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        token = os.path.join(directory, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write("secret-token\n")
        os.chmod(token, 0o600)
        with Flow({"scrape": [job(page.address, name="open"),
                              job(page.address, name="with", authorization={
                                  "credentials_file": token})]}) as flow:
            flow.wait_sample(f'a{{instance="{page.address}", job="with"}}', "1")
            flow.wait_sample(f'up{{instance="{page.address}", job="open"}}', "0")
            self.assertIn("HTTP status 403", flow.log())
            self.assertNotIn("secret-token", flow.log())

    def test_limits(self):
        page = self.page("".join(f"a{{i=\"{i}\"}} 1\n" for i in range(100)))
        with Flow({"scrape": [job(page.address, name="samples", sample_limit=50),
                              job(page.address, name="bytes", body_size_limit=1024)]}) as flow:
            flow.wait_sample(f'up{{instance="{page.address}", job="samples"}}', "0")
            flow.wait_sample(f'up{{instance="{page.address}", job="bytes"}}', "0")
            self.assertIn("sample_limit", flow.log())
            self.assertIn("body_size_limit", flow.log())
            self.assertEqual(flow.values("a{"), [])


def slow(handler):
    time.sleep(30)


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(300):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"endless_metric 1\n" * 5000)


BOMB = gzip.compress(b"b 1\n" * (200 << 18), 9)


def bomb(handler):
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(BOMB)))
    handler.end_headers()
    handler.wfile.write(BOMB)


def nonsense(handler):
    handler.wfile.write(os.urandom(100000))


def long_header(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5_000_000)


def redirects(handler):
    handler.send_response(302)
    handler.send_header("Location", handler.path + "x")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def to_a_file(handler):
    handler.send_response(302)
    handler.send_header("Location", "file:///etc/passwd")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


class Hostile(unittest.TestCase):
    """Bounded memory, and no delay for the one good target among them."""

    @classmethod
    def setUpClass(cls):
        build()

    def test_bad_ones_cost_the_good_one_nothing(self):
        many = "".join(f'many{{i="{i}",text="{"x" * 200}"}} 1\n' for i in range(10000))
        pages = [Page(respond=respond) for respond in (slow, drip, endless, bomb, nonsense,
                                                       long_header, redirects, to_a_file)]
        pages += [Page(many), Page("a{" + "x" * 3_000_000), Page(b"\xff\xfe\x00" * 1000)]
        silent = socket.create_server(("127.0.0.1", 0), backlog=1)
        good = Page("good 1\n")
        addresses = [page.address for page in pages]
        addresses += [f"127.0.0.1:{silent.getsockname()[1]}", "127.0.0.1:1"]
        try:
            with Flow({"scrape": [job(good.address, name="good", interval="200ms"),
                                  job(*addresses, name="bad", interval="1s",
                                      body_size_limit="4M")]}, echo=True) as flow:
                pid = flow.send_pid()
                peak = 0
                end = time.monotonic() + 8
                while time.monotonic() < end:
                    peak = max(peak, procfs.pss_bytes(pid))
                    time.sleep(0.1)
                samples = flow.samples()
                good_times = [t for series, t, value in samples
                              if series.startswith("good{") and value == "1"]
                ups = {series: value for series, _, value in samples if series.startswith("up")}
        finally:
            silent.close()
            good.close()
            for page in pages:
                page.close()
        self.assertGreater(len(good_times), 25)
        gaps = [b - a for a, b in zip(good_times, good_times[1:])]
        # One that waited for another would show the others' timeout of a second.
        self.assertLess(max(gaps), 1000, gaps)
        self.assertLess(peak, 160 << 20)
        down = [series for series, value in ups.items() if value == "0"]
        self.assertEqual(len(down), len(addresses) - 1, ups)


class Textfiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build()

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="vherd-textfile-")
        os.chmod(self.directory, 0o755)
        self.addCleanup(shutil.rmtree, self.directory)

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
        return path

    def test_files(self):
        good = self.write("good.prom", "backup_last_seconds 5\n")
        bad = self.write("bad.prom", "fine 1\nnot fine\n")
        timed = self.write("timed.prom", "t 1 1000\n")
        self.write("other.txt", "other 1\n")
        self.write(".hidden.prom", "hidden 1\n")
        os.utime(good, (1000, 1000.5))
        config = {"textfile": {"directories": [self.directory], "interval": "200ms"}}
        with Flow(config) as flow:
            flow.wait_sample("backup_last_seconds{", "5")
            flow.wait_sample(f'node_textfile_mtime_seconds{{file="{good}"', "1000.5")
            flow.wait_sample("node_textfile_scrape_error", "1")
            for path, error in ((good, "0"), (bad, "1"), (timed, "1")):
                flow.wait_sample(f'vherd_textfile_error{{file="{path}"', error)
            for name in ("fine", "t{", "other", "hidden"):
                self.assertEqual(flow.values(name), [], name)
            self.assertIn(f"{bad}: line 2", flow.log())
            os.unlink(bad)
            os.unlink(timed)
            flow.wait_sample("node_textfile_scrape_error", "0")
            os.unlink(good)
            flow.wait_sample("backup_last_seconds{", "stale")

    def test_no_directory(self):
        config = {"textfile": {"directories": [self.directory + "/none"], "interval": "200ms"}}
        with Flow(config) as flow:
            flow.wait_sample("node_textfile_scrape_error", "1")

    def test_nothing_else_can_be_read(self):
        link = os.path.join(self.directory, "link.prom")
        secret = tempfile.mkdtemp(prefix="vherd-secret-")
        os.chmod(secret, 0o755)
        self.addCleanup(shutil.rmtree, secret)
        with open(os.path.join(secret, "x.prom"), "w", encoding="utf-8") as file:
            file.write("secret 1\n")
        os.symlink(os.path.join(secret, "x.prom"), link)
        config = {"textfile": {"directories": [self.directory], "interval": "200ms"}}
        with Flow(config) as flow:
            if "landlock ABI" not in flow.log():
                self.skipTest("a kernel without Landlock")
            flow.wait_sample(f'vherd_textfile_error{{file="{link}"', "1")
            self.assertEqual(flow.values("secret"), [])


class InTheDaemon(unittest.TestCase):
    """Scraping as part of the whole: started, reloaded, refused."""

    def test_reload(self):
        pages = [Page("a 1\n"), Page("b 1\n")]
        for page in pages:
            self.addCleanup(page.close)
        daemon = memorydaemon.MemoryDaemon(vms=1)

        def write(page, **more):
            daemon.config["scrape"] = [job(page.address, **more)]
            daemon.write_config()
        write(pages[0])
        with daemon:
            wait_for("the first page", 20, lambda: pages[0].requests)
            write(pages[1])
            daemon.process.send_signal(signal.SIGHUP)
            wait_for("the second page", 20, lambda: pages[1].requests)
            asked = len(pages[0].requests)
            time.sleep(1)
            self.assertLessEqual(len(pages[0].requests), asked + 1)
            write(pages[0], relabel_configs=[{"source_labels": ["a"], "regex": "(",
                                              "target_label": "b"}])
            daemon.process.send_signal(signal.SIGHUP)
            wait_for("refused", 20, lambda: "stays as it was" in daemon.log())
            self.assertRegex(daemon.log(), r"vherd\.yaml: line \d+: regex")
            asked = len(pages[1].requests)
            wait_for("still asked", 20, lambda: len(pages[1].requests) > asked + 3)
            self.assertNotIn("ended", daemon.log())

    def test_bad_rules_are_told_at_the_start(self):
        daemon = memorydaemon.MemoryDaemon(vms=1)
        daemon.config["scrape"] = [job("127.0.0.1:1", name="twice"), job("127.0.0.1:1", name="twice")]
        daemon.write_config()
        try:
            daemon.start(wait=False)
            self.assertNotEqual(daemon.process.wait(30), 0)
            self.assertIn('"twice" is given twice', daemon.log())
        finally:
            daemon.process = None
            daemon.close()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Export, import, snapshot: what the store holds goes out as text and comes in again."""

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

import fakedaemon
import memorydaemon
import smalldisk
import vherd


def run(daemon, *words, status=0):
    done = subprocess.run(daemon.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120)
    if done.returncode != status:
        raise AssertionError(f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def values(daemon, expression, start, end, step):
    """{labels: [[time, value]…]} of a range query."""
    path = (f"/api/v1/query_range?query={vherd.urllib.parse.quote(expression)}"
            f"&start={start}&end={end}&step={step}")
    status, _, text = daemon.get(path)
    if status != 200:
        raise AssertionError(text)
    return {json.dumps(series["metric"], sort_keys=True): series["values"]
            for series in json.loads(text)["data"]["result"]}


class Transfer(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.top.name, "samples.om")
        self.addCleanup(self.top.cleanup)

    @staticmethod
    def source():
        return memorydaemon.MemoryDaemon(3, config={"store": {"instance": "a"}})

    @staticmethod
    def target(**store):
        return memorydaemon.MemoryDaemon(1, config={"store": {"instance": "b", **store}})

    def write(self, *lines, eof=True):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines) + ("# EOF\n" if eof else ""))

    def test_what_is_exported_and_imported_answers_the_same(self):
        with self.source() as a, self.target() as b:
            vherd.wait_for("samples", 30, lambda: a.status()["store"]["kept_samples"] > 3000)
            # The last series end within the exported stretch: markers have to come along.
            a.stop()
            a.start()
            time.sleep(2)
            newest = a.status()["store"]["newest"]
            run(a, "export", self.file, "--end", str(newest))
            with open(self.file, encoding="utf-8") as file:
                text = file.read()
            self.assertIn("# TYPE libvirt_domain_vcpu_time_seconds counter\n", text)
            self.assertTrue(text.endswith("\n# EOF\n"))
            samples = sum(not line.startswith("#") for line in text.splitlines())
            out, _ = run(b, "import", self.file)
            self.assertEqual(out, f"{samples} samples imported\n")
            start = a.status()["store"]["oldest"]
            for expression, least in (
                    ('{instance="a"}', 300), ('count by (__name__) ({instance="a"})', 50),
                    ('rate(libvirt_domain_vcpu_time_seconds_total{instance="a"}[5s])', 3)):
                want = values(a, expression, start, newest, 1)
                self.assertGreaterEqual(len(want), least)
                self.assertEqual(values(b, expression, start, newest, 1), want)

    def test_a_compressed_file_and_one_series(self):
        with self.source() as a, self.target() as b:
            vherd.wait_for("samples", 30, lambda: a.status()["store"]["kept_samples"] > 1000)
            out, _ = run(a, "export", "--match", 'libvirt_up{instance="a"}', "--start", "-1h")
            names = {line.split("{")[0] for line in out.splitlines() if not line.startswith("#")}
            self.assertEqual(names, {"libvirt_up"})
            packed = self.file + ".zst"
            subprocess.run(["zstd", "-q", "-o", packed], input=out.encode(), check=True)
            self.assertIn("samples imported", run(b, "import", packed)[0])

    def test_years_ago_in_any_order(self):
        # Two series over four days, last year; one of them backwards.
        start, n = int(time.time()) // 60 * 60 - 400 * 86400, 4 * 24 * 60
        rows = [f"old_a {i} {start + 60 * i}" for i in range(n)]
        rows += [f"old_b {i} {start + 60 * i}" for i in reversed(range(n))]
        self.write(*rows)
        with self.target() as b:
            self.assertEqual(run(b, "import", "--dry-run", self.file)[0],
                             f"{2 * n} samples would be imported\n")
            self.assertEqual(values(b, "old_a", start + 60, start + 60, 1), {})
            self.assertEqual(run(b, "import", self.file)[0], f"{2 * n} samples imported\n")
            for name in ("old_a", "old_b"):
                got = values(b, f"count_over_time({name}[{n}m])", start + 60 * n, start + 60 * n, 1)
                self.assertEqual([series[0][1] for series in got.values()], [str(n - 1)])
            # A second time nothing is new.
            out, _ = run(b, "import", self.file, status=1)
            self.assertEqual(out, "0 samples imported\n"
                             f"{2 * n} refused: there is a sample of that time already\n")
            self.assertEqual(run(b, "import", self.file, "--dry-run", status=1)[0],
                             out.replace("imported", "would be imported"))
            self.write(f"old_a 1 {start - 3000 * 86400}", "ahead 1 99999999999")
            self.assertIn("2 refused: older than anything", run(b, "import", self.file, status=1)[0])

    def live_history(self, b, days):
        """Lines for a series that b samples now, each minute up to where b begins."""
        first = b.status()["store"]["oldest"]
        end = int(first) // 60 * 60
        labels = next(iter(values(b, 'libvirt_up{instance="b"}', first + 3, first + 3, 1)))
        name = json.loads(labels)
        series = "libvirt_up{" + ",".join(f'{k}="{v}"' for k, v in name.items()
                                          if k != "__name__") + "}"
        return series, [(end - 60 * i, 2) for i in range(days * 1440, 0, -1)]

    @staticmethod
    def is_sampling(b):
        status, _, text = b.get("/vherd/v1/status")
        return status == 200 and json.loads(text)["store"].get("kept_samples", 0) > 0

    def check_border(self, b, rows):
        """Before the border what was imported, behind it what was sampled, in one series."""
        first = rows[0][0]
        got = values(b, 'libvirt_up{instance="b"}', first, rows[-1][0], 60 * 97)
        self.assertEqual([[v for _, v in series] for series in got.values()],
                         [["2"] * len(range(first, rows[-1][0] + 1, 60 * 97))])
        now = b.status()["store"]["newest"]
        got = values(b, 'min_over_time(libvirt_up{instance="b"}[2d])', now, now, 1)
        self.assertIn([series[0][1] for series in got.values()], (["0"], ["1"]))
        got = values(b, 'max_over_time(libvirt_up{instance="b"}[2d])', now, now, 1)
        self.assertEqual([series[0][1] for series in got.values()], ["2"])
        got = values(b, f'count_over_time(libvirt_up{{instance="b"}}[{len(rows)}m])',
                     rows[-1][0], rows[-1][0], 1)
        self.assertEqual([series[0][1] for series in got.values()], [str(len(rows))])

    def test_history_of_a_series_that_is_sampled_now(self):
        with self.target(keep="40d") as b:
            vherd.wait_for("samples", 30, lambda: b.status()["store"]["kept_samples"] > 2000)
            series, rows = self.live_history(b, 35)
            self.write(*(f"{series} {v} {t}" for t, v in rows))
            self.assertEqual(run(b, "import", self.file)[0], f"{len(rows)} samples imported\n")
            self.check_border(b, rows)
            # From blocks: a snapshot writes the head.
            run(b, "store", "snapshot", "x")
            self.check_border(b, rows)
            out, _ = run(b, "import", self.file, status=1)
            self.assertIn(f"{len(rows)} refused: there is a sample of that time already", out)
            b.stop()
            b.start()
            vherd.wait_for("samples", 30, lambda: b.status()["store"]["kept_samples"] > 0)
            self.check_border(b, rows)

    def test_killed_in_the_middle_of_an_import(self):
        with self.target(keep="40d", flush="100ms") as b:
            vherd.wait_for("samples", 30, lambda: b.status()["store"]["kept_samples"] > 2000)
            series, rows = self.live_history(b, 35)
            for part in range(0, len(rows), 10000):
                self.write(*(f"{series} {v} {t}" for t, v in rows[part:part + 10000]))
                if part < 30000:
                    run(b, "import", self.file)
                    continue
                time.sleep(1)
                with subprocess.Popen(b.command("import", self.file), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL):
                    os.kill(b.process_named("core"), signal.SIGKILL)
                break
            vherd.wait_for("the store again", 30, lambda: self.is_sampling(b))
            # What was answered is there; the rest is taken when it is sent again.
            got = values(b, f'count_over_time(libvirt_up{{instance="b"}}[{len(rows)}m])',
                         rows[29999][0], rows[29999][0], 1)
            self.assertEqual([s[0][1] for s in got.values()], ["30000"])
            self.write(*(f"{series} {v} {t}" for t, v in rows))
            out, _ = run(b, "import", self.file, status=1)
            numbers = [int(line.split()[0]) for line in out.splitlines()]
            self.assertEqual(sum(numbers), len(rows), out)
            self.check_border(b, rows)

    def test_malformed_lines_are_named_and_nothing_is_taken(self):
        now = int(time.time()) - 60
        lines = [f"good {i} {now - i}" for i in range(100000, 0, -1)]  # more than one request
        self.write(*lines, f"bad{{ 2 {now}")
        with self.target() as b:
            _, err = run(b, "import", self.file, status=2)
            self.assertIn("line 100001", err)
            self.assertEqual(values(b, "last_over_time(good[2d])", now, now, 1), {})
            self.write("timeless 1")
            self.assertIn("timestamp", run(b, "import", self.file, status=2)[1])
            self.write(*lines)
            self.assertEqual(run(b, "import", self.file)[0], "100000 samples imported\n")
            self.assertEqual(len(values(b, "last_over_time(good[2d])", now, now, 1)), 1)

    def test_only_the_unix_socket_may_import_and_snapshot(self):
        port = fakedaemon.free_port()
        with memorydaemon.MemoryDaemon(1, config={
                "web": {"listen": [f"127.0.0.1:{port}"]}}):
            for path in ("/vherd/v1/import", "/vherd/v1/store/snapshot",
                         "/vherd/v1/store/delete?match%5B%5D=up"):
                status, _, _ = vherd.http_get(path, tcp=("127.0.0.1", port), method="POST")
                self.assertEqual(status, 403)

    def test_a_snapshot_is_a_store_of_its_own(self):
        with self.source() as a:
            vherd.wait_for("samples", 30, lambda: a.status()["store"]["kept_samples"] > 1000)
            newest = a.status()["store"]["newest"]
            path = run(a, "store", "snapshot", "first")[0].strip()
            self.assertEqual(path, os.path.join(a.store, "snapshots", "first"))
            self.assertIn("exists", run(a, "store", "snapshot", "first", status=1)[1])
            self.assertIn("name", run(a, "store", "snapshot", "../x", status=1)[1])
            want = values(a, '{instance="a"}', newest - 5, newest, 1)
            with self.target(path=path) as other:
                self.assertEqual(values(other, '{instance="a"}', newest - 5, newest, 1), want)

    def test_what_is_deleted_is_gone_and_nothing_else(self):
        self.write(*(f'old{{i="{i}"}} {i} {1600000000 + 60 * minute}'
                     for i in range(3) for minute in range(10)))
        with self.target(keep="0s") as b:
            run(b, "import", self.file)

            def left():
                found = values(b, "old", 1600000000, 1600000540, 60)
                return {json.loads(labels)["i"]: len(samples) for labels, samples in found.items()}
            window = "--start", "1600000180", "--end", "1600000600"
            self.assertIn("of 1 series would", run(b, "store", "delete", 'old{i="1"}', *window,
                                                   "--dry-run")[0])
            self.assertEqual(left(), {"0": 10, "1": 10, "2": 10})
            self.assertIn("of 1 series deleted", run(b, "store", "delete", 'old{i="1"}', *window)[0])
            self.assertEqual(values(b, 'count_over_time(old{i="1"}[10m])', 1600000540, 1600000540,
                                    60).popitem()[1][0][1], "3")
            self.assertIn("of 1 series deleted, from 1600000180000 to 1600000600000 ms", b.log())
            run(b, "store", "delete", 'old{i=~"0|9"}')
            self.assertIn("all samples of 1 series deleted", b.log())
            self.assertEqual(set(left()), {"1", "2"})
            self.assertEqual(left()["2"], 10)
            self.assertIn("of 0 series", run(b, "store", "delete", "nothing_has_this_name")[0])
            for words in (("old{",), ("old[5m]",), ("sum(old)",), ("{}",)):
                run(b, "store", "delete", *words, status=1)
            run(b, "store", "delete", status=2)
            run(b, "store", "delete", "old", "--start", "soon", status=2)
            self.assertEqual(left()["2"], 10)

    def test_what_a_full_disk_refuses_to_delete_stays(self):
        self.write(*(f"old {minute} {1600000000 + 60 * minute}" for minute in range(10)))
        disk = self.enterContext(smalldisk.SmallDisk())
        with self.target(keep="0s", path=os.path.join(disk.top, "store")) as b:
            def left():
                return sum(len(samples) for samples in
                           values(b, "old", 1600000000, 1600000540, 60).values())

            def restart():
                b.stop(30)
                b.start()
                vherd.wait_for("the store", 30, lambda: self.is_sampling(b))

            run(b, "import", self.file)
            run(b, "store", "snapshot", "x")  # so that it is written
            disk.fill()
            out, error = run(b, "store", "delete", "old", status=1)
            self.assertEqual(out, "")
            self.assertIn("No space left on device; nothing was deleted\n", error)
            self.assertEqual(error.count("\n"), 1, error)
            status, _, body = b.get("/vherd/v1/store/delete?match[]=old", method="POST")
            self.assertEqual(status, 507, body)
            self.assertEqual(left(), 10)
            restart()
            self.assertEqual(left(), 10)
            disk.free()
            restart()
            self.assertEqual(left(), 10)
            run(b, "store", "delete", "old")
            self.assertEqual(left(), 0)
            restart()
            self.assertEqual(left(), 0)

    def replay(self, daemon, *words):
        out, _ = run(daemon, "replay", *words, "--json")
        return [json.loads(line) for line in out.splitlines()]

    def check_replayed(self, steps, live):
        self.assertGreaterEqual(len(steps), 3)
        times = [step["time"] for step in steps]
        self.assertEqual(times, [times[0] + i for i in range(len(times))])
        last = {vm["name"]: vm for vm in steps[-1]["vms"]}
        self.assertEqual(set(last), set(live))
        for name, vm in last.items():
            for field in ("state", "vcpus_current", "memory_current_bytes"):
                self.assertEqual(vm[field], live[name][field], name)
            # The guests work evenly, but a busy machine samples them unevenly.
            self.assertAlmostEqual(vm["cpu_ratio"], live[name]["cpu_ratio"], delta=0.5)

    def test_a_snapshot_an_export_and_a_recording_are_replayed(self):
        recording = os.path.join(self.top.name, "recording")
        with self.source() as a:
            vherd.wait_for("rates", 30, lambda: all("cpu_ratio" in vm and "state" in vm
                                                    for vm in a.vms().values()))
            with open(recording, "w", encoding="utf-8") as file:
                for second in range(4):
                    time.sleep(1)
                    for line in a.get("/metrics")[2].splitlines():
                        if not line.startswith("#"):
                            file.write(f"{line} {1700000000 + second}\n")
                        elif second == 0:
                            file.write(line + "\n")
            time.sleep(2)
            live = a.vms()
            path = run(a, "store", "snapshot", "x")[0].strip()
            run(a, "export", self.file)
            for source in (path, self.file, recording):
                with self.subTest(source):
                    self.check_replayed(self.replay(a, source, "--step", "1s"), live)
            out, _ = run(a, "replay", self.file, "--step", "1s", "--speed", "50")
            self.assertIn("NAME", out)
            self.assertIn("vm1", out)
            # The store itself is in use, and what is none is not made one.
            self.assertIn("another process", run(a, "replay", a.store, status=2)[1])
            self.assertIn("no store", run(a, "replay", self.top.name, status=2)[1])
            self.assertEqual(self.replay(a, self.file, "--start", "2100-01-01T00:00:00Z"), [])
            backwards = "--start", "-1h", "--end", "-2h"
            self.assertIn("--start", run(a, "replay", self.file, *backwards, status=2)[1])
            self.assertIn("before start", run(a, "export", *backwards, status=1)[1])

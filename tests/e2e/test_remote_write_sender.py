# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write as the real vherd-send speaks it, case by case.

The names are those of the sender cases of Prometheus' compliance suite (conformance/remotewrite/cases.tsv):
each is checked on what a receiver of ours was sent after vherd-send scraped a page, in version 1.0, 2.0 or
both; NOT_HERE says why the others do not apply. With VHERD_CONFORMANCE the list is compared with theirs.
"""

import functools
import math
import os
import re
import time
import unittest

import building
from flow import Flow, Page, job, now_ms, remote
from remotewrite import STALE, Answer, Receiver
from vherd import wait_for

V1, V2, BOTH = (1,), (2,), (1, 2)
LONG = "x" * 12000
METRIC = "very_long_" + "name_" * 60
MANY = ",".join(f'label_{i:03}="value {i}"' for i in range(60))
HUGE_LABEL = "long_" + "l" * 200

PAGE = f"""# HELP http_requests_total Requests, \\\\ "all" of them.\\nBy code – €.
# TYPE http_requests_total counter
http_requests_total{{code="200",method="GET"}} 1027
http_requests_total{{code="500",method="GET"}} 3
# HELP temperature_celsius How warm it is.
# TYPE temperature_celsius gauge
temperature_celsius -12.75
# HELP latency_seconds How long it takes.
# TYPE latency_seconds histogram
latency_seconds_bucket{{le="0.1"}} 5
latency_seconds_bucket{{le="1"}} 8
latency_seconds_bucket{{le="+Inf"}} 9
latency_seconds_sum 4.25
latency_seconds_count 9
# HELP size_bytes How large they are.
# TYPE size_bytes summary
size_bytes{{quantile="0.5"}} 100
size_bytes{{quantile="0.99"}} 4000
size_bytes_sum 90000
size_bytes_count 450
# TYPE no_help gauge
no_help 1
int_value 42
zero_value 0
negative_value -3.5
plus_inf +Inf
minus_inf -Inf
not_a_number NaN
large_value 1.7976931348623157e308
small_value 4.9e-324
scientific 1.5e-7
precise 0.1234567890123456
job:rate:colons 1
unicode{{text="日本語 ёж 🦊 é"}} 1
special{{text="tab\\\\ \\"quoted\\" line\\nnext / {{}} ="}} 1
empty_label{{a="",b="x"}} 1
huge{{text="{LONG}"}} 1
{METRIC} 1
long_label{{{HUGE_LABEL}="y"}} 1
many{{{MANY}}} 1
at_zero 1 0
in_future 1 FUTURE
in_past 1 1000000000123
"""

MORE = "".join(f'pod_info{{pod="pod-{i:04}",node="node-{i % 7}"}} {i}\n' for i in range(3000))


def page_text():
    return (PAGE + MORE).replace("FUTURE", str(now_ms() + 300000))


class Seen:
    """What a receiver got, and how vherd-send took it."""

    def __init__(self, receiver, flow, page):
        self.requests, self.log = receiver.seen(), flow.log()
        self.writes = [request for request in self.requests if request.series]
        self.metadata = receiver.metadata()
        self.taken = receiver.taken()
        self.page = page
        self.scraped = flow.samples()

    def find(self, name):
        """Series with this metric name: [(labels as a dict, samples)]."""
        return [(dict(series["labels"]), series["samples"]) for request in self.writes
                for series in request.series if ("__name__", name) in series["labels"]]

    def one(self, name):
        labels, samples = self.find(name)[0]
        return labels, samples[0]

    def value(self, name):
        return self.one(name)[1]["value"]


def collect(version, answers=(), default=None, text=None, until=None, queue=None, seconds=20, **more):
    """Scrapes a page while a receiver answers so; ends once `until` is true of the receiver."""
    page = Page(page_text() if text is None else text)
    receiver = Receiver(answers, default)
    until = until or (lambda: len(receiver.writes()) > 3 and
                      (version == 2 or len(receiver.metadata()) > 3))
    if callable(until) and until.__code__.co_argcount:
        chosen = until
        until = lambda: chosen(receiver)  # noqa: E731
    try:
        with Flow({"scrape": [job(page.address)],
                   "remote_write": [remote(receiver, version, queue)], **more}) as flow:
            wait_for(f"enough requests; {flow.log()}", seconds, until)
            return Seen(receiver, flow, page)
    finally:
        page.close()
        receiver.close()


@functools.cache
def plain(version):
    return collect(version)


# Checks of one observation; `seen` is plain(version) unless they make their own.


def each_series(seen):
    for request in seen.writes:
        yield from request.series


def check_headers(**wanted):
    def check(test, seen, version):
        for request in seen.requests:
            for name, value in wanted.items():
                want = value[version] if isinstance(value, dict) else value
                test.assertRegex(request.headers.get(name.replace("_", "-"), ""), f"^(?:{want})$")
    return check


def check_value(name, want):
    def check(test, seen, version):
        got = seen.value(name)
        test.assertTrue(math.isnan(got) if math.isnan(want) else got == want, f"{name}: {got}")
    return check


def check_method(test, seen, version):
    test.assertEqual({request.method for request in seen.requests}, {"POST"})


def check_parses(test, seen, version):
    for request in seen.requests:
        test.assertIsNone(request.error)
        test.assertEqual(request.content["unknown"], [])
        test.assertEqual(request.version, version)


def check_types_together(test, seen, version):
    names = [{dict(series["labels"])["__name__"] for series in request.series}
             for request in seen.writes]
    wanted = {"http_requests_total", "temperature_celsius", "latency_seconds_bucket",
              "size_bytes_count"}
    test.assertTrue(any(wanted <= seen_names for seen_names in names))


def check_family_together(test, seen, version):
    family = {"latency_seconds_bucket", "latency_seconds_sum", "latency_seconds_count"}
    some = False
    for request in seen.writes:
        names = [dict(series["labels"])["__name__"] for series in request.series]
        some |= family <= set(names) and names.count("latency_seconds_bucket") == 3
    test.assertTrue(some)


def check_sorted(test, seen, version):
    for series in each_series(seen):
        names = [name for name, _ in series["labels"]]
        test.assertEqual(names, sorted(names))


def check_distinct(test, seen, version):
    for series in each_series(seen):
        names = [name for name, _ in series["labels"]]
        test.assertEqual(len(names), len(set(names)))


def check_metric_name(test, seen, version):
    for series in each_series(seen):
        test.assertRegex(dict(series["labels"])["__name__"], r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")


def check_label_names(test, seen, version):
    for series in each_series(seen):
        for name, _ in series["labels"]:
            test.assertRegex(name, r"^[a-zA-Z_][a-zA-Z0-9_]*$")


def check_no_reserved(test, seen, version):
    for series in each_series(seen):
        for name, _ in series["labels"]:
            test.assertTrue(name == "__name__" or not name.startswith("__"), name)


def check_label(metric, label, want):
    def check(test, seen, version):
        test.assertEqual(seen.one(metric)[0].get(label), want)
    return check


def check_job_instance(test, seen, version):
    for series in each_series(seen):
        labels = dict(series["labels"])
        test.assertEqual(labels["job"], "app")
        test.assertEqual(labels["instance"], seen.page.address)


def check_many_labels(test, seen, version):
    labels = seen.one("many")[0]
    test.assertEqual(len([name for name in labels if name.startswith("label_")]), 60)
    test.assertEqual(labels["label_059"], "value 59")


def check_batches(test, seen, version):
    test.assertGreater(max(len(request.series) for request in seen.writes), 100)
    test.assertLessEqual(max(request.samples() for request in seen.writes), 10000)


def check_pods(test, seen, version):
    pods = {}
    for labels, samples in seen.find("pod_info"):
        pods[labels["pod"]] = samples[0]["value"]
    test.assertEqual(pods, {f"pod-{i:04}": i for i in range(3000)})


def check_times(test, seen, version):
    for request in seen.writes:
        for series in request.series:
            if dict(series["labels"])["__name__"] in ("at_zero", "in_future", "in_past"):
                continue
            for sample in series["samples"]:
                test.assertLess(abs(sample["t"] - request.wall_ms), 60000)


def check_time(name, want=None, ahead=None):
    def check(test, seen, version):
        t = seen.one(name)[1]["t"]
        if want is not None:
            test.assertEqual(t, want)
        else:
            test.assertLess(abs(t - now_ms() - ahead), 120000)
    return check


def check_order(test, seen, version):
    last = {}
    for request in seen.writes:
        for series in request.series:
            key = tuple(series["labels"])
            times = [sample["t"] for sample in series["samples"]]
            test.assertEqual(times, sorted(times))
            test.assertGreaterEqual(times[0], last.get(key, -1 << 62))
            last[key] = times[-1]
    test.assertGreater(len(last), 3000)


def check_no_histograms(test, seen, version):
    for series in each_series(seen):
        test.assertEqual(series["histograms"], 0)
        test.assertTrue(series["samples"])


def check_no_start(test, seen, version):
    for series in each_series(seen):
        test.assertTrue(all(sample["start"] == 0 for sample in series["samples"]))


def check_exemplars_absent(test, seen, version):
    test.assertTrue(all(series["exemplars"] == 0 for series in each_series(seen)))


def check_symbols(test, seen, version):
    for request in seen.writes:
        symbols = request.content["symbols"]
        test.assertEqual(symbols[0], "")
        test.assertEqual(len(symbols), len(set(symbols)))
        for series in request.series:
            test.assertEqual(len(series["refs"]) % 2, 0)
            test.assertTrue(all(ref < len(symbols) for ref in series["refs"]))
            test.assertTrue(series["labels"])


def check_no_symbols(test, seen, version):
    for request in seen.writes:
        test.assertIsNone(request.content["symbols"])


TYPES = {"unknown": 0, "counter": 1, "gauge": 2, "histogram": 3, "summary": 5}
HELP = 'Requests, \\ "all" of them.\nBy code – €.'


def metadata_of(seen, version, sample, family):
    """(type, help) that goes with a sample."""
    if version == 1:
        found = [meta for meta in seen.metadata if meta["name"] == family]
        return {(meta["type"], meta["help"]) for meta in found}
    out = set()
    for request in seen.writes:
        for series in request.series:
            if dict(series["labels"])["__name__"] == sample:
                meta, symbols = series["metadata"], request.content["symbols"]
                out.add((meta["type"], symbols[meta["help_ref"]]))
    return out


def check_metadata(sample, family, kind, text):
    def check(test, seen, version):
        test.assertEqual(metadata_of(seen, version, sample, family), {(TYPES[kind], text)})
    return check


def check_metadata_refs(test, seen, version):
    for request in seen.writes:
        for series in request.series:
            meta = series["metadata"]
            test.assertLess(meta["help_ref"], len(request.content["symbols"]))
            test.assertLess(meta["unit_ref"], len(request.content["symbols"]))


def check_all_metadata(test, seen, version):
    for sample, family, kind, text in (
            ("http_requests_total", "http_requests_total", "counter", HELP),
            ("temperature_celsius", "temperature_celsius", "gauge", "How warm it is."),
            ("latency_seconds_bucket", "latency_seconds", "histogram", "How long it takes."),
            ("size_bytes", "size_bytes", "summary", "How large they are.")):
        check_metadata(sample, family, kind, text)(test, seen, version)


# Failures. The receiver answers so first, then well.


def sample_keys(receiver):
    """How often each sample was taken: {(labels, t): n}."""
    counts = {}
    for series, samples in receiver.taken().items():
        for t, _, _ in samples:
            counts[series, t] = counts.get((series, t), 0) + 1
    return counts


SMALL = "steady 1\n"


def after(answers, version, more=2, queue=None, seconds=20, **given):
    """Writes while a receiver answers so, until it was asked `more` times after."""
    want = len(answers) + more
    return collect(version, answers, text=SMALL, until=lambda receiver: len(receiver.writes()) >= want,
                   queue=queue, seconds=seconds, **given)


def check_retried(*answers, queue=None):
    def check(test, _, version):
        seen = after([answer() for answer in answers], version, queue=queue)
        first = seen.writes[0].packed
        for request in seen.writes[:len(answers) + 1]:
            test.assertEqual(request.packed, first, "the same samples again")
        test.assertNotEqual(seen.writes[len(answers) + 1].packed, first)
        lost = {(series, t) for series, t, _ in seen.scraped[:7]} - {
            (series_text(labels), t) for labels, samples in seen.taken.items()
            for t, _, _ in samples}
        test.assertEqual(lost, set())
    return check


def series_text(labels):
    pairs = dict(labels)
    inner = ", ".join(f'{name}="{value}"' for name, value in labels if name != "__name__")
    return f"{pairs['__name__']}{{{inner}}}"


def check_not_retried(status, body=b"no such thing"):
    def check(test, _, version):
        seen = after([Answer(status, body=body)], version)
        packed = [request.packed for request in seen.writes]
        test.assertEqual(len(packed), len(set(packed)), "each batch once")
        test.assertIn(body.decode(), seen.log)
    return check


def status(code):
    return functools.partial(Answer, code)


def raw(data):
    return functools.partial(Answer, raw=data)


def check_backoff(test, _, version):
    seen = after([Answer(503) for _ in range(5)], version,
                 queue={"min_backoff": "100ms", "max_backoff": "10s"})
    times = [request.at for request in seen.writes[:6]]
    gaps = [b - a for a, b in zip(times, times[1:])]
    # 100, 200, 400, 800, 1600 ms, each give or take a quarter.
    for k, gap in enumerate(gaps):
        test.assertGreaterEqual(gap, 0.1 * 2 ** k * 0.75)
    test.assertTrue(all(b > a for a, b in zip(gaps, gaps[1:])), gaps)


def check_backoff_max(test, _, version):
    seen = after([Answer(503) for _ in range(8)], version,
                 queue={"min_backoff": "50ms", "max_backoff": "200ms"})
    times = [request.at for request in seen.writes[:9]]
    # Without a bound the pauses would add up to 50 ms * (2^8 - 1) = 12.7 s.
    test.assertLess(times[-1] - times[0], 8)


def check_jitter(test, _, version):
    seen = after([Answer(503) for _ in range(8)], version,
                 queue={"min_backoff": "200ms", "max_backoff": "200ms"})
    times = [request.at for request in seen.writes[:9]]
    gaps = [b - a for a, b in zip(times, times[1:])]
    test.assertGreater(max(gaps) - min(gaps), 0.005)


def check_refused_connection(test, _, version):
    page, receiver = Page(SMALL), Receiver()
    receiver.stop()
    try:
        with Flow({"scrape": [job(page.address)],
                   "remote_write": [remote(receiver, version)]}) as flow:
            flow.wait_sample("steady")
            wait_for("a word about it", 20, lambda: "remote_write far" in flow.log())
            first = flow.samples()[0]
            receiver.start()
            wait_for("samples", 20, receiver.writes)
            test.assertIn((first[0], first[1]),
                          {(series_text(labels), t) for labels, samples in receiver.taken().items()
                           for t, _, _ in samples})
    finally:
        page.close()
        receiver.close()


def check_timeout(test, _, version):
    page, receiver = Page(SMALL), Receiver([Answer(204, delay=2.5)])
    config = remote(receiver, version)
    config["remote_timeout"] = "500ms"
    try:
        with Flow({"scrape": [job(page.address)], "remote_write": [config]}) as flow:
            wait_for("writes", 20, lambda: len(receiver.writes()) > 3)
            packed = [request.packed for request in receiver.writes()]
            test.assertEqual(packed[0], packed[1])
            test.assertIn("timed out", flow.log())
    finally:
        page.close()
        receiver.close()


def check_empty_scrape(test, _, version):
    seen = collect(version, text="", until=lambda receiver: len(receiver.writes()) > 1)
    test.assertEqual(seen.value("up"), 1)
    test.assertEqual(seen.value("scrape_samples_scraped"), 0)


def check_stale(test, _, version):
    page, receiver = Page("goes 1\nstays 1\n"), Receiver()
    try:
        with Flow({"scrape": [job(page.address)], "remote_write": [remote(receiver, version)]}):
            def bits(name):
                return [b for labels, samples in receiver.taken().items()
                        if ("__name__", name) in labels for _, _, b in samples]
            wait_for("samples", 20, lambda: bits("goes"))
            page.text = "stays 1\n"
            wait_for("a staleness marker", 20, lambda: STALE in bits("goes"))
            time.sleep(0.5)
            test.assertEqual(bits("goes").count(STALE), 1)
            test.assertNotIn(STALE, bits("stays"))
    finally:
        page.close()
        receiver.close()


def check_fallback_415(test, _, version):
    seen = after([Answer(415)], 2, more=3)
    versions = [request.version for request in seen.writes]
    test.assertEqual(versions[0], 2)
    test.assertEqual(set(versions[1:]), {1}, "and 1.0 from then on")
    test.assertEqual([request.headers["X-Prometheus-Remote-Write-Version"]
                      for request in seen.writes[:2]], ["2.0.0", "0.1.0"])
    test.assertEqual(seen.writes[1].headers["Content-Type"], "application/x-protobuf")
    values = [{(tuple(series["labels"]), sample["t"]) for series in request.series
               for sample in series["samples"]} for request in seen.writes[:2]]
    test.assertEqual(values[0], values[1], "the same samples again")


def check_no_fallback_on_2xx(test, _, version):
    for code in (200, 202, 204):
        seen = after([Answer(code) for _ in range(3)], 2)
        test.assertEqual({request.version for request in seen.writes}, {2})


def check_success(code):
    def check(test, _, version):
        seen = after([Answer(code, body=b"fine" if code != 204 else b"") for _ in range(3)], version)
        packed = [request.packed for request in seen.writes]
        test.assertEqual(len(packed), len(set(packed)))
    return check


def check_body_ignored(test, _, version):
    seen = after([Answer(200, body=b'{"error": "500 all is lost"}' * 100) for _ in range(3)], version)
    packed = [request.packed for request in seen.writes]
    test.assertEqual(len(packed), len(set(packed)))


def check_large_error(code):
    def check(test, _, version):
        seen = after([Answer(code, body=b"E" * 5_000_000)], version)
        test.assertLess(len(seen.log), 20000)
        test.assertGreaterEqual(len(seen.writes), 3)
    return check


def check_partial_written(test, _, version):
    half = {"X-Prometheus-Remote-Write-Samples-Written": "1"}
    seen = after([Answer(400, headers=half, body=b"one was too old")], version)
    packed = [request.packed for request in seen.writes]
    test.assertEqual(len(packed), len(set(packed)))


def check_continues(test, _, version):
    answers = [Answer(500), Answer(400), Answer(raw=b"\r\n"), Answer(429), Answer(503), Answer(404)]
    seen = after(answers, version, more=4)
    test.assertGreaterEqual(len(seen.taken), 1)


def check_load(test, _, version):
    text = "".join(f'load{{i="{i}"}} {i}\n' for i in range(4000))
    seen = collect(version, text=text, seconds=60,
                   until=lambda receiver: sum(r.samples() for r in receiver.writes()) > 20000)
    test.assertEqual({request.error for request in seen.requests}, {None})


def check_rw1_configurable(test, _, version):
    seen = after([], 1)
    test.assertEqual({request.version for request in seen.requests}, {1})


def check_special_combination(test, seen, version):
    for name, want in (("plus_inf", math.inf), ("minus_inf", -math.inf), ("not_a_number", math.nan),
                       ("large_value", 1.7976931348623157e308), ("small_value", 4.9e-324),
                       ("zero_value", 0.0)):
        check_value(name, want)(test, seen, version)


# name of the case: (versions, check). Without versions the check brings its own.
C = {
    "exponential_backoff_on_retries": (V1, check_backoff),
    "backoff_required": (V2, check_backoff),
    "backoff_max_delay": (V1, check_backoff_max),
    "backoff_with_jitter": (V1, check_jitter),
    "multiple_series_per_request": (BOTH, check_batches),
    "batch_size_reasonable": (BOTH, check_batches),
    "handles_varying_cardinality": (BOTH, check_pods),
    "efficient_symbol_reuse": (V2, check_symbols),
    "metadata_batching": (BOTH, check_all_metadata),
    "samples_with_metadata": (BOTH, check_all_metadata),
    "multiple_metric_types": (BOTH, check_types_together),
    "high_cardinality_labels": (BOTH, check_pods),
    "complete_metric_family": (BOTH, check_family_together),
    "mixed_labels_and_metadata": (BOTH, check_many_labels),
    "real_world_scenario": (BOTH, check_types_together),
    "empty_scrape": (BOTH, check_empty_scrape),
    "huge_label_values": (BOTH, check_label("huge", "text", LONG)),
    "unicode_in_labels": (BOTH, check_label("unicode", "text", "日本語 ёж 🦊 é")),
    "many_timeseries": (BOTH, check_pods),
    "high_cardinality": (BOTH, check_pods),
    "very_long_metric_name": (BOTH, check_value(METRIC, 1)),
    "special_float_combinations": (BOTH, check_special_combination),
    "zero_timestamp": (BOTH, check_time("at_zero", want=0)),
    "future_timestamp": (BOTH, check_time("in_future", ahead=300000)),
    "metric_name_with_colons": (BOTH, check_value("job:rate:colons", 1)),
    "stale_marker": (BOTH, check_stale),
    "TestRobustnessUnderLoad": (V1, check_load),
    "handle_connection_refused": (BOTH, check_refused_connection),
    "handle_timeout": (V1, check_timeout),
    "handle_partial_write": (V1, check_retried(raw(b"HTTP/1.1 20"))),
    "handle_malformed_response": (V1, check_retried(raw(b"I am no HTTP server\r\n\r\n"))),
    "sender_continues_after_errors": (BOTH, check_continues),
    "handle_invalid_status_code": (V1, check_retried(raw(b"HTTP/1.1 abc what\r\n\r\n"))),
    "handle_empty_response": (V1, check_retried(raw(b""))),
    "handle_large_error_response": (V1, check_large_error(500)),
    "TestNetworkErrors": (V2, check_retried(raw(b""), raw(b"nonsense"))),
    "fallback_on_415_unsupported_media_type": (V2, check_fallback_415),
    "retry_with_different_version": (V2, check_fallback_415),
    "fallback_header_changes": (V2, check_fallback_415),
    "accept_success_after_fallback": (V2, check_fallback_415),
    "persistent_fallback_choice": (V2, check_fallback_415),
    "TestNoFallbackOn2xx": (V2, check_no_fallback_on_2xx),
    "label_lexicographic_ordering": (BOTH, check_sorted),
    "metric_name_label_present": (BOTH, check_metric_name),
    "metric_name_format_valid": (BOTH, check_metric_name),
    "label_name_format_valid": (BOTH, check_label_names),
    "no_duplicate_label_names": (BOTH, check_distinct),
    "label_names_not_empty": (BOTH, check_label_names),
    "label_values_may_be_empty": (BOTH, check_label("empty_label", "b", "x")),
    "reserved_label_prefix": (BOTH, check_no_reserved),
    "unicode_in_label_values": (BOTH, check_label("unicode", "text", "日本語 ёж 🦊 é")),
    "special_chars_in_label_values":
        (BOTH, check_label("special", "text", 'tab\\ "quoted" line\nnext / {} =')),
    "very_long_label_names": (BOTH, check_label("long_label", HUGE_LABEL, "y")),
    "very_long_label_values": (BOTH, check_label("huge", "text", LONG)),
    "many_labels_per_series": (BOTH, check_many_labels),
    "metadata_type_counter":
        (BOTH, check_metadata("http_requests_total", "http_requests_total", "counter", HELP)),
    "metadata_type_gauge": (BOTH, check_metadata("temperature_celsius", "temperature_celsius",
                                                 "gauge", "How warm it is.")),
    "metadata_type_histogram": (BOTH, check_metadata("latency_seconds_bucket", "latency_seconds",
                                                     "histogram", "How long it takes.")),
    "metadata_type_summary": (BOTH, check_metadata("size_bytes", "size_bytes", "summary",
                                                   "How large they are.")),
    "metadata_help_text": (BOTH, check_all_metadata),
    "metadata_help_with_newlines":
        (BOTH, check_metadata("http_requests_total", "http_requests_total", "counter", HELP)),
    "metadata_help_with_special_chars":
        (BOTH, check_metadata("http_requests_total", "http_requests_total", "counter", HELP)),
    "metadata_help_refs_valid": (V2, check_metadata_refs),
    "metadata_consistent_across_series": (BOTH, check_all_metadata),
    "metadata_empty_help_allowed": (BOTH, check_metadata("no_help", "no_help", "gauge", "")),
    "content_type_protobuf": (BOTH, check_headers(Content_Type="application/x-protobuf.*")),
    "content_type_with_proto_param":
        (V2, check_headers(Content_Type=r"application/x-protobuf;\s*proto=io\.prometheus\.write\.v2"
                                        r"\.Request")),
    "content_encoding_snappy": (BOTH, check_headers(Content_Encoding="snappy")),
    "version_header_present":
        (BOTH, check_headers(X_Prometheus_Remote_Write_Version=r"\d+\.\d+\.\d+")),
    "version_header_value": (V2, check_headers(X_Prometheus_Remote_Write_Version=r"2\.0\.0")),
    "user_agent_present": (BOTH, check_headers(User_Agent=r"vherd/\S+")),
    "snappy_block_format": (BOTH, check_parses),
    "protobuf_parseable": (BOTH, check_parses),
    "TestHTTPMethod": (BOTH, check_method),
    "ignore_response_body_on_success": (BOTH, check_body_ignored),
    "handle_partial_write_response": (V2, check_partial_written),
    "handle_missing_written_headers": (V2, check_not_retried(400)),
    "log_error_messages_verbatim": (BOTH, check_not_retried(400, b"out of order: {a=\"b\"} <&> 100%")),
    "handle_large_error_body": (V1, check_large_error(400)),
    "handle_204_no_content": (BOTH, check_success(204)),
    "handle_200_ok": (BOTH, check_success(200)),
    "TestContentTypeNegotiation": (V2, check_fallback_415),
    "no_retry_on_400": (BOTH, check_not_retried(400)),
    "no_retry_on_401": (BOTH, check_not_retried(401)),
    "no_retry_on_404": (BOTH, check_not_retried(404)),
    "may_retry_on_429": (V1, check_retried(status(429), queue={"retry_on_http_429": True})),
    "retry_on_500": (BOTH, check_retried(status(500))),
    "retry_on_503": (BOTH, check_retried(status(503), status(503))),
    "retry_on_502": (V1, check_retried(status(502))),
    "retry_on_504": (V1, check_retried(status(504))),
    "no_retry_on_413": (BOTH, check_not_retried(413)),
    "rw1_version_header": (V1, check_headers(X_Prometheus_Remote_Write_Version=r"0\.1\.0")),
    "rw1_content_type": (V1, check_headers(Content_Type="application/x-protobuf")),
    "rw1_samples_encoding": (V1, check_pods),
    "rw1_labels_encoding": (V1, check_many_labels),
    "rw1_no_native_histograms": (V1, check_no_histograms),
    "rw1_no_start_timestamp": (V1, check_no_start),
    "rw1_metadata_handling": (V1, check_all_metadata),
    "rw1_symbol_table_not_used": (V1, check_no_symbols),
    "TestRemoteWrite1Configuration": (V1, check_rw1_configurable),
    "float_value_encoding": (BOTH, check_value("temperature_celsius", -12.75)),
    "integer_value_encoding": (BOTH, check_value("int_value", 42)),
    "zero_value_encoding": (BOTH, check_value("zero_value", 0)),
    "negative_value_encoding": (BOTH, check_value("negative_value", -3.5)),
    "positive_infinity_encoding": (BOTH, check_value("plus_inf", math.inf)),
    "negative_infinity_encoding": (BOTH, check_value("minus_inf", -math.inf)),
    "nan_encoding": (BOTH, check_value("not_a_number", math.nan)),
    "timestamp_milliseconds_format": (BOTH, check_times),
    "timestamp_recent": (BOTH, check_times),
    "multiple_samples_same_series": (BOTH, check_order),
    "large_float_values": (BOTH, check_value("large_value", 1.7976931348623157e308)),
    "small_float_values": (BOTH, check_value("small_value", 4.9e-324)),
    "scientific_notation": (BOTH, check_value("scientific", 1.5e-7)),
    "precision_preservation": (BOTH, check_value("precise", 0.1234567890123456)),
    "job_instance_labels_present": (BOTH, check_job_instance),
    "TestSampleOrdering": (BOTH, check_order),
    "empty_string_at_index_zero": (V2, check_symbols),
    "string_deduplication": (V2, check_symbols),
    "labels_refs_valid_indices": (V2, check_symbols),
    "labels_refs_even_length": (V2, check_symbols),
    "TestSymbolTableEfficiency": (V2, check_symbols),
    "timestamp_int64_milliseconds": (BOTH, check_times),
    "timestamp_ordering_within_series": (BOTH, check_order),
    "start_timestamp_zero_handling": (V2, check_no_start),
    "timestamp_precision": (BOTH, check_time("in_past", want=1000000000123)),
    "timestamp_future_values": (BOTH, check_time("in_future", ahead=300000)),
}

EXEMPLARS = "exemplars are read, checked and not kept yet, so none are sent"
NATIVE = "needs native histograms"
NOT_HERE = {
    "TestConcurrentRequests": "MAY: one request at a time keeps samples in order",
    "samples_with_exemplars": EXEMPLARS,
    "histogram_with_metadata_and_exemplars": EXEMPLARS,
    "mixed_sample_and_histogram_families": NATIVE,
    "exemplar_with_trace_id": EXEMPLARS,
    "exemplar_with_span_id": EXEMPLARS,
    "exemplar_value_valid": EXEMPLARS,
    "exemplar_timestamp_valid": EXEMPLARS,
    "exemplar_labels_valid_refs": EXEMPLARS,
    "exemplar_custom_labels": EXEMPLARS,
    "exemplar_on_histogram": EXEMPLARS,
    "exemplar_labels_even_length": EXEMPLARS,
    "multiple_exemplars_per_series": EXEMPLARS,
    **{name: NATIVE for name in (
        "native_histogram_structure", "histogram_count_present", "histogram_sum_present",
        "histogram_buckets_ordered", "histogram_positive_buckets", "histogram_negative_buckets",
        "histogram_zero_bucket", "histogram_schema", "histogram_timestamp",
        "histogram_no_mixed_with_samples", "histogram_empty_buckets", "histogram_large_counts")},
    "metadata_unit": "MAY: the text format has no units; test-remote-write has one",
    "process_written_count_headers": "MAY: what is confirmed is not counted apart",
    "start_timestamp_for_counters": "MAY: start timestamps are not kept",
    "start_timestamp_for_histograms": "MAY: start timestamps are not kept",
    "start_timestamp_before_sample_timestamp": "start timestamps are not sent",
}


class Sender(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not building.build("build", None, ["tests/flow-core"]):
            raise AssertionError("build does not build")

    def test_every_case_is_here_or_has_a_reason(self):
        self.assertEqual(set(C) & set(NOT_HERE), set())
        path = os.path.join(os.environ.get("VHERD_CONFORMANCE", ""), "remotewrite", "cases.tsv")
        if not os.environ.get("VHERD_CONFORMANCE") or not os.path.exists(path):
            self.skipTest("no conformance cases (VHERD_CONFORMANCE)")
        with open(path, encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file][1:]
        names = {row[2] for row in rows if row[0] == "sender"}
        self.assertEqual(names - set(C) - set(NOT_HERE), set(), "neither tested nor explained")
        needed = {row[2] for row in rows if row[0] == "sender" and row[3] in ("MUST", "SHOULD")}
        for name in needed & set(NOT_HERE):
            self.assertRegex(NOT_HERE[name], "native histograms|exemplars are|start timestamps")


def needs_plain(check):
    return not check.__code__.co_varnames[1] == "_"


def add(name, version, check):
    def run(self):
        check(self, plain(version) if needs_plain(check) else None, version)
    run.__doc__ = f"sender case {name}, version {version}.0"
    setattr(Sender, f"test_{re.sub(r'[^a-zA-Z0-9_]', '_', name)}_v{version}", run)


for _name, (_versions, _check) in C.items():
    for _version in _versions:
        add(_name, _version, _check)

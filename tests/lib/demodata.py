# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples like those of PromLabs' demo service, made up, the same each time, as text."""

import random

# Not a multiple of any window or step that a query has: samples never fall on a border, where
# Prometheus 2 and 3 differ.
OFF_BORDER_MS = 1234


def clocked(start_ms, seconds, step_ms, rng):
    """Times of one target's scrapes."""
    shift = OFF_BORDER_MS + rng.randrange(0, 700)
    return range(start_ms + shift, start_ms + seconds * 1000, step_ms)


def gauge(rng, base, spread):
    value = base
    while True:
        value = max(0.0, value + rng.uniform(-spread, spread))
        yield round(value, 3)


def counter(rng, rate, reset_every):
    value, n = 0.0, 0
    while True:
        n += 1
        value = 0.0 if n % reset_every == 0 else value + rng.uniform(0, 2 * rate)
        yield round(value, 6)


def series(start_ms, seconds, step_ms, instances=3):
    """Yields (labels' text, [(ms, value), …])."""
    rng = random.Random(7)
    targets = [f'instance="demo.promlabs.com:{10000 + i}",job="demo"' for i in range(instances)]
    times = [list(clocked(start_ms, seconds, step_ms, rng)) for _ in targets]

    def each(name, labels, make):
        for target, at in zip(targets, times):
            more = f",{labels}" if labels else ""
            yield f"{name}{{{target}{more}}}", list(zip(at, make()))

    for kind, base in (("used", 5e9), ("cached", 2e9), ("buffers", 1e9), ("free", 8e9)):
        yield from each("demo_memory_usage_bytes", f'type="{kind}"',
                        lambda base=base: (int(v) for v in gauge(rng, base, 1e7)))
    yield from each("demo_num_cpus", "", lambda: iter(lambda: 4, None))
    for mode in ("user", "system", "idle"):
        yield from each("demo_cpu_usage_seconds_total", f'mode="{mode}"',
                        lambda: counter(rng, 3, 301))
    yield from each("demo_disk_usage_bytes", "", lambda: gauge(rng, 3e10, 1e6))
    yield from each("demo_disk_total_bytes", "", lambda: iter(lambda: 1e11, None))
    yield from each("demo_batch_last_success_timestamp_seconds", "",
                    lambda: (start_ms / 1000 + 60 * (i // 12) for i in range(10**9)))
    for target, at in zip(targets, times):
        points = [(t, 1) for i, t in enumerate(at) if i // 30 % 3 != 2]
        yield f"demo_intermittent_metric{{{target}}}", points
    yield from histograms(rng, targets, times)


BOUNDS = ("0.0001", "0.00015", "0.000225", "0.0003375", "0.001", "0.01", "0.1", "1", "+Inf")


def histograms(rng, targets, times):
    rows = {"bucket": [], "count": [], "sum": []}
    for target, at in zip(targets, times):
        for method, path in (("GET", "/api/foo"), ("GET", "/api/bar"), ("POST", "/api/foo")):
            labels = f'{target},method="{method}",path="{path}",status="200"'
            counts, total, samples = [0] * len(BOUNDS), 0.0, []
            for _ in at:
                for _ in range(rng.randrange(1, 9)):
                    first = min(len(BOUNDS) - 1, int(rng.expovariate(0.4)))
                    for i in range(first, len(BOUNDS)):
                        counts[i] += 1
                    total += rng.random() * 0.01
                samples.append((list(counts), round(total, 9)))
            for i, bound in enumerate(BOUNDS):
                rows["bucket"].append((f'{{{labels},le="{bound}"}}',
                                       [(t, s[0][i]) for t, s in zip(at, samples)]))
            rows["count"].append((f"{{{labels}}}", [(t, s[0][-1]) for t, s in zip(at, samples)]))
            rows["sum"].append((f"{{{labels}}}", [(t, s[1]) for t, s in zip(at, samples)]))
    for suffix, lines in rows.items():
        for labels, points in lines:
            yield f"demo_api_request_duration_seconds_{suffix}{labels}", points


def write(path, all_series):
    """As OpenMetrics text, which promtool makes blocks of."""
    with open(path, "w", encoding="utf-8") as file:
        for labels, points in all_series:
            for ms, value in points:
                file.write(f"{labels} {value!r} {ms / 1000:.3f}\n")
        file.write("# EOF\n")

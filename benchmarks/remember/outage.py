# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver of remote write that is away: what of all samples of that time it lacks in the end."""

import shutil
import tempfile
import time

import flow
import remotewrite
from vherd import wait_for

SERIES = 120
REPORTS = 5  # of each scrape on itself: up, scrape_duration_seconds, …
INTERVAL_MS = 100
CATCH_UP_S = 120


def wait_until_sent(sender, receiver):
    """(samples that waited, those that never came, seconds until all were there)."""
    wanted = {(series, t) for series, t, _ in sender.samples()}
    begin = time.monotonic()
    try:
        wait_for("all samples", CATCH_UP_S, lambda: wanted <= receiver.delivered(), 0.2)
    except AssertionError:
        pass
    return len(wanted), len(wanted - receiver.delivered()), time.monotonic() - begin


def run(report, scrapes):
    page = flow.Page("".join(f'a{{i="{i}"}} {i}\n' for i in range(SERIES)))
    receiver = remotewrite.Receiver()
    directory = tempfile.mkdtemp(prefix="vherd-bench-")
    config = {"scrape": [flow.job(page.address, interval=f"{INTERVAL_MS}ms")],
              "remote_write": [flow.remote(receiver)]}
    try:
        receiver.stop()
        with flow.Flow(config, directory=directory) as sender:
            want = scrapes * (SERIES + REPORTS)
            wait_for(f"{scrapes} scrapes", 60 + scrapes * INTERVAL_MS / 500,
                     lambda: len(sender.samples()) >= want, 0.5)
            receiver.start()
            waited, lost, seconds = wait_until_sent(sender, receiver)
    finally:
        receiver.close()
        page.close()
        shutil.rmtree(directory)
    report.at_most(f"receiver away for {scrapes} scrapes, {INTERVAL_MS} ms apart: lost", lost,
                   "samples", 0)
    report.row("samples that waited meanwhile", waited, "")
    report.row("until the receiver had them", seconds, "s")

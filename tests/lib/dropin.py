# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab host in every state that the exporters' metric names need, and the checks on them."""

import contextlib
import csv
import glob
import json
import os
import re

import exposition
from vherd import ROOT

GUEST = "dropin"
OWN_TABLE = os.path.join(ROOT, "tests", "data", "metrics.tsv")
IOTUNE = ("total_bytes_sec=50000000,total_bytes_sec_max=60000000,total_bytes_sec_max_length=2,"
          "total_iops_sec=4000,total_iops_sec_max=5000,total_iops_sec_max_length=3,"
          "size_iops_sec=4096")
BACKUP = """<domainbackup mode='pull'><server transport='unix' socket='{socket}'/></domainbackup>"""


def conformance(*names):
    """A path below the folder of other projects' test cases, None where it is not there."""
    base = os.environ.get("VHERD_CONFORMANCE")
    path = os.path.join(base, *names) if base else None
    return path if path and os.path.exists(path) else None


@contextlib.contextmanager
def prepared(host):
    """OpenStack's metadata, throttled disk, storage pool and a job that runs until the end."""
    fresh = GUEST not in host.qemus()
    if fresh:
        host.guest(GUEST, "--nova-metadata", "--iotune", IOTUNE, "--vcpus", "2")
        host.wait_guest(GUEST)
    host.virsh("pool-create-as", "vherd-pool", "dir", "--target", "/var/lib/libvirt/images")
    request = os.path.join(host.path(), "run", "backup.xml")
    with open(request, "w", encoding="utf-8") as file:
        file.write(BACKUP.format(socket="/run/backup.sock"))
    host.virsh("backup-begin", "--domain", GUEST, "--backupxml", "/run/backup.xml")
    try:
        yield GUEST
    finally:
        host.virsh("domjobabort", "--domain", GUEST, check=False)
        host.virsh("pool-destroy", "vherd-pool", check=False)
        os.unlink(request)
        if fresh:
            host.remove(GUEST)


def missing(metrics, table):
    """(number of rows, the missing ones as text)."""
    rows = list(exposition.read_table(table))
    return len(rows), [f"{name}: {why}" for name, why in exposition.missing_rows(metrics, rows)]


def dashboard_names(folder):
    """Every libvirt_* metric in the dashboards' expressions."""
    texts = []
    for path in glob.glob(os.path.join(folder, "*.json")):
        with open(path, encoding="utf-8") as file:
            texts += expressions(json.load(file))
    table = os.path.join(folder, "EXPRESSIONS.tsv")
    if os.path.exists(table):
        with open(table, newline="", encoding="utf-8") as file:
            texts += [row["expr"] for row in csv.DictReader(file, delimiter="\t",
                                                            quoting=csv.QUOTE_NONE)]
    names = set()
    for text in texts:
        # Without label matchers, whose values may look like names.
        names |= set(re.findall(r"\blibvirt_[a-z0-9_]+\b", re.sub(r"\{[^}]*\}", "", text)))
    return names


def expressions(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "query", "definition") and isinstance(inner, str):
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab host and guest in every state that the exporters' metric names need, and the checks on them."""

import contextlib
import csv
import glob
import json
import os
import re

import exposition
from vherd import ROOT

POOL = "vherd-pool"
OWN_TABLE = os.path.join(ROOT, "tests", "data", "metrics.tsv")
# A guest with OpenStack's metadata and a throttled disk.
GUEST_OPTIONS = (
    "--nova-metadata", "--iotune",
    "total_bytes_sec=50000000,total_bytes_sec_max=60000000,total_bytes_sec_max_length=2,"
    "total_iops_sec=4000,total_iops_sec_max=5000,total_iops_sec_max_length=3,"
    "size_iops_sec=4096")
BACKUP = """<domainbackup mode='pull'><server transport='unix' socket='{socket}'/></domainbackup>"""


def conformance(*names):
    """A path below the folder of other projects' test cases, None where it is not there."""
    base = os.environ.get("VHERD_CONFORMANCE")
    path = os.path.join(base, *names) if base else None
    return path if path and os.path.exists(path) else None


def make_pool(host):
    """A storage pool; vherd sees it at once when it starts, else within libvirt.pool_interval."""
    if POOL not in host.virsh("pool-list", "--name").split():
        host.virsh("pool-create-as", POOL, "dir", "--target", "/var/lib/libvirt/images")


@contextlib.contextmanager
def running_job(host, guest):
    """A job on that guest, which runs until the end."""
    request = os.path.join(host.path(), "run", "backup.xml")
    with open(request, "w", encoding="utf-8") as file:
        file.write(BACKUP.format(socket="/run/backup.sock"))
    host.virsh("backup-begin", "--domain", guest, "--backupxml", "/run/backup.xml")
    try:
        yield
    finally:
        host.virsh("domjobabort", "--domain", guest, check=False)
        os.unlink(request)


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

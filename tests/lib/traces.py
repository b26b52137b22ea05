# SPDX-License-Identifier: GPL-3.0-or-later
"""The PlanetLab days where they are at hand (VHERD_DATA), unpacked into a folder of our own."""

import contextlib
import os
import tarfile
import tempfile

DAYS = ("20110303", "20110322", "20110412")


def archive(day):
    base = os.environ.get("VHERD_DATA")
    path = os.path.join(base, "planetlab", day + ".tar.gz") if base else ""
    return path if os.path.isfile(path) else None


def missing():
    """Why the days cannot be used; None where they can."""
    if not os.environ.get("VHERD_DATA"):
        return "VHERD_DATA names no folder of traces"
    gone = [day for day in DAYS if not archive(day)]
    return f"no planetlab/{gone[0]}.tar.gz in VHERD_DATA" if gone else None


@contextlib.contextmanager
def unpacked():
    """A folder with a folder of trace files for each day."""
    with tempfile.TemporaryDirectory(prefix="vherd-traces-") as folder:
        for day in DAYS:
            with tarfile.open(archive(day)) as tar:
                for member in tar.getmembers():
                    name = os.path.basename(member.name)
                    if member.isfile() and not name.startswith("."):
                        target = os.path.join(folder, day, name)
                        os.makedirs(os.path.dirname(target), exist_ok=True)
                        with open(target, "wb") as out:
                            out.write(tar.extractfile(member).read())
        yield folder

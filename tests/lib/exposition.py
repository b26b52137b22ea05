# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the Prometheus text exposition, strictly, and the metrics.tsv lists beside it."""

import csv
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"^({NAME})(?:\{{(.*)\}})? (\S+)(?: (-?\d+))?$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')
UNESCAPE = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Exposition:
    """types: name -> type; helps: name -> text; samples: name -> [(labels, value)]."""

    def __init__(self, text):
        self.types = {}
        self.helps = {}
        self.samples = {}
        self.count = 0
        family_done = set()
        current = None
        seen = set()
        if text and not text.endswith("\n"):
            raise ValueError("the last line does not end")
        for number, line in enumerate(text.split("\n")[:-1], 1):
            if line.startswith("# HELP ") or line.startswith("# TYPE "):
                _, what, name, rest = (line + " ").split(" ", 3)
                if name != current:
                    if name in family_done:
                        raise ValueError(f"line {number}: {name} stands in two places")
                    family_done.add(current)
                    current = name
                store = self.helps if what == "HELP" else self.types
                if name in store:
                    raise ValueError(f"line {number}: second {what} of {name}")
                store[name] = rest.strip()
            elif line and not line.startswith("#"):
                name, labels, value = parse_sample(line, number)
                if current not in families_of(name, self.types):
                    raise ValueError(f"line {number}: {name} is not under its own HELP and TYPE")
                key = (name, tuple(sorted(labels.items())))
                if key in seen:
                    raise ValueError(f"line {number}: second sample of {key}")
                seen.add(key)
                self.samples.setdefault(name, []).append((labels, value))
                self.count += 1

    def values(self, name, **labels):
        """The values of all samples that have these labels."""
        return [value for have, value in self.samples.get(name, ())
                if all(have.get(key) == wanted for key, wanted in labels.items())]

    def value(self, name, **labels):
        """The one value, None where there is none."""
        values = self.values(name, **labels)
        if len(values) > 1:
            raise ValueError(f"{len(values)} samples of {name} {labels}")
        return values[0] if values else None


def families_of(name, types):
    """The families to which a sample of that name may belong."""
    yield name
    for suffix in ("_sum", "_count", "_bucket"):
        base = name.removesuffix(suffix)
        if types.get(base) in ("summary", "histogram"):
            yield base


def parse_sample(line, number):
    match = SAMPLE.match(line)
    if not match:
        raise ValueError(f"line {number}: not a sample: {line!r}")
    labels = {}
    text = match.group(2) or ""
    at = 0
    while at < len(text):
        label = LABEL.match(text, at)
        if not label or label.group(1) in labels:
            raise ValueError(f"line {number}: bad labels: {line!r}")
        labels[label.group(1)] = re.sub(r'\\[\\"n]', lambda m: UNESCAPE[m.group(0)], label.group(2))
        at = label.end()
    return match.group(1), labels, float(match.group(3))


def read_table(path):
    """The rows of a metrics.tsv: name, type, set of label names, set of exporters."""
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            labels = frozenset(filter(None, (row["labels"] or "").split(",")))
            yield row["name"], row["type"], labels, frozenset(row["set"].split("+"))


def missing_rows(exposition, rows):
    """Rows of the table that the exposition lacks, each with the reason."""
    for name, kind, labels, _ in rows:
        samples = exposition.samples.get(name, ())
        if not samples:
            yield name, "absent"
        elif exposition.types.get(name) != kind:
            yield name, f"is a {exposition.types.get(name)}, not a {kind}"
        elif not any(frozenset(have) == labels for have, _ in samples):
            have = ",".join(sorted(samples[0][0]))
            yield name, f"has labels {have or '(none)'}, not {','.join(sorted(labels)) or '(none)'}"

# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudSim's PlanetLab experiment: published policies against executed figures, ours against both."""

import json
import os
import statistics
import subprocess

import traces

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "build", "src", "main", "vherd")

# Executed with CloudSim 3.0.3 on trace files sorted by name: kWh, migrations, SLA in percent.
EXECUTED = {
    "20110303": {"lr-mmt": (163.48, 27859, .00464), "thr-mmt": (192.62, 26711, .00318),
                 "mad-mmt": (185.79, 26556, .00334), "iqr-mmt": (189.98, 26282, .00301)},
    "20110322": {"lr-mmt": (177.48, 32038, .00464), "thr-mmt": (201.70, 28902, .00306)},
    "20110412": {"lr-mmt": (151.61, 26248, .00487), "thr-mmt": (177.20, 24824, .00329)},
}
REPORTED = ("lr-rs", "lr-mc", "lr-mu", "lrr-mmt", "loess-mmt", "robust-mmt")
# CloudSim itself, as recorded on a 2-core machine: mean planning of a step, and a day.
CLOUDSIM_STEP_MS, CLOUDSIM_DAY_S = (48, 190), (25, 45)


def day(folder, name, policy, mode="A"):
    command = [PROGRAM, "sim", "cloudsim", "--traces", os.path.join(folder, name), "--policy",
               policy, "--mode", mode, "--json", "--timing"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE,
                                     timeout=300).stdout)


def published(report, folder):
    for name, policies in EXECUTED.items():
        for policy, (energy, migrations, sla) in policies.items():
            r = day(folder, name, policy)
            what = f"CloudSim, {name}, {policy}: "
            report.at_most(what + "energy off executed", 100 * abs(r["energy_kwh"] / energy - 1),
                           "%", 1)
            report.at_most(what + "migrations off executed",
                           100 * abs(r["migrations"] / migrations - 1), "%", 2)
            report.at_most(what + "SLA off executed",
                           100 * abs(100 * r["sla_ratio"] / sla - 1), "%", 5)
    for policy in REPORTED:
        r = day(folder, "20110303", policy)
        report.row(f"20110303, {policy}", r["energy_kwh"], "kWh")
        report.row(f"20110303, {policy}", r["migrations"], "migrations")
        report.row(f"20110303, {policy}", r["esv"], "ESV")


def ours_in_mode_a(report, folder):
    ours = {name: day(folder, name, "vherd") for name in traces.DAYS}
    for name, r in ours.items():
        for policy in ("lr-mmt", "wake-lr-mmt"):
            other = day(folder, name, policy)
            for key, unit in (("energy_kwh", "kWh"), ("migrations", "migrations"), ("esv", "ESV")):
                report.row(f"mode A, {name}, vherd, below {policy}", r[key], unit,
                           f"<{other[key]:.4g}", r[key] < other[key])
        report.row(f"mode A, {name}, vherd: work not done", 100 * r["overall_ratio"], "%")
    for key, unit, limit in (("energy_kwh", "kWh", 110), ("migrations", "migrations", 8000),
                             ("esv", "ESV", 1.2e-3)):
        report.at_most("mode A, vherd, median of the days",
                       statistics.median(r[key] for r in ours.values()), unit, limit)
    return ours


def ours_in_other_modes(report, folder):
    results = [day(folder, name, "vherd", "B") for name in traces.DAYS]
    b = results[traces.DAYS.index("20110303")]
    report.at_most("mode B, 20110303, vherd", b["energy_kwh"], "kWh", 138)
    report.at_most("mode B, 20110303, vherd", b["migrations"], "migrations", 12000)
    report.at_most("mode B, 20110303, vherd", 100 * b["sla_ratio"], "% SLA", .0015)
    report.at_least("mode B, vherd, days that complete", len(results), "days", len(traces.DAYS))
    c = [day(folder, name, "vherd", "C") for name in traces.DAYS]
    first = c[traces.DAYS.index("20110303")]
    report.at_most("mode C, 20110303, vherd", first["energy_kwh"], "kWh", 212)
    report.at_most("mode C, 20110303, vherd", first["migrations"], "migrations", 1000)
    report.at_most("mode C, vherd, memory limits broken, all days",
                   sum(r["memory_violations"] for r in c), "moves", 0)
    report.row("mode C, 20110303, vherd: work not done", 100 * first["overall_ratio"], "%")
    return results + c


def speed(report, folder, rounds):
    lr = [day(folder, "20110303", "lr-mmt") for _ in range(rounds)]
    vherd = [day(folder, "20110303", "vherd") for _ in range(rounds)]
    report.at_most("planning a step, lr-mmt, mean",
                   1000 * statistics.median(r["plan_seconds_mean"] for r in lr), "ms CPU", 1)
    report.at_most("a day of 800 hosts, lr-mmt",
                   statistics.median(r["cpu_seconds"] for r in lr), "s CPU", .5)
    report.at_most("planning a step, vherd, p99",
                   1000 * statistics.median(r["plan_seconds_p99"] for r in vherd), "ms CPU", 5)
    report.row("planning a step, CloudSim 3.0.3, recorded, best mean", CLOUDSIM_STEP_MS[0], "ms")
    report.row("a day, CloudSim 3.0.3, recorded, best", CLOUDSIM_DAY_S[0], "s")


def run(arguments, report):
    if traces.missing():
        report.failed("CloudSim's PlanetLab experiment", traces.missing())
        return
    with traces.unpacked() as folder:
        published(report, folder)
        ours = list(ours_in_mode_a(report, folder).values()) + ours_in_other_modes(report, folder)
        report.at_most("vherd, VMs back on a host within 1 h, all days and modes",
                       sum(r["returns_within_hour"] for r in ours), "moves", 0)
        report.at_most("vherd, moves whose gain is not above their cost",
                       sum(r["moves_without_gain"] for r in ours), "moves", 0)
        speed(report, folder, 3 if arguments.quick else 9)

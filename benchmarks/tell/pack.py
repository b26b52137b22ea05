# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule file for the benchmarks: 2,000 rules of the kinds that people write."""

# Name, expression (with a threshold that differs from copy to copy), `for`.
SHAPES = (
    ("NotRunning", 'vherd_vm_state{{state="running"}} < {t}', 0.5, "1m"),
    ("CpuHigh", "rate(libvirt_domain_vcpu_time_seconds_total[5m]) > {t}", 0.95, "10m"),
    ("StealHigh", "rate(libvirt_domain_vcpu_delay_seconds_total[5m]) > {t}", 0.1, "5m"),
    ("MemoryLow", "libvirt_domain_memory_stats_unused_bytes / "
                  "libvirt_domain_memory_stats_available_bytes < {t}", 0.05, "5m"),
    ("SwapStorm", "rate(libvirt_domain_memory_stats_major_fault_total[1m]) > {t}", 100, "2m"),
    ("DiskLatency", "rate(libvirt_domain_block_stats_read_time_seconds_total[5m]) / "
                    "rate(libvirt_domain_block_stats_read_requests_total[5m]) > {t}", 0.05, "5m"),
    ("DiskBusy", "sum by (domain) (rate(libvirt_domain_block_stats_read_bytes_total[5m])) > {t}",
     2e8, "5m"),
    ("NicErrors", "increase(libvirt_domain_interface_stats_receive_errors_total[10m]) > {t}", 10,
     "0s"),
    ("DiskFull", "predict_linear(libvirt_domain_block_stats_allocation[1h], 14400) > {t}", 1e11,
     "15m"),
    ("Big", "libvirt_domain_info_maximum_memory_bytes > {t}", 1e12, "0s"),
)


def write(path, rules, per_group=50, interval="15s"):
    """Thresholds that hardly anything passes, each copy its own."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("groups:\n")
        for i in range(rules):
            if i % per_group == 0:
                file.write(f"  - name: group{i // per_group}\n    interval: {interval}\n"
                           "    rules:\n")
            name, expression, threshold, wait = SHAPES[i % len(SHAPES)]
            copy = i // len(SHAPES)
            sign = -1 if "<" in expression else 1
            text = expression.format(t=threshold * (1 + sign * copy * 0.001))
            file.write(f"      - alert: {name}{copy}\n        expr: '{text}'\n"
                       f"        for: {wait}\n        labels: {{severity: page}}\n"
                       "        annotations: {summary: '{{ $labels.domain }}: {{ $value }}'}\n")

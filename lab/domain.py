#!/usr/bin/env python3
"""Prints the libvirt XML of one lab guest. Called by the lab's shell programs."""

import argparse
import hashlib
import sys
import urllib.parse
from xml.sax.saxutils import escape, quoteattr

NOVA = "http://openstack.org/xmlns/libvirt/nova/1.1"


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--slug", required=True, help="name of the guest's files")
    parser.add_argument("--domain-type", choices=("kvm", "qemu"), required=True)
    parser.add_argument("--seed", required=True, help="makes UUID and MAC addresses unique")
    parser.add_argument("--bridge", required=True)
    parser.add_argument("--address", default="none")
    parser.add_argument("--gateway", default="none")
    parser.add_argument("--vcpus", type=int, default=1)
    parser.add_argument("--mem", type=int, default=96)
    parser.add_argument("--nics", type=int, default=1)
    parser.add_argument("--disks", type=int, default=1)
    parser.add_argument("--disk-format", default="qcow2")
    parser.add_argument("--disk-cache", default="none")
    parser.add_argument("--mode", default="idle")
    parser.add_argument("--agent", choices=("yes", "no"), default="yes")
    parser.add_argument("--watchdog", choices=("yes", "no"), default="no")
    parser.add_argument("--watchdog-action", default="reset")
    parser.add_argument("--on-crash", default="preserve")
    parser.add_argument("--cpu-cap", type=int, default=100)
    parser.add_argument("--iothreads", type=int, default=0)
    parser.add_argument("--iotune", default="")
    parser.add_argument("--nova-metadata", action="store_true")
    return parser.parse_args()


def digest(args, purpose):
    return hashlib.sha256(f"{args.seed}/{purpose}".encode("utf-8", "surrogateescape")).hexdigest()


def uuid(args, purpose="uuid"):
    d = digest(args, purpose)
    return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-8{d[17:20]}-{d[20:32]}"


def mac(args, nic):
    d = digest(args, f"mac{nic}")
    return f"52:54:00:{d[0:2]}:{d[2:4]}:{d[4:6]}"


def command_line(args):
    words = [
        "console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off ipv6.disable=1",
        "iomem=relaxed",  # the hang reaches the interrupt controller through /dev/mem
        "vherd.name=" + urllib.parse.quote(args.name, safe="", errors="surrogateescape"),
        f"vherd.host={args.slug}",
        f"vherd.mode={args.mode}",
    ]
    if args.nics > 0 and args.address != "none":
        words.append(f"vherd.ip={args.address} vherd.gateway={args.gateway}")
    if args.disks == 0:
        words.append("vherd.data=no")
    return " ".join(words)


def metadata(args):
    if not args.nova_metadata:
        return ""
    return f"""
  <metadata>
    <nova:instance xmlns:nova="{NOVA}">
      <nova:package version="27.1.0"/>
      <nova:name>{escape(args.name)}</nova:name>
      <nova:creationTime>2026-01-02 03:04:05</nova:creationTime>
      <nova:flavor name="m1.tiny">
        <nova:memory>{args.mem}</nova:memory>
        <nova:disk>1</nova:disk>
        <nova:swap>0</nova:swap>
        <nova:ephemeral>0</nova:ephemeral>
        <nova:vcpus>{args.vcpus}</nova:vcpus>
      </nova:flavor>
      <nova:owner>
        <nova:user uuid="{uuid(args, 'user').replace('-', '')}">demo-user</nova:user>
        <nova:project uuid="{uuid(args, 'project').replace('-', '')}">demo-project</nova:project>
      </nova:owner>
      <nova:root type="image" uuid="{uuid(args, 'image')}"/>
    </nova:instance>
  </metadata>"""


def tune(args):
    # Quota for all vCPUs together: period in microseconds, the same for each.
    period = 100000
    lines = [f"<period>{period}</period>",
             f"<quota>{max(1000, period * args.cpu_cap // 100 // args.vcpus)}</quota>",
             f"<global_period>{period}</global_period>",
             f"<global_quota>{max(1000, period * args.cpu_cap // 100)}</global_quota>"]
    return "" if args.cpu_cap <= 0 else "\n  <cputune>" + "".join(lines) + "</cputune>"


def iotune(args):
    """--iotune total_bytes_sec=1000000,read_iops_sec=50 becomes the elements of those names."""
    if not args.iotune:
        return ""
    pairs = (pair.split("=", 1) for pair in args.iotune.split(","))
    inner = "".join(f"<{key}>{int(value)}</{key}>" for key, value in pairs)
    return f"\n      <iotune>{inner}</iotune>"


def disks(args):
    out = []
    for i in range(args.disks):
        thread = f" iothread='{i % args.iothreads + 1}'" if args.iothreads else ""
        path = f"/var/lib/libvirt/images/{args.slug}-{i}.{args.disk_format}"
        out.append(f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='{args.disk_format}' cache='{args.disk_cache}' discard='unmap'{thread}/>
      <source file={quoteattr(path)}/>
      <target dev='vd{chr(ord("a") + i)}' bus='virtio'/>
      <serial>{digest(args, "disk")[:12]}-{i}</serial>{iotune(args)}
    </disk>""")
    return "".join(out)


def nics(args):
    return "".join(f"""
    <interface type='bridge'>
      <mac address='{mac(args, i)}'/>
      <source bridge='{args.bridge}'/>
      <model type='virtio'/>
    </interface>""" for i in range(args.nics))


def devices(args):
    out = ""
    if args.agent == "yes":
        out += """
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>"""
    if args.watchdog == "yes":
        out += f"""
    <watchdog model='i6300esb' action='{args.watchdog_action}'/>"""
    return out


def domain(args):
    iothreads = f"\n  <iothreads>{args.iothreads}</iothreads>" if args.iothreads else ""
    cpu = "<cpu mode='host-passthrough'/>" if args.domain_type == "kvm" else ""
    log = f"/var/log/libvirt/guests/{args.slug}.log"
    return f"""<domain type='{args.domain_type}'>
  <name>{escape(args.name)}</name>
  <uuid>{uuid(args)}</uuid>{metadata(args)}
  <memory unit='MiB'>{args.mem}</memory>
  <currentMemory unit='MiB'>{args.mem}</currentMemory>
  <vcpu>{args.vcpus}</vcpu>{iothreads}{tune(args)}
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>/var/lib/libvirt/boot/vmlinux</kernel>
    <initrd>/var/lib/libvirt/boot/initramfs</initrd>
    <cmdline>{escape(command_line(args))}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  {cpu}
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>{args.on_crash}</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>{disks(args)}{nics(args)}
    <controller type='usb' model='none'/>
    <serial type='pty'>
      <log file={quoteattr(log)} append='off'/>
      <target port='0'/>
    </serial>
    <console type='pty'/>{devices(args)}
    <memballoon model='virtio'>
      <stats period='2'/>
    </memballoon>
    <panic model='isa'/>
  </devices>
</domain>
"""


def main():
    sys.stdout.buffer.write(domain(parse_arguments()).encode("utf-8", "surrogateescape"))


main()

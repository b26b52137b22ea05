# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Nagios 4 and NSCA-ng, unpacked and running in a folder of their own."""

import grp
import os
import pwd
import re
import shutil
import socket

import debianpeers
from fakedaemon import free_port

NOBODY = "nobody"

# Intervals are in seconds.
MAIN = """
log_file={d}/nagios.log
cfg_file={d}/objects.cfg
object_cache_file={d}/objects.cache
precached_object_file={d}/objects.precache
status_file={d}/status.dat
status_update_interval=1
nagios_user={user}
nagios_group={group}
check_external_commands=1
command_file={d}/rw/nagios.cmd
lock_file={d}/nagios.lock
temp_file={d}/nagios.tmp
temp_path={d}
check_result_path={d}/results
state_retention_file={d}/retention.dat
query_socket={d}/nagios.qh
use_syslog=0
interval_length=1
check_for_updates=0
enable_notifications=0
execute_host_checks=0
execute_service_checks=1
accept_passive_service_checks=1
service_check_timeout=60
max_service_check_spread=1
cached_service_check_horizon=0
illegal_macro_output_chars=`~$&|'"<>
"""

OBJECTS = """
define timeperiod {{
    timeperiod_name always
    alias always
    sunday 00:00-24:00
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
}}
define command {{
    command_name check_vherd
    command_line {check} -s {socket} $ARG1$
}}
define command {{
    command_name nobody
    command_line /bin/true
}}
define contact {{
    contact_name nobody
    host_notification_period always
    service_notification_period always
    host_notification_commands nobody
    service_notification_commands nobody
}}
define host {{
    host_name {host}
    contacts nobody
    address 127.0.0.1
    max_check_attempts 1
    check_period always
    notification_period always
}}
"""

SERVICE = """
define service {{
    host_name {host}
    service_description {name}
    contacts nobody
    check_command check_vherd!{arguments}
    check_interval 2
    retry_interval 1
    max_check_attempts 1
    check_period always
    notification_period always
    active_checks_enabled {active}
    passive_checks_enabled {passive}
}}
"""


def blocks(text):
    """status.dat: (kind, fields) of each."""
    for kind, inner in re.findall(r"^(\w+) \{\n(.*?)\n\t?\}", text, re.MULTILINE | re.DOTALL):
        yield kind, dict(line.strip().split("=", 1) for line in inner.splitlines() if "=" in line)


def group_of(user):
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


class Nagios(debianpeers.Program):
    """`active`: service to check_vherd's arguments; `passive`: services that wait for results."""

    def __init__(self, check, socket_path, active, passive, host="h1"):
        program = os.path.join(debianpeers.unpack("nagios4-core"), "usr", "sbin", "nagios4")
        super().__init__()
        self.host = host
        self.command_file = self.path("rw", "nagios.cmd")
        for folder in ("rw", "results"):
            os.mkdir(self.path(folder))
        me = pwd.getpwuid(os.geteuid()).pw_name
        user = NOBODY if os.geteuid() == 0 else me
        main = self.write("nagios.cfg",
                          MAIN.format(d=self.directory, user=user, group=group_of(user)))
        text = OBJECTS.format(check=check, socket=socket_path, host=host)
        for name, arguments in active.items():
            text += SERVICE.format(host=host, name=name, arguments=arguments, active=1, passive=0)
        for name in passive:
            text += SERVICE.format(host=host, name=name, arguments="-h", active=0, passive=1)
        self.write("objects.cfg", text)
        if os.geteuid() == 0:
            for path in (self.directory, self.path("rw"), self.path("results")):
                shutil.chown(path, user, group_of(user))
        os.chmod(self.directory, 0o755)
        self.start([program, main], "Nagios' command file", 60,
                   lambda: os.path.exists(self.command_file))
        # Its package gives the group rights on it; who is to write belongs to the group.
        os.chmod(self.command_file, 0o666)

    def log(self, *names):
        return super().log("nagios.log", *names)

    def services(self):
        """Service to its fields in status.dat; only those that have been checked."""
        path = self.path("status.dat")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        return {fields["service_description"]: fields for kind, fields in blocks(text)
                if kind == "servicestatus" and fields["has_been_checked"] == "1"}

    def state(self, name):
        """0 to 3, None before the first result."""
        fields = self.services().get(name)
        return int(fields["current_state"]) if fields else None


class NscaNg(debianpeers.Program):
    """Its server before a command file, and the words that send to it."""

    def __init__(self, command_file):
        server = os.path.join(debianpeers.unpack("nsca-ng-server"), "usr", "sbin", "nsca-ng")
        client = os.path.join(debianpeers.unpack("nsca-ng-client"), "usr", "sbin", "send_nsca")
        libraries = ":".join(
            os.path.join(debianpeers.unpack(name), "usr", "lib", folder)
            for name in ("libconfuse2", "libev4")
            for folder in os.listdir(os.path.join(debianpeers.unpack(name), "usr", "lib")))
        super().__init__()
        os.chmod(self.directory, 0o755)
        port = free_port()
        configuration = self.write(
            "server.cfg", f'command_file = "{command_file}"\nlisten = "127.0.0.1:{port}"\n'
            'authorize "vherd" {\n password = "s3cret"\n hosts = ".*"\n services = ".*"\n}\n')
        client_configuration = self.write(
            "client.cfg", f'server = "127.0.0.1"\nport = "{port}"\nidentity = "vherd"\n'
            'password = "s3cret"\n')
        self.words = ["/usr/bin/env", f"LD_LIBRARY_PATH={libraries}", client, "-c",
                      client_configuration]
        self.start([server, "-F", "-S", "-c", configuration], "NSCA-ng", 30,
                   lambda: listens(port), env=dict(os.environ, LD_LIBRARY_PATH=libraries))


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

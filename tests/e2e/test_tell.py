# SPDX-License-Identifier: GPL-3.0-or-later
"""From a rule to a person: the real daemon, real receivers, and everybody killed in between."""

import email
import email.policy
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import debianpeers
import memorydaemon
import nagiospeer
import receivers
import smalldisk
import stormplay
from vherd import http_get, wait_for


def program(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


class Telling(unittest.TestCase):
    def hook(self, **options):
        hook = receivers.Hook(**options)
        self.addCleanup(hook.close)
        return hook

    def switches(self, names=("A",)):
        switches = receivers.Switches(names)
        self.addCleanup(shutil.rmtree, switches.directory, ignore_errors=True)
        return switches

    def daemon(self, config, **options):
        daemon = memorydaemon.MemoryDaemon(vms=1, config=config, **options)
        self.addCleanup(daemon.close)
        daemon.start()
        return daemon

    def check_series(self, daemon):
        """Of a receiver that heard two messages, and of one that is dead."""
        def value(name, **labels):
            return daemon.metrics().value("vherd_notifications_" + name, **labels) or 0
        wait_for("what was sent", 60,
                 lambda: value("total", receiver="good", result="sent") == 2)
        wait_for("what failed", 60,
                 lambda: value("total", receiver="dead", result="failed") >= 3)
        self.assertEqual(value("total", receiver="dead", result="given_up"), 0)
        self.assertEqual((value("queued", receiver="good"), value("queued", receiver="dead")),
                         (0, 2))
        self.assertEqual(value("oldest_age_seconds", receiver="good"), 0)
        self.assertGreater(value("oldest_age_seconds", receiver="dead"), 0)

    def test_rule_to_webhook(self):
        switches = self.switches()
        secret = os.path.join(switches.directory, "key")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("very-secret\n")
        good, dead = self.hook(key="very-secret"), self.hook(status=503)
        daemon = self.daemon(switches.config(
            [{"name": "good", "webhook": {"url": good.url, "secret_file": secret}},
             {"name": "dead", "webhook": {"url": dead.url}}],
            {"receiver": "good", "group_interval": "1s", "routes": [
                {"receiver": "dead", "continue": True}, {"receiver": "good"}]}))
        switches.set("A", "db", True)
        message = receivers.wait_messages(good, 1)[0]
        self.assertEqual(message["status"], "firing")
        self.assertRegex(message["subject"], r"^\[FIRING\] A: db on ")
        self.assertIn("db is in trouble", message["text"])
        self.assertIn("vherd show db", message["text"])
        self.assertEqual(message["alerts"][0]["labels"]["domain"], "db")
        switches.set("A", "db", False)
        self.assertEqual(receivers.wait_messages(good, 2)[1]["status"], "resolved")
        wait_for("attempts", 20, lambda: dead.requests >= 3)
        status = {r["receiver"]: r for r in daemon.json("/vherd/v1/notify")["receivers"]}
        self.assertEqual(status["good"]["queued"], 0)
        self.assertEqual(status["dead"]["queued"], 2)
        self.assertIn("503", status["dead"]["error"])
        self.check_series(daemon)
        # It comes back, after a restart in between, and hears all in order.
        daemon.stop()
        daemon.start()
        dead.status = 200
        self.assertEqual([m["status"] for m in receivers.wait_messages(dead, 2)],
                         ["firing", "resolved"])
        time.sleep(1)
        self.assertEqual((len(good.messages), len(dead.messages)), (2, 2))
        # The secret is shown nowhere.
        shown = daemon.get("/api/v1/status/config")[2] + daemon.cli("config", "show").stdout
        self.assertNotIn("very-secret", shown)
        kinds = {e["event"] for e in daemon.json("/vherd/v1/events?kind=notify")["events"]}
        self.assertIn("delivered", kinds)
        self.assertIn("failed", kinds)

    def test_silence_ack_and_commands(self):
        switches, hook = self.switches(), self.hook()
        daemon = self.daemon(switches.config(
            [{"name": "ops", "webhook": {"url": hook.url}}],
            {"receiver": "ops", "group_by": ["domain"], "repeat_interval": "2s",
             "group_interval": "1s"}))
        ident = daemon.cli("silence", "add", "domain=db", "--for", "1h", "--comment",
                           "work").stdout.strip()
        self.assertIn("domain=db", daemon.cli("silence", "list").stdout)
        switches.set_all({("A", "db"): True, ("A", "web"): True})
        receivers.wait_messages(hook, 1)
        wait_for("both alerts", 20, lambda: len(daemon.json("/vherd/v1/alerts")["alerts"]) == 2)
        self.assertEqual(hook.firing(), {("A", "web")})
        alerts = {a["labels"]["domain"]: a for a in daemon.json("/vherd/v1/alerts")["alerts"]}
        self.assertEqual(alerts["db"]["silenced_by"], ident)
        held = [line for line in daemon.cli("alerts", "silenced").stdout.splitlines()
                if line.startswith("silenced")]
        self.assertEqual(len(held), 1, held)
        self.assertIn("domain=db", held[0])
        self.assertIn(ident, held[0])
        self.only_say(daemon, ident, hook)
        daemon.cli("silence", "expire", ident)
        wait_for("db is told", 20, lambda: ("A", "db") in hook.firing())
        wait_for("a repetition", 20, lambda: len(hook.messages) >= 4)
        self.assertIn("2 acknowledged", daemon.cli("ack", "alertname=A", "--comment", "mine").stdout)
        time.sleep(0.5)
        n = len(hook.messages)
        time.sleep(4)
        self.assertEqual(len(hook.messages), n)
        # check_vherd sees the same.
        check = os.path.join(os.path.dirname(os.path.dirname(daemon.program)), "cli", "check_vherd")
        done = subprocess.run([check, "-s", daemon.socket, "-m", "alerts", "-w", "0"],
                              stdout=subprocess.PIPE, text=True, env=daemon.environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("'alerts'=2;0;;0;", done.stdout)
        self.assertEqual(daemon.cli("silence", "add", "a~b", "--for", "1h", check=False).returncode,
                         1)

    def only_say(self, daemon, ident, hook):
        """--dry-run of each verb that writes: what would be done, and nothing is."""
        def state():
            alerts = daemon.json("/vherd/v1/alerts")["alerts"]
            return (daemon.json("/vherd/v1/silences"), len(hook.messages),
                    [a.get("acknowledged_by") for a in alerts],
                    [e["event"] for e in daemon.json("/vherd/v1/events?kind=notify")["events"]
                     if e["event"] not in ("delivered", "failed")])
        before = state()
        for words, said in (
                (("silence", "add", "domain=db", "--for", "1h"),
                 "would silence domain=db: 1 alert(s) that fire now"),
                (("silence", "expire", ident), f"would end silence {ident}"),
                (("ack", "alertname=A"), "would take care of 2 alert(s) that fire: alertname=A"),
                (("notify", "test", "ops"), "would send a test message to ops")):
            self.assertEqual(daemon.cli(*words, "--dry-run").stdout.strip(), said)
            answer = json.loads(daemon.cli(*words, "--dry-run", "--json").stdout)
            self.assertEqual(answer, {"dry_run": True, "would": [said[len("would "):]]})
        for words in (("silence", "add", "a~b", "--for", "1h"), ("silence", "expire", "none"),
                      ("ack", "alertname=None"), ("notify", "test", "none")):
            self.assertEqual(daemon.cli(*words, "--dry-run", check=False).returncode, 1, words)
        after = state()
        self.assertEqual((before[0], before[2:]), (after[0], after[2:]))
        self.assertFalse(any(m["test"] for m in hook.messages))

    def test_mail_program_nagios(self):
        switches = self.switches()
        box = receivers.Mailbox()
        self.addCleanup(box.close)
        got = os.path.join(switches.directory, "got")
        fifo = os.path.join(switches.directory, "nagios.cmd")
        os.mkfifo(fifo)
        os.chmod(switches.directory, 0o777)
        os.chmod(fifo, 0o666)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        run = program(switches.directory, "run", f'cat > "{got}.new"; echo "$1" >> "{got}.new"; '
                                                 f'env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= '
                                                 f'>> "{got}.new"; mv "{got}.new" "{got}"\n')
        slow = program(switches.directory, "slow", "sleep 60\n")
        daemon = self.daemon(switches.config(
            [{"name": "mail", "email": {"to": ["a@x.org", "b@x.org"], "from": "v@x.org",
                                        "smarthost": f"127.0.0.1:{box.port}", "tls": "none"}},
             {"name": "run", "exec": {"command": [run, "a b"]}},
             {"name": "slow", "timeout": "1s", "exec": {"command": [slow]}},
             {"name": "nagios", "nagios": {"command_file": fifo, "host": "h1"}}],
            {"routes": [{"receiver": r, "continue": True}
                        for r in ("slow", "mail", "run", "nagios")]}))
        switches.set("A", "dö", True)
        wait_for("a mail", 30, lambda: box.mails)
        sender, to, content, _, _ = box.mails[0]
        mail = email.message_from_bytes(content, policy=email.policy.default)
        self.assertEqual((sender, to), ("v@x.org", ["a@x.org", "b@x.org"]))
        self.assertRegex(mail["Subject"], r"^\[FIRING\] A: dö on ")
        self.assertIn("dö is in trouble", mail.get_content())
        wait_for("the program's file", 30, lambda: os.path.exists(got))
        with open(got, encoding="utf-8") as file:
            text = file.read()
        message, end = json.JSONDecoder().raw_decode(text)
        self.assertEqual(message["alerts"][0]["labels"]["domain"], "dö")
        self.assertEqual(text[end:].splitlines()[0], "a b")
        self.assertEqual([line.split("=")[0] for line in text[end:].splitlines()[1:]], ["PATH"])
        lines = []
        wait_for("a command for Nagios", 30,
                 lambda: lines.append(os.read(reader, 4096).decode()) or "".join(lines))
        self.assertRegex("".join(lines), r"^\[\d+\] PROCESS_SERVICE_CHECK_RESULT;h1;A;2;"
                                         r"CRITICAL - A dö: dö is in trouble\n$")
        wait_for("the slow one is killed", 30, lambda: "took too long" in str(
            daemon.json("/vherd/v1/notify")))

    def test_mail_with_starttls_and_password(self):
        from aiosmtpd.smtp import AuthResult
        directory = tempfile.mkdtemp(prefix="vherd-tls-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        os.chmod(directory, 0o755)
        cert, key, password = (os.path.join(directory, n) for n in ("cert", "key", "password"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                        "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL)
        os.chmod(cert, 0o644)
        with open(password, "w", encoding="utf-8") as file:
            file.write("s3cret\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        seen = []

        def check(server, session, envelope, mechanism, data):
            seen.append((data.login, data.password))
            return AuthResult(success=data.password == b"s3cret")

        box = receivers.Mailbox(tls_context=context, require_starttls=True, authenticator=check,
                                auth_required=True)
        self.addCleanup(box.close)
        mail = {"to": ["a@x.org"], "from": "v@x.org", "smarthost": f"localhost:{box.port}",
                "username": "vherd", "password_file": password}
        daemon = self.daemon({"notify": {"receivers": [
            {"name": "good", "email": {**mail, "tls_config": {"ca_file": cert}}},
            {"name": "doubtful", "email": mail}]}})
        daemon.cli("notify", "test", "good")
        daemon.cli("notify", "test", "doubtful")
        wait_for("a mail", 30, lambda: box.mails)
        self.assertEqual(box.mails[0][3:], (True, True))
        self.assertEqual(seen[-1], (b"vherd", b"s3cret"))
        # Who does not know the certificate says nothing.
        wait_for("a failure", 30, lambda: "certificate" in str(daemon.json("/vherd/v1/notify")))
        self.assertEqual(len(box.mails), 1)

    def test_alertmanager(self):
        """Debian's, with its own webhook behind it."""
        if os.geteuid() != 0:
            self.skipTest("it reads its templates below /usr/share: needs a mount of its own")
        try:
            unpacked = debianpeers.unpack("prometheus-alertmanager")
        except debianpeers.PeerMissing as error:
            self.skipTest(str(error))
        switches, behind = self.switches(), self.hook()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def arguments(directory):
            path = os.path.join(directory, "alertmanager.yml")
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"route": {"receiver": "w", "group_wait": "1s", "group_interval": "1s"},
                           "receivers": [{"name": "w", "webhook_configs": [
                               {"url": behind.url}]}]}, file)
            own = 'mount --bind "$0/usr/share" /usr/share && exec "$0/usr/bin/$1" "${@:2}"'
            return ["-m", "bash", "-c", own, unpacked, "prometheus-alertmanager",
                    f"--config.file={path}", f"--storage.path={directory}",
                    f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]

        peer = debianpeers.Peer("prometheus-alertmanager", "/usr/bin/unshare", arguments, port,
                                "/-/healthy")
        self.addCleanup(peer.close)
        url = f"http://127.0.0.1:{port}"
        self.daemon(switches.config(
            [{"name": "am", "alertmanager": {"urls": [url + "/", "http://127.0.0.1:1"]}}],
            {"receiver": "am"}))

        def alerts():
            return json.loads(http_get("/api/v2/alerts", tcp=("127.0.0.1", port))[2])

        switches.set("A", "db", True)
        seen = wait_for("an alert", 40, alerts)
        self.assertEqual(seen[0]["labels"]["domain"], "db")
        self.assertEqual(seen[0]["status"]["state"], "active")
        wait_for("its webhook", 40, lambda: ("A", "db") in behind.states())
        switches.set("A", "db", False)
        wait_for("the end", 40, lambda: behind.messages[-1]["status"] == "resolved")

    def test_follow_and_resume(self):
        daemon = self.daemon({}, query="&churn=1")
        daemon.json("/vherd/v1/events")
        events = daemon.json("/vherd/v1/events?after=0&limit=5")["events"]
        self.assertEqual([e["seq"] for e in events], list(range(1, len(events) + 1)))
        last = events[2]["seq"]
        lines = []
        follow = subprocess.Popen(
            ["curl", "-sN", "--unix-socket", daemon.socket, "-H", f"Last-Event-ID: {last}", "-H",
             "Accept: text/event-stream", "http://localhost/vherd/v1/events"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(follow.wait)
        self.addCleanup(follow.kill)
        threading.Thread(target=lambda: lines.extend(iter(follow.stdout.readline, "")),
                         daemon=True).start()
        wait_for("what came after", 20, lambda: f"id: {last + 1}\n" in lines)
        self.assertNotIn(f"id: {last}\n", lines)
        before = len(lines)
        os.kill(daemon.process_named("send"), signal.SIGKILL)
        daemon.cli("silence", "add", "a=b", "--for", "1h")
        wait_for("the new one", 20, lambda: any("silence_added" in line for line in lines[before:]))
        self.assertEqual(daemon.get("/vherd/v1/events?kind=x")[0], 400)

    def test_nagios(self):
        """Debian's Nagios: asks by check_vherd, is told through its command file and NSCA-ng."""
        switches = self.switches(("A", "B"))
        daemon = memorydaemon.MemoryDaemon(vms=1, config={"web": {"socket_group": "nogroup"}})
        self.addCleanup(daemon.close)
        check = os.path.join(os.path.dirname(os.path.dirname(daemon.program)), "cli", "check_vherd")
        try:
            nagios = nagiospeer.Nagios(check, daemon.socket, {
                "vms": "-m state", "alarms": "-m alerts"}, ("A", "B"))
            self.addCleanup(nagios.close)
            nsca = nagiospeer.NscaNg(nagios.command_file)
            self.addCleanup(nsca.close)
        except debianpeers.PeerMissing as error:
            self.skipTest(str(error))
        config = switches.config(
            [{"name": "file", "nagios": {"command_file": nagios.command_file, "host": "h1"}},
             {"name": "nsca", "nagios": {"send_nsca": nsca.words, "host": "h1"}}],
            {"receiver": "file", "group_interval": "1s", "routes": [
                {"receiver": "nsca", "matchers": ["alertname=B"]}]})
        for section, keys in config.items():
            daemon.config.setdefault(section, {}).update(keys)
        daemon.write_config()
        daemon.start()
        switches.set_all({("A", "db"): False, ("B", "db"): False})
        wait_for("Nagios has asked", 120, lambda: nagios.state("vms") == 0 and
                 nagios.state("alarms") == 0, 0.5)
        self.assertIn("'running'=1", nagios.services()["vms"]["performance_data"])
        for on, passive, active in ((True, 2, 2), (False, 0, 0)):
            switches.set_all({("A", "db"): on, ("B", "db"): on})
            for name in ("A", "B"):
                wait_for(f"{name} is told", 120, lambda name=name: nagios.state(name) == passive,
                         0.5)
                self.assertEqual(nagios.services()[name]["check_type"], "1")
            wait_for("Nagios has asked again", 120, lambda: nagios.state("alarms") == active, 0.5)
            if on:
                services = nagios.services()
                self.assertEqual(services["A"]["plugin_output"],
                                 "CRITICAL - A db: db is in trouble")
                self.assertIn("'alerts'=2", services["alarms"]["performance_data"])

    def test_journal(self):
        """The entries as the journal's socket gets them; a socket of our own stands in its place."""
        if os.geteuid() != 0:
            self.skipTest("another /run/systemd needs root")
        switches = self.switches()
        os.chmod(switches.directory, 0o755)
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(journal.close)
        journal.bind(os.path.join(switches.directory, "socket"))
        os.chmod(os.path.join(switches.directory, "socket"), 0o666)
        journal.settimeout(120)
        daemon = memorydaemon.MemoryDaemon(vms=1, config=switches.config(
            [{"name": "j", "journal": {"enabled": True}}],
            {"receiver": "j", "group_interval": "1s"}))
        self.addCleanup(daemon.close)
        daemon.prefix = ["unshare", "-m", "bash", "-c", (
            "mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && "
            'mkdir /run/systemd/journal && mount --bind "$0" /run/systemd/journal && exec "$@"'),
                         switches.directory]
        daemon.start()

        def entry():
            while True:
                text = journal.recv(65536).decode()
                if "VHERD_LABEL_ALERTNAME=A" in text.splitlines():
                    return text.splitlines()
        for on, status, priority in ((True, "firing", "2"), (False, "resolved", "6")):
            switches.set("A", "db", on)
            lines = entry()
            self.assertIn("SYSLOG_IDENTIFIER=vherd", lines)
            self.assertIn("VHERD_LABEL_DOMAIN=db", lines)
            self.assertIn(f"VHERD_STATUS={status}", lines)
            self.assertIn(f"PRIORITY={priority}", lines)
            self.assertTrue([line for line in lines if line.startswith("MESSAGE=") and "db" in line])

    def check(self, daemon, *words):
        """check_vherd's status and line."""
        program = os.path.join(os.path.dirname(os.path.dirname(daemon.program)), "cli",
                               "check_vherd")
        done = subprocess.run([program, "-s", daemon.socket, *words], stdout=subprocess.PIPE,
                              text=True, env=daemon.environment, stdin=subprocess.DEVNULL)
        self.assertEqual(done.stdout.count("\n"), 1, done.stdout)
        return done.returncode, done.stdout.strip()

    def test_active_checks(self):
        """Every mode of check_vherd: exit codes, thresholds, perfdata with units."""
        daemon = self.daemon({})

        def known(*words):
            return wait_for("a figure", 60, lambda: (
                lambda answer: answer if answer[0] != 3 else None)(self.check(daemon, *words)))
        ratio, rate = r"'{}'=[0-9.]+%;{};{};0;100", r"'{}'=[0-9.e+]+B;{};{};0;"
        for words in (("-m", "cpu"), ("-m", "memory"), ("-m", "cpu", "-n", "vm1"),
                      ("-m", "memory", "-n", "vm1")):
            known(*words)
            for bounds, status, name in ((("-w", "~:1000", "-c", "~:1000"), 0, "OK"),
                                         (("-w", "1000:", "-c", "~:1000"), 1, "WARNING"),
                                         (("-w", "1000:", "-c", "1000:"), 2, "CRITICAL")):
                got, text = self.check(daemon, *words, *bounds)
                self.assertEqual(got, status, text)
                self.assertRegex(text, f"^VHERD {name}")
                self.assertRegex(text, ratio.format(words[1], bounds[1], bounds[3]))
        for mode, labels in (("disk", ("read", "write")), ("net", ("receive", "transmit"))):
            for words in (("-m", mode), ("-m", mode, "-n", "vm1")):
                known(*words)
                got, text = self.check(daemon, *words, "-w", "1e15:", "-c", "~:1e15")
                self.assertEqual(got, 1, text)
                for label in labels:
                    self.assertRegex(text, rate.format(label, "", ""))
                self.assertRegex(text, r"'total'=[0-9.e+]+B;")
                self.assertEqual(self.check(daemon, *words, "-w", "1e15", "-c", "2e15")[0], 0)
        self.assertEqual(self.check(daemon, "-m", "state")[0], 0)
        self.assertRegex(self.check(daemon, "-m", "state", "-c", "2:")[1], r"'running'=1;;2:;0;")
        self.assertEqual(self.check(daemon, "-m", "state", "-c", "2:")[0], 2)
        self.assertEqual(self.check(daemon, "-m", "state", "-n", "vm1")[0], 0)
        self.assertEqual(self.check(daemon, "-m", "alerts")[0], 0)
        self.assertEqual(self.check(daemon, "--mode", "state", "--critical", "2:"),
                         self.check(daemon, "-m", "state", "-c", "2:"))
        self.assertEqual(self.check(daemon, "--version")[1], self.check(daemon, "-V")[1])
        for words in (("-m", "none"), ("-w", "x"), ("-m", "cpu", "-n", "nobody"), ("-z",), ("--zzz",),
                      ("-t", "0"), ("too much",)):
            self.assertEqual(self.check(daemon, *words)[0], 3, words)
        daemon.stop()
        self.assertEqual(self.check(daemon, "-m", "state", "-t", "2")[0], 3)

    def test_started_on_a_full_disk(self):
        """Events wait until the disk has room, and silences that were stored hold again then."""
        disk = self.enterContext(smalldisk.SmallDisk())
        switches, hook = self.switches(), self.hook()
        config = switches.config([{"name": "ops", "webhook": {"url": hook.url}}],
                                 {"receiver": "ops", "group_interval": "1s"})
        config["store"] = {"path": os.path.join(disk.top, "store")}
        daemon = self.daemon(config)
        before = daemon.cli("silence", "add", "domain=web", "--for", "1h").stdout.strip()
        wait_for("an event", 20, lambda: daemon.json("/vherd/v1/events")["events"])
        daemon.stop()
        disk.fill()
        daemon.start()
        wait_for("the error", 20, lambda: "events_error" in daemon.status())
        self.assertIn("state.db", daemon.status()["events_error"])
        self.assertRegex(daemon.cli("status").stdout, r"Events +they wait in memory")
        self.assertEqual(daemon.get("/vherd/v1/events")[0], 503)
        meanwhile = daemon.cli("silence", "add", "domain=db", "--for", "1h").stdout.strip()
        switches.set("A", "early", True)
        receivers.wait_messages(hook, 1)
        disk.free()
        wait_for("events", 120, lambda: "events_error" not in daemon.status())
        wait_for("both silences", 20, lambda: {before, meanwhile} <= {
            s["id"] for s in daemon.json("/vherd/v1/silences")["silences"]})
        switches.set_all({("A", "web"): True, ("A", "mail"): True})
        receivers.wait_messages(hook, 2)
        self.assertEqual(hook.firing(), {("A", "early"), ("A", "mail")})
        told = [a["labels"]["domain"] for a in hook.messages[-1]["alerts"]]
        self.assertEqual(len(told), len(set(told)), told)
        log = daemon.log()
        self.assertEqual(log.count("events wait in memory"), 1, log)
        self.assertEqual(log.count("can be written again"), 1, log)
        daemon.stop()
        daemon.start()
        self.assertEqual({before, meanwhile} - {
            s["id"] for s in daemon.json("/vherd/v1/silences")["silences"]}, set())
        told = [e["text"] for e in daemon.json("/vherd/v1/events?kind=vherd")["events"]]
        self.assertEqual(sum("started" in text for text in told), 3, told)

    def test_storm_of_kills(self):
        """All processes are killed again and again, while many alerts fire, come and go."""
        kills = int(os.environ.get("VHERD_STORM_ROUNDS", "5"))
        alerts = int(os.environ.get("VHERD_STORM_ALERTS", "50"))

        def make(config):
            return memorydaemon.MemoryDaemon(vms=1, config=config)
        result = stormplay.storm(make, kills, alerts)
        self.assertEqual((result.lost, result.duplicates, result.regressions), ([], [], []))
        print(f"{kills} kills, {alerts} alerts, {result.repeated} deliveries repeated with the same "
              "id")


if __name__ == "__main__":
    unittest.main()

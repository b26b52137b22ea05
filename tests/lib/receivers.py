# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told, in tests: a webhook's server, a mail server, and alerts that are switched by hand."""

import hashlib
import hmac
import http.server
import json
import os
import shutil
import socket
import sys
import tempfile
import threading

from vherd import wait_for

# Debian's module, for whichever python3 runs the tests.
sys.path.append("/usr/lib/python3/dist-packages")


class Hook:
    """Takes messages; `status` is what it answers, `key` checks signatures."""

    def __init__(self, status=200, key=None, port=0):
        self.messages, self.requests, self.status, self.key = [], 0, status, key
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.requests += 1
                if hook.key:
                    hook.check(self.headers["X-Vherd-Signature"], body)
                if hook.status == 200:
                    hook.messages.append(json.loads(body))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def check(self, signature, body):
        fields = dict(part.split("=") for part in signature.split(","))
        mac = hmac.new(self.key.encode(), fields["t"].encode() + b"." + body, hashlib.sha256)
        if not hmac.compare_digest(mac.hexdigest(), fields["v1"]):
            raise AssertionError("the signature is wrong")

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def states(self):
        """What it must believe: (alert, VM) to (status, start), by the last that it heard."""
        state = {}
        for message in self.messages:
            for alert in message["alerts"]:
                labels = alert["labels"]
                key = (labels["alertname"], labels.get("domain", ""))
                state[key] = (alert["status"], alert["startsAt"])
        return state

    def firing(self):
        return {key for key, (status, _) in self.states().items() if status == "firing"}

    def news(self):
        """Each firing or end that it was told of, as often as by different messages."""
        seen, told = {}, []
        for message in self.messages:
            if message["id"] in seen:
                continue
            seen[message["id"]] = True
            told.append(message)
        return told


class Mailbox:
    """An SMTP server that keeps what it gets."""

    def __init__(self, **options):
        from aiosmtpd.controller import Controller
        self.mails = []
        box = self

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                box.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content,
                                  session.ssl is not None, bool(session.authenticated)))
                return "250 taken"

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.controller = Controller(Handler(), hostname="127.0.0.1", port=self.port,
                                     ready_timeout=60, **options)
        self.controller.start()

    def close(self):
        self.controller.stop()


class Switches:
    """Alerts that are on or off: metrics in a textfile, and a rule for each."""

    def __init__(self, names=("A",)):
        self.directory = tempfile.mkdtemp(prefix="vherd-alerts-")
        os.chmod(self.directory, 0o755)
        self.on = {}
        self.names = names
        rules = [{"alert": name, "expr": f'alarm{{name="{name}"}} == 1',
                  "labels": {"severity": "critical"},
                  "annotations": {"summary": "{{ $labels.domain }} is in trouble"}}
                 for name in names]
        self.rules = os.path.join(self.directory, "rules.yaml")
        with open(self.rules, "w", encoding="utf-8") as file:
            json.dump({"groups": [{"name": "g", "interval": "1s", "rules": rules}]}, file)

    def set(self, name, vm, on):
        self.set_all({(name, vm): on})

    def set_all(self, changes):
        """The series stay, with another value, as those of a state do."""
        self.on.update(changes)
        text = "# TYPE alarm gauge\n" + "".join(
            f'alarm{{name="{name}",domain="{vm}"}} {int(on)}\n'
            for (name, vm), on in sorted(self.on.items()))
        path = os.path.join(self.directory, "alarm.prom")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def wanted(self):
        return {key for key, on in self.on.items() if on}

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def config(self, receivers, route):
        return {"textfile": {"directories": [self.directory], "interval": "200ms"},
                "rules": {"files": [self.rules]},
                "notify": {"receivers": receivers, "route": route, "max_backoff": "2s"}}


def wait_messages(hook, n, seconds=20):
    wait_for(f"{n} messages", seconds, lambda: len(hook.messages) >= n)
    return hook.messages

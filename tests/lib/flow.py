# SPDX-License-Identifier: GPL-3.0-or-later
"""The real vherd-send around which tests/tools/flow-core.c plays supervisor and core; and pages for
it to scrape."""

import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from vherd import ROOT, wait_for


def yaml(config):
    """JSON is YAML; text is taken as it is."""
    if isinstance(config, str):
        return config
    return json.dumps(config, indent=1) + "\n"


class Page:
    """An exporter: `text` (or what `respond`, given the handler, sends) at any path."""

    def __init__(self, text="", content_type="text/plain; version=0.0.4", respond=None):
        self.text, self.content_type, self.respond = text, content_type, respond
        self.requests, self.closed = [], False
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if page.closed:
                    # A connection that was kept open.
                    self.close_connection = True
                    return
                page.requests.append((self.path, dict(self.headers)))
                if page.respond:
                    page.respond(self)
                    return
                body = page.text.encode() if isinstance(page.text, str) else page.text
                self.send_response(200)
                self.send_header("Content-Type", page.content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *unused):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        if self.closed:
            return
        self.closed = True
        self.server.shutdown()
        self.server.server_close()


def job(*addresses, name="app", interval="200ms", **more):
    return {"job_name": name, "scrape_interval": interval,
            "static_configs": [{"targets": list(addresses)}], **more}


def remote(receiver, version=1, queue=None, **more):
    message = "io.prometheus.write.v2.Request" if version == 2 else "prometheus.WriteRequest"
    settings = {"batch_send_deadline": "100ms", "min_backoff": "50ms", "max_backoff": "400ms"}
    settings.update(queue or {})
    return {"url": receiver.url, "name": "far", "protobuf_message": message,
            "remote_timeout": "2s", "queue_config": settings,
            "metadata_config": {"send_interval": "200ms"}, **more}


class Flow:
    """vherd-send at work; use as a context manager."""

    def __init__(self, config, echo=True, build=None, directory=None):
        self.directory = directory or tempfile.mkdtemp(prefix="vherd-flow-")
        self.keep = directory is not None
        os.chmod(self.directory, 0o755)
        self.config = config
        self.build = build or os.environ.get("VHERD_BUILD", "build")
        self.process = None
        self.log_path = os.path.join(self.directory, "stderr")
        self.out_path = os.path.join(self.directory, "samples")
        if echo:
            open(os.path.join(self.directory, "echo"), "w").close()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        path = os.path.join(self.directory, "vherd.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(yaml(self.config))
        programs = os.path.join(ROOT, self.build)
        with open(self.log_path, "ab") as log, open(self.out_path, "ab") as out:
            self.process = subprocess.Popen(
                [os.path.join(programs, "tests", "flow-core"),
                 os.path.join(programs, "src", "send", "vherd-send"), path, self.directory],
                stdin=subprocess.PIPE, stdout=out, stderr=log)
        wait_for("vherd-send ready", 20, self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("flow-core ended: " + self.log())
        return "ready: " in self.log()

    def stop(self):
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("flow-core does not end: " + self.log())
        finally:
            self.process = None

    def restart(self):
        self.stop()
        os.unlink(self.log_path)
        self.start()

    def kill(self):
        """As kill -9 would end all of vherd."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process = None
        os.unlink(self.log_path)

    def drop_connection(self):
        self.process.send_signal(signal.SIGUSR1)

    def send_pid(self):
        done = subprocess.run(["pgrep", "-P", str(self.process.pid)], stdout=subprocess.PIPE,
                              text=True)
        return int(done.stdout.split()[0])

    def __exit__(self, *unused):
        try:
            self.stop()
            log = self.log()
        finally:
            if not self.keep:
                shutil.rmtree(self.directory, ignore_errors=True)
        if "Sanitizer" in log or "runtime error:" in log or "ended by signal" in log or \
                "connection to send broke" in log:
            raise AssertionError(log)

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def samples(self):
        """[(series as text, t_ms, value as text)] that came in so far."""
        out = []
        with open(self.out_path, encoding="utf-8") as file:
            for line in file.read().split("\n")[:-1]:
                series, t_ms, value = line.rsplit(" ", 2)
                out.append((series, int(t_ms), value))
        return out

    def values(self, prefix):
        """Values of the series that begin with this text, in their order."""
        return [value for series, _, value in self.samples() if series.startswith(prefix)]

    def wait_sample(self, prefix, value=None, seconds=20):
        def there():
            seen = self.values(prefix)
            return seen if (value is None and seen) or (value is not None and value in seen) else None
        return wait_for(f"{prefix} {value or ''}; log: {self.log()}", seconds, there)


def now_ms():
    return int(time.time() * 1000)

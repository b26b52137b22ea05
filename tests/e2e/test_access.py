# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, tokens, sessions, scopes, HTTPS and the audit log, by the real daemon."""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import fakedaemon
import memorydaemon
import vherd

PASSWORD = "correct horse"


class Access(unittest.TestCase):
    def start(self, vms=4, more=None, **web):
        self.port = fakedaemon.free_port()
        config = {"web": {"listen": [f"127.0.0.1:{self.port}"], **web}, **(more or {})}
        daemon = memorydaemon.MemoryDaemon(vms, config=config)
        self.addCleanup(daemon.close)
        daemon.start()
        vherd.wait_for("VMs", 20, lambda: len(self.names(daemon)) == vms)
        self.daemon = daemon
        return daemon

    def names(self, daemon, **how):
        status, _, text = (self.tcp if how else daemon.get)("/vherd/v1/vms", **how)
        return [vm["name"] for vm in json.loads(text)["vms"]] if status == 200 else []

    def tcp(self, path, token=None, method="GET", body=None, headers=None, cookie=None):
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        head = dict(headers or {})
        if token:
            head["Authorization"] = f"Bearer {token}"
        if cookie:
            head["Cookie"] = cookie
        if body is not None:
            head.setdefault("Content-Type", "application/json")
            body = json.dumps(body) if not isinstance(body, str) else body
        try:
            connection.request(method, path, body=body, headers=head)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def cli(self, *words, status=0, **options):
        done = subprocess.run(self.daemon.command(*words), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=self.daemon.environment,
                              check=False, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def user(self, name, role, scope, password=True):
        extra = ["--password-file", "-"] if password else []
        self.cli("user", "add", name, "--role", role, "--scope", scope, *extra, input=PASSWORD)

    def token(self, user, role="viewer", name="t", *more):
        return self.cli("token", "create", name, "--user", user, "--role", role, *more).strip()

    def log_in(self, user, password=PASSWORD):
        status, headers, text = self.tcp("/vherd/v1/login", method="POST",
                                         body={"user": user, "password": password})
        cookie = headers["Set-Cookie"].split(";")[0] if status == 200 else None
        return status, cookie, json.loads(text).get("csrf")

    def audit(self, *words):
        return json.loads(self.cli("audit-log", "--json", *words))["records"]

    def test_tenants_see_what_is_theirs(self):
        self.start()
        self.user("ann", "operator", "name:vm1,name:vm3")
        whole, narrow = self.token("ann", "operator"), self.token("ann", "viewer", "n", "--scope",
                                                                  "name:vm3,name:vm4")
        self.assertEqual(self.names(self.daemon, token=whole), ["vm1", "vm3"])
        self.assertEqual(self.names(self.daemon, token=narrow), ["vm3"])
        self.assertEqual(self.tcp("/vherd/v1/vms/vm1", whole)[0], 200)
        # Another's VM and one that does not exist are told apart by nothing.
        other, none = (self.tcp(f"/vherd/v1/vms/{vm}", whole) for vm in ("vm2", "vm9"))
        self.assertEqual((other[0], other[2].replace("vm2", "vm9")), (404, none[2]))
        self.assertEqual(self.tcp("/vherd/v1/vms/vm2/dirty-rate", whole)[0], 404)
        self.assertEqual(self.tcp("/vherd/v1/vms/vm3/dirty-rate", narrow)[0], 403)
        for path in ("/vherd/v1/host", "/vherd/v1/status", "/vherd/v1/status?data=1",
                     "/vherd/v1/plan/balance", "/vherd/v1/plan/place?name=vm2",
                     "/api/v1/targets", "/api/v1/status/tsdb", "/api/v1/status/config",
                     "/vherd/v1/users", "/vherd/v1/audit"):
            self.assertEqual(self.tcp(path, whole)[0], 403, path)
        metrics = self.tcp("/metrics", whole)[2]
        self.assertEqual(set(re.findall(r'domain="(vm\d)"', metrics)), {"vm1", "vm3"})
        self.assertNotIn("vherd_host", metrics)
        page = self.tcp("/", whole)[2]
        self.assertIn("vm3", page)
        self.assertNotIn("vm2", page)

    RULES = {"groups": [{"name": "g", "interval": "1s", "rules": [
        {"alert": "Runs", "expr": 'vherd_vm_state{state="running"} == 1'},
        {"alert": "Host", "expr": "vector(1)"},
        {"alert": "Elsewhere", "expr": "vector(1)",
         "labels": {"domain": "vm1", "instance": "another"}}]}]}

    def test_tenants_hear_of_what_is_theirs(self):
        """Alerts, their history, events and silences: role x scope."""
        rules = tempfile.NamedTemporaryFile("w", suffix=".yml", delete=False)
        self.addCleanup(os.unlink, rules.name)
        with rules:
            json.dump(self.RULES, rules)
        os.chmod(rules.name, 0o644)
        daemon = self.start(more={"rules": {"files": [rules.name], "pack": False}})
        everybody = ["vm1", "vm2", "vm3", "vm4"]
        tokens = {}
        for user, scope, own in (("ann", "name:vm1,name:vm3", ["vm1", "vm3"]),
                                 ("ben", "owner:nobody", []), ("all", "all", everybody)):
            self.user(user, "admin", scope)
            for role in ("viewer", "operator", "admin"):
                tokens[user, role] = self.token(user, role, role), own
        tokens["ann", "narrow"] = self.token("ann", "viewer", "n", "--scope",
                                             "name:vm3,name:vm4"), ["vm3"]

        def read(path, token):
            status, _, text = self.tcp(path, token)
            self.assertEqual(status, 200, text)
            return json.loads(text)

        def domains(alerts):
            return sorted({a["labels"].get("domain", "") for a in alerts})
        admin = tokens["all", "admin"][0]
        vherd.wait_for("all alerts", 60, lambda: len(
            read("/vherd/v1/alerts", admin)["alerts"]) == 6)
        vherd.wait_for("their events", 60, lambda: len(
            read("/vherd/v1/events?kind=alert", admin)["events"]) >= 6)
        for domain in everybody:
            self.cli("silence", "add", f"domain={domain}", "--for", "1h")
        self.cli("silence", "add", 'domain=~"vm.*"', "--for", "1h")
        self.cli("silence", "add", "alertname=Runs", "--for", "1h")
        for (user, role), (token, own) in tokens.items():
            with self.subTest(user=user, role=role):
                host = [""] if user == "all" else []
                for path in ("/vherd/v1/alerts", "/api/v1/alerts"):
                    alerts = read(path, token)
                    alerts = alerts.get("data", alerts)["alerts"]
                    self.assertEqual(domains(alerts), host + own, path)
                    names = {a["labels"]["alertname"] for a in alerts}
                    self.assertEqual(names, {"Runs", "Host", "Elsewhere"} if host else
                                     {"Runs"} if own else set())
                history = read("/vherd/v1/alerts/history", token)["transitions"]
                self.assertEqual(domains(t["alert"] for t in history), host + own)
                one = read("/vherd/v1/alerts/history?limit=1&alertname=Runs", token)["transitions"]
                self.assertEqual(len(one), 1 if own else 0)
                events = read("/vherd/v1/events", token)["events"]
                self.assertEqual(sorted({e.get("vm") or "" for e in events}), host + own)
                self.assertEqual(any("Elsewhere" in e["text"] for e in events), bool(host))
                first = read("/vherd/v1/events?after=0&limit=1", token)["events"]
                self.assertEqual(len(first), 1 if own else 0)
                silences = [s["matchers"] for s in read("/vherd/v1/silences", token)["silences"]]
                shared = ['domain=~"vm.*"', "alertname=Runs"] if host else []
                self.assertEqual(sorted(silences), sorted(
                    [f"domain={vm}" for vm in own] + shared))
                self.assertEqual(self.tcp("/api/v1/rules", token)[0], 200 if host else 403)
                if user == "all" and role != "viewer":
                    continue
                for path, body in (("silences", {"matchers": "domain=vm1", "for": "1h"}),
                                   ("ack", {"alerts": "domain=vm1"}), ("notify/test/x", None)):
                    self.assertEqual(self.tcp(f"/vherd/v1/{path}", token, "POST", body)[0], 403)
        for path in ("/vherd/v1/alerts", "/vherd/v1/events", "/vherd/v1/silences"):
            self.assertEqual(daemon.get(path)[0], 200)  # root, by the socket
        self.follow_as_tenant(tokens["ann", "viewer"][0], rules.name)

    def follow_as_tenant(self, token, path):
        """The stream too has what is theirs, from its beginning on and as it happens."""
        lines = vherd.follow(self, [
            "curl", "-sN", "-H", f"Authorization: Bearer {token}",
            f"http://127.0.0.1:{self.port}/vherd/v1/events?follow=1&after=0"])

        def events(kind):
            found = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
            return [e for e in found if e["kind"] == kind]
        vherd.wait_for("what was", 30, lambda: len(events("alert")) >= 2)
        rules = copy.deepcopy(self.RULES)
        rules["groups"][0]["rules"].append(
            {"alert": "Again", "expr": 'vherd_vm_state{state="running"} == 1'})
        with open(path, "w", encoding="utf-8") as file:
            json.dump(rules, file)
        self.daemon.process.send_signal(signal.SIGHUP)
        vherd.wait_for("what happens", 60, lambda: len(
            [e for e in events("alert") if "Again" in e["text"]]) == 2)
        found = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        self.assertEqual({e.get("vm") for e in found}, {"vm1", "vm3"})

    def test_tenants_query_what_is_theirs(self):
        self.start()
        self.user("ann", "viewer", "name:vm1,name:vm3")
        self.user("ben", "viewer", "owner:nobody")
        ann, ben = self.token("ann"), self.token("ben")

        def ask(path, token, **fields):
            status, _, text = self.tcp(f"{path}?" + urllib.parse.urlencode(fields, True), token)
            self.assertEqual(status, 200, text)
            return json.loads(text)["data"]

        def query(expression, token):
            result = ask("/api/v1/query", token, query=expression)["result"]
            return sorted((row["metric"].get("domain", ""), row["value"][1]) for row in result)
        everything = 'count by (domain) ({__name__=~".+"})'
        vherd.wait_for("samples of all", 30, lambda: len(query("libvirt_domain_info_vstate", None)) == 4)
        self.assertEqual([vm for vm, _ in query(everything, None)],
                         ["", "vm1", "vm2", "vm3", "vm4"])
        self.assertEqual([vm for vm, _ in query(everything, ann)], ["vm1", "vm3"])
        self.assertEqual(query("count(libvirt_domain_info_vstate)", ann), [("", "2")])
        self.assertEqual(query("count(vherd_up) or vherd_host_cpus", ann), [])
        self.assertEqual(query('{job="vherd",domain!~"vm1|vm3"}', ann), [])
        end = time.time()
        ranged = ask("/api/v1/query_range", ann, query="libvirt_domain_info_vstate", start=end - 60,
                     end=end, step=1)["result"]
        self.assertEqual({row["metric"]["domain"] for row in ranged}, {"vm1", "vm3"})
        series = ask("/api/v1/series", ann, **{"match[]": '{__name__=~".+"}'})
        self.assertEqual({labels["domain"] for labels in series}, {"vm1", "vm3"})
        self.assertEqual(ask("/api/v1/label/domain/values", ann), ["vm1", "vm3"])
        self.assertNotIn("cpu", ask("/api/v1/labels", ann))
        names = ask("/api/v1/label/__name__/values", ann)
        self.assertFalse([name for name in names if name.startswith("vherd_host")])
        export = self.tcp("/vherd/v1/export", ann)[2]
        self.assertEqual(set(re.findall(r'domain="(vm\d)"', export)), {"vm1", "vm3"})
        self.assertFalse([line for line in export.split("\n")
                          if "{" in line and "domain=" not in line])
        for path in ("labels", "label/domain/values", "label/__name__/values"):
            self.assertEqual(ask(f"/api/v1/{path}", ben), [])
        self.assertEqual(query(everything, ben), [])
        # What needs no samples is for every viewer.
        self.assertEqual(ask("/api/v1/format_query", ben, query="1+1"), "1 + 1")
        for path in ("status/buildinfo", "metadata", "query_exemplars"):
            ask(f"/api/v1/{path}", ben, query="up")

    def test_who_shows_nothing(self):
        self.start(loopback_role="none")
        status, headers, _ = self.tcp("/vherd/v1/vms")
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
        self.assertEqual(self.tcp("/metrics")[0], 200)
        self.assertEqual(self.tcp("/-/healthy")[0], 200)
        for bad in ("x", "vherd_0123456789abcdef_" + "A" * 43, "a b"):
            self.assertEqual(self.tcp("/vherd/v1/vms", bad)[0], 401, bad)
        self.assertEqual(self.tcp("/vherd/v1/vms", headers={"Authorization": "Basic eDp5"})[0], 401)
        # A wrong token is not made good by where it comes from.
        self.assertEqual(self.tcp("/metrics", "x")[0], 401)

    def test_metrics_may_be_closed(self):
        self.start(loopback_role="none", metrics="none")
        self.assertEqual(self.tcp("/metrics")[0], 401)
        self.assertEqual(self.tcp("/-/ready")[0], 200)

    def test_tokens_end(self):
        self.start(loopback_role="none")
        self.user("ann", "viewer", "all")
        token = self.token("ann")
        self.assertIn("cannot be admin", self.cli("token", "create", "x", "--user", "ann", "--role",
                                                  "admin", status=1))
        self.assertEqual(self.tcp("/vherd/v1/vms", token)[0], 200)
        self.cli("token", "revoke", "ann:t")
        vherd.wait_for("its end", 5, lambda: self.tcp("/vherd/v1/vms", token)[0] == 401, 0.2)
        token = self.token("ann", "viewer", "u")
        self.assertEqual(self.tcp("/vherd/v1/vms", token)[0], 200)
        self.cli("user", "set", "ann", "--disabled", "yes")
        vherd.wait_for("its end", 5, lambda: self.tcp("/vherd/v1/vms", token)[0] == 401, 0.2)

    def test_sessions(self):
        self.start(loopback_role="none")
        self.user("ann", "viewer", "name:vm1")
        status, headers, _ = self.tcp("/vherd/v1/login", method="POST",
                                      body={"user": "ann", "password": PASSWORD})
        self.assertEqual(status, 200)
        for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(part, headers["Set-Cookie"])
        _, cookie, csrf = self.log_in("ann")
        self.assertEqual(self.names(self.daemon, cookie=cookie), ["vm1"])

        def make(name, **headers):
            return self.tcp("/vherd/v1/tokens", cookie=cookie, method="POST", body={"name": name},
                            headers={key.replace("_", "-"): value
                                     for key, value in headers.items()})[0]
        self.assertEqual(make("a"), 403)
        self.assertEqual(make("a", X_CSRF_Token=csrf + "x"), 403)
        self.assertEqual(make("a", X_CSRF_Token=csrf, Sec_Fetch_Site="cross-site"), 403)
        self.assertEqual(make("a", X_CSRF_Token=csrf, Origin="http://evil.example"), 403)
        self.assertEqual(make("a", X_CSRF_Token=csrf, Host="evil.example"), 421)
        self.assertEqual(make("a", X_CSRF_Token=csrf, Content_Type="text/plain"), 415)
        self.assertEqual(make("a", X_CSRF_Token=csrf, Sec_Fetch_Site="same-origin"), 200)
        # One's own password only, and with the present one.
        change = lambda user, body: self.tcp(f"/vherd/v1/users/{user}/password", cookie=cookie,
                                             method="POST", body=body,
                                             headers={"X-CSRF-Token": csrf})[0]
        self.assertEqual(change("root", {"password": "whatever1", "old": PASSWORD}), 403)
        self.assertEqual(change("ann", {"password": "whatever1"}), 400)
        self.assertEqual(change("ann", {"password": "whatever1", "old": "wrong"}), 403)
        self.assertEqual(change("ann", {"password": "whatever1", "old": PASSWORD}), 200)
        self.assertEqual(self.log_in("ann")[0], 401)
        status, cookie, csrf = self.log_in("ann", "whatever1")
        self.assertEqual(status, 200)
        status, headers, _ = self.tcp("/vherd/v1/logout", cookie=cookie, method="POST")
        self.assertEqual(status, 200)
        self.assertIn("Max-Age=0", headers["Set-Cookie"])
        self.assertEqual(self.tcp("/vherd/v1/vms", cookie=cookie)[0], 401)

    def test_logins_that_fail(self):
        self.start()
        self.user("ann", "viewer", "all")
        bodies = [{}, {"user": "ann"}, {"user": "ann", "password": 1}, [], "", "{", "x" * 100,
                  {"user": "ann", "password": PASSWORD, "more": 1}, '{"user":"a\\u0000"}',
                  {"user": "a" * 3000, "password": "b"}]
        for body in bodies:
            self.assertEqual(self.tcp("/vherd/v1/login", method="POST", body=body)[0], 400, body)
        answers = {(self.log_in(name, "wrong-one")[0]) for name in ("ann", "nobody", "-x", "a/b")}
        self.assertEqual(answers, {401})
        for _ in range(6):
            status, _, _ = self.log_in("ann", "wrong-one")
        self.assertEqual(status, 429)
        self.assertEqual(self.log_in("ann")[0], 429)
        vherd.wait_for("the wait's end", 60, lambda: self.log_in("ann")[0] == 200, 1)
        refused = self.audit("--verb", "login", "--result", "refused", "--object", "ann")
        self.assertGreaterEqual(len(refused), 5)
        self.assertEqual(refused[0]["address"], "127.0.0.1")

    def test_everything_is_written_down_once(self):
        daemon = self.start()
        self.user("ann", "viewer", "all")
        token = self.token("ann")
        self.log_in("ann")
        self.assertEqual(self.tcp("/vherd/v1/users", token)[0], 403)
        self.cli("token", "revoke", "ann:t")
        wanted = [("user add", "done"), ("token create", "done"), ("login", "done"),
                  ("user list", "refused"), ("token revoke", "done")]
        self.assertEqual([(r["verb"], r["result"]) for r in reversed(self.audit())], wanted)
        os.kill(self.pid_of("act"), signal.SIGKILL)
        vherd.wait_for("act", 20, lambda: daemon.get("/vherd/v1/users")[0] == 200)
        verified = json.loads(self.cli("audit-log", "--verify", "--json"))
        self.assertEqual((verified["whole"], verified["records"]), (True, 5))
        self.cli("user", "remove", "ann")
        self.assertIn("none was changed", self.cli("audit-log", "--verify", "--head",
                                                   verified["head"]))
        self.assertIn("damaged", self.cli_out("audit-log", "--verify", "--head",
                                              "3:" + "0" * 64))
        lines = self.cli("audit-log", "--export").splitlines()
        self.assertEqual([json.loads(line)["seq"] for line in lines], list(range(1, 7)))

    def cli_out(self, *words):
        return subprocess.run(self.daemon.command(*words), stdout=subprocess.PIPE, text=True,
                              env=self.daemon.environment, check=False).stdout

    def test_a_changed_byte_is_found_after_a_restart(self):
        daemon = self.start()
        self.user("ann", "viewer", "all")
        daemon.stop()
        path = os.path.join(daemon.directory, "act", "act.db")
        with open(path, "r+b") as file:
            data = file.read()
            at = data.index(b"user add")
            file.seek(at)
            file.write(b"user Add")
        daemon.start()
        self.assertIn("record 1 was changed", self.cli_out("audit-log", "--verify"))

    def test_kill_9_between_changes(self):
        """Accounts that were acknowledged are there, and each in the log exactly once."""
        daemon = self.start()
        acknowledged = []
        for i in range(30):
            if i % 6 == 5:
                os.kill(self.pid_of("act"), signal.SIGKILL)
            status, _, text = self.post_unix("/vherd/v1/users", {"name": f"u{i}"})
            if status == 200:
                acknowledged.append(f"u{i}")
            else:
                self.assertEqual(status, 503, text)
                vherd.wait_for("act", 20, lambda: daemon.get("/vherd/v1/users")[0] == 200)
        users = [u["name"] for u in json.loads(daemon.get("/vherd/v1/users")[2])["users"]]
        logged = [r["object"] for r in self.audit("--verb", "user add", "--limit", "1000")]
        self.assertTrue(set(acknowledged) <= set(users))
        self.assertEqual(sorted(users), sorted(logged))
        self.assertTrue(json.loads(self.cli("audit-log", "--verify", "--json"))["whole"])

    def pid_of(self, name):
        for pid in self.daemon.processes():
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                if file.read().strip() == f"vherd-{name}":
                    return pid
        raise AssertionError(name)

    def post_unix(self, path, body):
        connection = vherd.UnixConnection(self.daemon.socket, 30)
        try:
            connection.request("POST", path, json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def test_reading_goes_on_without_accounts(self):
        """A state directory that cannot be used closes what needs it, and nothing else."""
        self.port = fakedaemon.free_port()
        daemon = memorydaemon.MemoryDaemon(2, config={"web": {
            "listen": [f"127.0.0.1:{self.port}"]}})
        self.addCleanup(daemon.close)
        os.mkdir(os.path.join(daemon.directory, "act"), 0o755)
        os.chmod(os.path.join(daemon.directory, "act"), 0o755)
        daemon.start()
        self.assertEqual(self.tcp("/vherd/v1/vms")[0], 200)
        self.assertEqual(self.tcp("/vherd/v1/vms", "vherd_0123456789abcdef_" + "A" * 43)[0], 503)
        status, _, text = daemon.get("/vherd/v1/users")
        self.assertEqual(status, 503)
        self.assertIn("open to others", text)
        os.chmod(os.path.join(daemon.directory, "act"), 0o700)
        vherd.wait_for("accounts", 20, lambda: daemon.get("/vherd/v1/users")[0] == 200, 1)

    def test_https(self):
        tls_port = fakedaemon.free_port()
        daemon = self.start(tls_listen=[f"127.0.0.1:{tls_port}"])
        self.user("ann", "viewer", "name:vm1")
        token_path = os.path.join(daemon.directory, "token")
        with open(token_path, "w", encoding="utf-8") as file:
            file.write(self.token("ann") + "\n")
        certificate = os.path.join(daemon.directory, "tls", "certificate.pem")
        key = os.path.join(daemon.directory, "tls", "key.pem")
        self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)
        url = f"https://localhost:{tls_port}"

        def curl(*words):
            return subprocess.run(["curl", "-s", "-m", "20", *words], stdout=subprocess.PIPE,
                                  text=True, check=False)
        self.assertEqual(curl("--cacert", certificate, url + "/-/healthy").stdout,
                         "vherd is healthy.\n")
        self.assertNotEqual(curl(url + "/-/healthy").returncode, 0)
        self.assertNotEqual(curl("-k", "--tls-max", "1.1", url + "/-/healthy").returncode, 0)
        self.assertEqual(curl("-k", "--tls-max", "1.2", url + "/-/healthy").returncode, 0)
        login = curl("-k", "-i", "-H", "Content-Type: application/json", "-d",
                     json.dumps({"user": "ann", "password": PASSWORD}), url + "/vherd/v1/login")
        self.assertIn("; Secure", login.stdout)
        self.assertIn("token:ann/t", self.cli("--server", url, "--ca-file", certificate,
                                              "--token-file", token_path, "whoami"))
        pin = re.search(r"sha256//\S+", daemon.log()).group(0)
        self.assertIn("vm1", self.cli("--server", url, "--pin", pin, "--token-file", token_path,
                                      "list"))
        self.assertIn("cannot be trusted", self.cli("--server", url, "whoami", status=1))
        self.assertIn("cannot be trusted", self.cli(
            "--server", url, "--pin", "sha256//" + "A" * 43 + "=", "whoami", status=1))
        # Another certificate is taken over by a reload.
        os.unlink(certificate)
        daemon.process.send_signal(signal.SIGHUP)
        vherd.wait_for("the new certificate", 20, lambda: os.path.exists(certificate) and
                       curl("--cacert", certificate, url + "/-/healthy").returncode == 0, 0.3)


class HostileWeb(unittest.TestCase):
    def test_web_can_forge_nothing(self):
        build = os.path.join(vherd.ROOT, "build-asan")
        if not __import__("building").build("build-asan", "asan"):
            self.fail("build-asan does not build")
        libexec = tempfile.mkdtemp(prefix="vherd-libexec-")
        self.addCleanup(shutil.rmtree, libexec, True)
        os.chmod(libexec, 0o755)
        for name in ("core", "act", "send"):
            os.symlink(os.path.join(build, "src", name, f"vherd-{name}"),
                       os.path.join(libexec, f"vherd-{name}"))
        os.symlink(os.path.join(build, "tests", "hostile-web"), os.path.join(libexec, "vherd-web"))
        out = os.path.join(libexec, "out")
        daemon = vherd.Daemon({"libvirt": {"uri": "memory:///?vms=2"}}, build="build-asan",
                              environment={"VHERD_LIBEXEC": libexec, "VHERD_HOSTILE_OUT": out,
                                           "ASAN_OPTIONS": "detect_leaks=0"})
        self.addCleanup(daemon.close)
        daemon.start(wait=False)

        def results():
            if not os.path.exists(out):
                return {}
            with open(out, encoding="utf-8") as file:
                return dict(line.split() for line in file)
        vherd.wait_for("its end", 90, lambda: "end" in results())
        seen = results()
        for name, status in seen.items():
            with self.subTest(name):
                if name in ("end", "keys-seen"):
                    self.assertEqual(status, "0")
                elif name == "fd-accepted":
                    self.assertEqual(status, "200")
                elif name in ("act-request", "act-dirty"):
                    self.assertEqual(status, "0")
                else:
                    self.assertEqual(status, "401")
        self.assertEqual(len(seen), 25)
        with open(os.path.join(daemon.directory, "act", "act.db"), "rb") as file:
            self.assertNotIn(b"evil", file.read())


if __name__ == "__main__":
    unittest.main()

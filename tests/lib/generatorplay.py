# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert-generator specification on the clock: the daemon with the specification's rules, samples
by remote write, alerts taken as an Alertmanager takes them. `pace` compresses the rules' times and
ours alike; 1 is real time."""

import collections
import datetime
import http.server
import json
import os
import re
import sys
import tempfile
import threading
import time
import urllib.parse

import remotewrite
import vherd
from vherd import wait_for

# Debian's module, for whichever python3 runs this.
sys.path.append("/usr/lib/python3/dist-packages")

METRIC = "alert_generator_test_suite"
TOKEN = "a-token-of-some-length"
SAMPLE_S, INTERVAL_S, QUIET_S, FIRING_S, AFTER_S = 15, 30, 120, 600, 240
# rules.resend_delay, which is no less than a second; for how long ends are sent again, in real time.
RESEND_S, RESEND_LEAST_S, ENDS_S = 60, 1, 900
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}

Life = collections.namedtuple("Life", "group alert wait active value variants template")
# How long the rule waits, how long its series are over its threshold, and at what value.
LIVES = (
    Life("PendingAndFiringAndResolved", "PendingAndFiringAndResolved_SimpleAlert", 360,
         360 + FIRING_S, 15, ("",), {"summary": "The value is 15 15"}),
    Life("PendingAndResolved_AlwaysInactive", "PendingAndResolved_AlwaysInactive_PendingAlert", 180,
         120, 15, ("",), {}),
    Life("PendingAndResolved_AlwaysInactive", "PendingAndResolved_AlwaysInactive_InactiveAlert",
         180, 120, 15, ("",), {}),
    Life("ZeroFor_SmallFor", "ZeroFor_SmallFor_ZeroFor", 0, FIRING_S, 15, ("",),
         {"template_query_test": "first_id:1,1:7,"}),
    Life("ZeroFor_SmallFor", "ZeroFor_SmallFor_SmallFor", 15, 15 + FIRING_S, 15, ("",),
         {"template_test": "This Part IS TESTING the strings"}),
    Life("NewAlerts_OrderCheck", "NewAlerts_OrderCheck_Rule1", 180, 180 + FIRING_S, 15,
         ("one", "two"), {}),
    Life("NewAlerts_OrderCheck", "NewAlerts_OrderCheck_Rule2", 0, None, None, ("",),
         {"description": "Old alertname was"}),
)
# What is never seen to fire.
NEVER = ("PendingAndResolved_AlwaysInactive_PendingAlert",
         "PendingAndResolved_AlwaysInactive_InactiveAlert")


def seconds_of(text):
    """A duration as Prometheus writes it."""
    return sum(float(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|s|m|h)", text))


def compressed(path, pace):
    """The rules with all times divided, as JSON, which is YAML."""
    import yaml
    with open(path, encoding="utf-8") as file:
        rules = yaml.safe_load(file)
    for group in rules["groups"]:
        group["interval"] = f"{int(seconds_of(group['interval']) * 1000 / pace)}ms"
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = f"{int(seconds_of(rule['for']) * 1000 / pace)}ms"
    return json.dumps(rules)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def resend_of(pace):
    return max(RESEND_LEAST_S, RESEND_S / pace)


class Alertmanager:
    """Takes POST /api/v2/alerts: (when, alert) of each."""

    def __init__(self):
        self.taken = taken = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ok = self.path == "/api/v2/alerts"
                if ok:
                    taken.extend((time.time(), alert) for alert in json.loads(body))
                self.send_response(200 if ok else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, name):
        return [(at, a) for at, a in self.taken if a["labels"]["alertname"] == name]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def is_part(shown, expected):
    """In that order, perhaps with some left out that were over before anybody looked."""
    rest = iter(expected)
    return all(state in rest for state in shown)


class Play:
    """One run; `seen` has, for each alert, the states that it was seen in: (when, state, alert)."""

    def __init__(self, daemon, alertmanager, pace):
        self.daemon, self.alertmanager, self.pace = daemon, alertmanager, pace
        self.seen = {life.alert: [] for life in LIVES}
        self.end = None

    def post(self, series):
        connection = vherd.UnixConnection(self.daemon.socket, 20)
        try:
            connection.request("POST", "/api/v1/write", remotewrite.encode_1(series), headers={
                "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                "Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status // 100 != 2:
                raise AssertionError(f"remote write: {answer.status} {text!r}")
        finally:
            connection.close()

    def feed(self, now, spec_s):
        stamp = int(now * 1000)
        series = [({"__name__": METRIC, "rulegroup": "ZeroFor_SmallFor", "for": "template",
                    "id": "1"}, [(stamp, 7)])]
        for life in LIVES:
            if life.value is None:
                continue
            up = QUIET_S <= spec_s < QUIET_S + life.active
            for variant in life.variants:
                labels = {"__name__": METRIC, "alertname": life.alert, "rulegroup": life.group}
                if variant:
                    labels["variant"] = variant
                series.append((labels, [(stamp, life.value if up else 3)]))
        self.post(series)

    def look(self):
        now = time.time()
        alerts = self.daemon.json("/api/v1/alerts")["data"]["alerts"]
        for life in LIVES:
            mine = [a for a in alerts if a["labels"]["alertname"] == life.alert]
            state = "firing" if any(a["state"] == "firing" for a in mine) else \
                "pending" if mine else "inactive"
            self.seen[life.alert].append((now, state, mine[0] if mine else None))

    def run(self):
        """Samples and looks, until the last alert is long over."""
        begin = time.time()
        last = QUIET_S + max(life.active or 0 for life in LIVES) + (
            AFTER_S if self.pace > 1 else ENDS_S + AFTER_S)
        due = fed = 0
        while due <= last:
            pause = begin + due / self.pace - time.time()
            if pause > 0:
                time.sleep(pause)
            if due >= fed:
                self.feed(time.time(), due)
                fed += SAMPLE_S
            self.look()
            due += SAMPLE_S / 3
        self.end = time.time()
        return begin

    # What is right and wrong of it: (phase, complaint or None) each.

    def phases(self, begin, slack):
        for life in LIVES:
            states = self.history(life.alert, begin)
            names = [state for _, state, _ in states]
            expected = self.expected(life)
            yield f"{life.alert}: states", None if names == expected else f"{names}, not {expected}"
            shown = [state for _, state, _ in self.changes(life.alert)]
            yield f"{life.alert}: /api/v1/alerts", None if is_part(shown, expected) else \
                f"{shown}, not {expected}"
            if "firing" in names and names == expected:
                yield from self.times(life, states, begin, slack)
            yield f"{life.alert}: ALERTS", self.check_series(life, expected, begin)
            yield from self.sent(life, states, slack)

    @staticmethod
    def expected(life):
        if life.alert == NEVER[1]:
            return ["inactive"]
        if life.alert == NEVER[0]:
            return ["inactive", "pending", "inactive"]
        if life.wait == 0:
            return ["inactive", "firing", "inactive"]
        return ["inactive", "pending", "firing", "inactive"]

    def history(self, name, begin):
        """The states as the daemon keeps them, of the rule's first series: (when, state, alert)."""
        answer = self.daemon.json(f"/vherd/v1/alerts/history?limit=1000&alertname={name}")
        out, first = [(begin, "inactive", None)], None
        for one in reversed(answer["transitions"]):
            alert = one["alert"]
            first = first or alert["labels"]
            if alert["labels"] == first:
                state = alert["state"].replace("resolved", "inactive")
                out.append((instant(one["at"]), state, alert))
        return out

    def changes(self, name):
        out = []
        for at, state, alert in self.seen[name]:
            if not out or out[-1][1] != state:
                out.append((at, state, alert))
        return out

    def times(self, life, states, begin, slack):
        at = {state: when for when, state, _ in states}
        if life.wait:
            waited = at["firing"] - at["pending"]
            late = waited - life.wait / self.pace
            yield f"{life.alert}: for", None if -0.01 <= late <= slack else \
                f"it waited {waited:.1f} s"
        lasted = at["inactive"] - at["firing"]
        yield f"{life.alert}: fires as long as it should", None if abs(
            lasted - FIRING_S / self.pace) <= slack else f"it fired {lasted:.1f} s"
        alert = next(a for _, state, a in states if state == "firing")
        for key, text in life.template.items():
            got = alert["annotations"].get(key, "")
            yield f"{life.alert}: {key}", None if text in got and "<error" not in got else got

    def check_series(self, life, expected, begin):
        """ALERTS has the states that the API had, and no others."""
        query = urllib.parse.urlencode({
            "query": f'count by (alertstate) (ALERTS{{alertname="{life.alert}"}})',
            "start": begin, "end": time.time(), "step": max(0.25, 5 / self.pace)})
        answer = self.daemon.json("/api/v1/query_range?" + query)
        got = {r["metric"]["alertstate"] for r in answer["data"]["result"]}
        wanted = set(expected) - {"inactive"}
        return None if got == wanted else f"{sorted(got)}, not {sorted(wanted)}"

    def sent(self, life, states, slack):
        taken = self.alertmanager.of(life.alert)
        if life.alert in NEVER:
            yield f"{life.alert}: nothing is sent", f"{len(taken)} were" if taken else None
            return
        labels = {json.dumps(a["labels"], sort_keys=True) for _, a in taken}
        for one in sorted(labels):
            yield from self.sent_one(life, one, [
                (at, a) for at, a in taken if json.dumps(a["labels"], sort_keys=True) == one],
                states, slack)
        yield f"{life.alert}: alerts sent", None if len(labels) == len(life.variants) else \
            f"{len(labels)} different ones"

    def sent_one(self, life, name, taken, states, slack):
        firing = [(at, a) for at, a in taken if instant(a["endsAt"]) > at]
        over = [(at, a) for at, a in taken if instant(a["endsAt"]) <= at]
        fired = next((at for at, state, _ in states if state == "firing"), 0)
        yield f"{name}: sent when it fires", None if firing and abs(
            firing[0][0] - fired) <= slack else "not then"
        starts = {a["startsAt"] for _, a in taken}
        yield f"{name}: startsAt", None if len(starts) == 1 and abs(
            instant(next(iter(starts))) - fired) <= slack else f"{sorted(starts)}"
        resend = resend_of(self.pace)
        believed = 4 * max(resend, INTERVAL_S / self.pace)
        wrong = [instant(a["endsAt"]) - at for at, a in firing
                 if not believed - slack <= instant(a["endsAt"]) - at <= believed]
        yield f"{name}: endsAt", f"after {wrong}, not {believed}" if wrong else None
        resolved = next((at for at, state, _ in reversed(states) if state == "inactive"), 0)
        yield f"{name}: sent again while it fires", self.rhythm(
            [at for at, _ in firing], resolved, slack)
        yield f"{name}: its end is sent", None if over and abs(
            over[0][0] - resolved) <= slack else "it is not, or not then"
        until = min(self.end, resolved + ENDS_S)
        yield f"{name}: its end is sent again", self.rhythm([at for at, _ in over], until, slack)
        late = [at - resolved for at, _ in over if at > resolved + ENDS_S + slack]
        yield f"{name}: its end is sent for a quarter of an hour", f"{late}" if late else None

    def rhythm(self, times, until, slack):
        """Complaint about a message and its repetitions up to a time, or None: not more often than at
        the resend delay, and never missing at the first evaluation behind it."""
        resend = resend_of(self.pace)
        most = resend + INTERVAL_S / self.pace + slack
        if not times:
            return "it is never sent"
        pauses = [b - a for a, b in zip(times, [*times[1:], until])]
        if max(pauses) > most:
            return f"after {pauses}, not within {most}"
        count = (until - times[0] + slack) / resend + 2
        return f"{len(times)} times, at most {count}" if len(times) > count else None


def play(rules, pace, slack_s=None):
    """Run the specification's rules at a pace; its phases: (name, complaint or None). slack_s: how
    much later than by the clock something may come; two evaluations and a second unless given."""
    directory = tempfile.mkdtemp(prefix="vherd-generator-")
    os.chmod(directory, 0o755)
    token, path = os.path.join(directory, "token"), os.path.join(directory, "rules.yaml")
    with open(token, "w", encoding="utf-8") as file:
        file.write(TOKEN + "\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write(compressed(rules, pace))
    alertmanager = Alertmanager()
    lookback = max(1, int(300 / pace))
    config = {"libvirt": {"uri": "memory:///?vms=0"},
              "receive": {"enabled": True, "token_file": token},
              "query": {"lookback": f"{lookback}s"}, "rules": {
                  "files": [path], "pack": False,
                  "resend_delay": f"{int(resend_of(pace) * 1000)}ms"},
              "notify": {"receivers": [{"name": "am", "alertmanager": {
                  "urls": [alertmanager.url]}}], "route": {
                      "receiver": "am", "group_wait": "0s", "group_interval": "100ms"}}}
    try:
        with vherd.Daemon(config) as daemon:
            one = Play(daemon, alertmanager, pace)
            begin = one.run()
            wait_for("the last end", 60, lambda: any(
                instant(a["endsAt"]) <= at for at, a in alertmanager.of(LIVES[0].alert)))
            return list(one.phases(begin, slack_s or 2 * INTERVAL_S / pace + 1))
    finally:
        alertmanager.close()
        for file in (token, path):
            os.unlink(file)
        os.rmdir(directory)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of deeds against a real guest: each is done, and refused to a role without the right."""

import json
import os
import re

import vherd
from vherd import wait_for

RANK = ("viewer", "operator", "admin")
MAC = "52:54:00:aa:bb:01"


def table():
    """{deed: (path, role)}, as the generated documentation has it."""
    rows = {}
    with open(os.path.join(vherd.ROOT, "docs", "deeds.md"), encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip(" `") for cell in line.split("|")]
            if len(cells) > 4 and cells[3] in RANK:
                rows[cells[1]] = (cells[2], cells[3])
    return rows


def out_and_back(stage, name):
    for word in ("reset", "reboot"):
        stage.do("vm", word, name)
        wait_for("the guest's end", 30, lambda: not stage.ping(name), pause=0.2)
        stage.boot(name)


def perform_all(stage, name, patient=True):
    """One life of a guest in which every deed is done. Leaves nothing. patient: after each way out
    the guest is waited for."""
    def vm(word, *more, vm=name):
        return stage.do("vm", word, vm, *more)
    other = name + "-copy"
    stage.create(name, "--max-vcpus", "2", "--plug-memory", "256M", "--label", "role=test")
    vm("set-numa", "--nodes", "0", "--scope", "config")
    vm("start")
    stage.boot(name)
    stage.record(name, "one")
    vm("pause")
    vm("resume")
    vm("set-memory", "--memory", "112M")
    vm("plug-memory", "--size", "128M")
    vm("unplug-memory", "--size", "128M")
    vm("limit-disk", "--target", "vda", "--write-iops", "500")
    vm("set-cpu", "--shares", "512", "--scope", "live")
    vm("pin", "--vcpu", "0", "--cpus", "0")
    vm("attach-disk", "--pool", "images", "--size", "16M")
    vm("grow-disk", "--target", "vdb", "--size", "32M")
    vm("detach-disk", "--target", "vdb", "--volume-fate", "delete")
    vm("attach-nic", "--bridge", "br0", "--mac", MAC)
    vm("limit-nic", "--mac", MAC, "--in", "1M", "--scope", "config")
    vm("detach-nic", "--mac", MAC)
    stage.do("snapshot", "create", name, "--name", "s")
    stage.record(name, "two")
    stage.do("snapshot", "revert", name, "--name", "s")
    if stage.records(name) != ["one"]:
        raise AssertionError(f"after going back the guest has {stage.records(name)}")
    stage.do("snapshot", "delete", name, "--name", "s")
    vm("save")
    vm("restore")
    stage.boot(name)
    if patient:
        out_and_back(stage, name)
    else:
        vm("reset")
        vm("reboot")
    vm("set-vcpus", "--vcpus", "2", "--scope", "config")
    vm("set", "--owner", "somebody")
    vm("shutdown", "--timeout", "90s" if patient else "1s", "--fallback", "destroy")
    vm("clone", "--name", other)
    vm("rename", "--name", other + "2", vm=other)
    other += "2"
    vm("start", vm=other)
    vm("destroy", vm=other)
    for one in (other, name):
        vm("delete", "--disks", "delete", vm=one)


def done(stage):
    """Deeds of which a task has succeeded."""
    tasks = json.loads(stage.vherd("task", "list", "--json"))["tasks"]
    return {task["deed"] for task in tasks if task["state"] == "done"}


def _least(schema):
    schema = schema.get("anyOf", [schema])[0]
    if "enum" in schema:
        return schema["enum"][0]
    return schema["minimum"] if schema["type"] == "integer" else "x"


def _ask(daemon, path, body, token):
    connection = vherd.UnixConnection(daemon.socket, 60)
    try:
        connection.request("POST", path, json.dumps(body), {
            "Content-Type": "application/json", "Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}")
    finally:
        connection.close()


def _post(daemon, path, body, token):
    return _ask(daemon, path, body, token)[0]


def _least_body(paths, path):
    schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return {field: _least(schema["properties"][field]) for field in schema.get("required", [])}


def _is_right(path, may, covers, vm_covered, status, answer):
    if "{vm}" in path and not vm_covered:
        return status == 404 and "no VM is called" in answer.get("detail", "")
    # What makes a VM, or names it anew, must not put it out of the scope.
    if not covers and ("{vm}" not in path or path.endswith(("/clone", "/rename"))):
        may = False
    return status not in (401, 403) if may else status == 403


def matrix(daemon, inside, outside, tokens):
    """Each deed asked, as a dry run, with each role and scope, of a VM that the narrow scope has
    and of one that it has not; tokens: {(role, is it the scope all): token}. (cells, those that were
    answered wrongly)"""
    paths = daemon.json("/vherd/v1/openapi.json")["paths"]
    cells, wrong = 0, []
    for path, needed in table().values():
        body = {**_least_body(paths, path), "dry_run": True}
        for (role, everything), token in tokens.items():
            for vm in (inside, outside):
                status, answer = _ask(daemon, path.replace("{vm}", vm), body, token)
                may = RANK.index(role) >= RANK.index(needed)
                cells += 1
                if not _is_right(path, may, everything, everything or vm == inside, status, answer):
                    wrong.append((path, role, everything, vm, status, answer))
    return cells, wrong


def refused(stage, name):
    """Deeds that, asked of the VM `name` with each role below theirs, are all refused with 403."""
    tokens = {}
    for role in RANK[:2]:
        user = f"only-{role}"
        stage.vherd("user", "add", user, "--role", role, "--scope", "all")
        tokens[role] = stage.vherd("token", "create", "t", "--user", user, "--role", role).strip()
    paths = stage.daemon.json("/vherd/v1/openapi.json")["paths"]
    held = set()
    for deed, (path, role) in table().items():
        body = _least_body(paths, path)
        below = RANK[:RANK.index(role)]
        if below and all(_post(stage.daemon, re.sub(r"\{vm\}", name, path), body,
                               tokens[one]) == 403 for one in below):
            held.add(deed)
    return held

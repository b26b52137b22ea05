# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tree must look like: formatting, forbidden words and includes, layers, scripts."""

import glob
import json
import os
import re
import shlex
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

BANNED = ("strcpy strcat strncpy strncat sprintf vsprintf gets atoi atol atoll atof strtok strtok_r "
          "system popen mktemp tmpnam alloca rand srand asctime ctime gmtime localtime").split()
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# Fixed sequences are what tests want of rand().
ALLOWED_IN_TESTS = {"rand", "srand"}

# The layers of ARCHITECTURE.md: a folder may include folders of lower layers only, and within the
# uppermost what is named here. A statement of its own, against which the build is checked.
LAYER = {
    "base": 0, "regex": 0, "model": 1, "verb": 1, "conf": 1, "sandbox": 1,
    "net": 2, "virt": 2, "tsdb": 2, "store": 2, "place": 2, "detect": 2,
    "collect": 3, "promql": 3, "manage": 3, "auth": 3,
    "rule": 4, "notify": 4, "sim": 5,
    "tool": 6, "tui": 6, "cli": 6, "core": 6, "rehearse": 6, "act": 6, "web": 6, "send": 6, "main": 6,
}
SAME_LAYER = {"regex": {"base"}, "cli": {"tool", "tui"}, "main": {"cli"}, "net": set(), "virt": set()}
# Clients know the API only; what touches the network knows neither libvirt nor the data.
NEVER = {
    "cli": {"virt", "collect"}, "tui": {"virt", "collect"}, "main": {"virt", "collect"},
    "web": {"virt", "collect", "model"}, "send": {"virt", "collect"},
}


def may_include(folder, other):
    if other in NEVER.get(folder, ()):
        return False
    return LAYER[other] < LAYER[folder] or other in SAME_LAYER.get(folder, ())


def tracked(*patterns):
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns],
                          cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [name for name in done.stdout.splitlines() if os.path.isfile(os.path.join(ROOT, name))]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def c_files():
    return tracked("*.c", "*.cc", "*.h")


def without_comments_and_strings(text):
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, lambda m: "\n" * m.group(0).count("\n") + " ", text, flags=re.DOTALL)


def check_format():
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *c_files()], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        places = [line for line in done.stdout.splitlines() if "error:" in line]
        yield from sorted({line.split(":")[0] + ": not as clang-format writes it"
                           for line in places})


def check_licence_lines():
    for name in c_files():
        if not read(name).startswith("// SPDX-License-Identifier: GPL-3.0-or-later\n"):
            yield f"{name}:1: no SPDX line"


def check_includes():
    for name in c_files():
        for number, line in enumerate(read(name).splitlines(), 1):
            if re.match(r'\s*#\s*include\s*"\.\./', line):
                yield f"{name}:{number}: {line.strip()}"


def check_banned():
    for name in c_files():
        code = without_comments_and_strings(read(name))
        for number, line in enumerate(code.splitlines(), 1):
            for match in BANNED_CALL.finditer(line):
                if not (name.startswith("tests/") and match.group(1) in ALLOWED_IN_TESTS):
                    yield f"{name}:{number}: {match.group(1)}()"


def check_libvirt_stays_in_virt():
    for name in c_files():
        if name.startswith(("src/virt/", "tests/")) or not name.startswith("src/"):
            continue
        for number, line in enumerate(read(name).splitlines(), 1):
            if re.match(r"\s*#\s*include\s*[<\"]libvirt/", line):
                yield f"{name}:{number}: {line.strip()}"


def check_scripts():
    scripts = [name for name in tracked() if re.match(r"#!/bin/(ba)?sh|#!/usr/bin/env bash",
                                                      read(name)[:40])]
    # The guest's shell is busybox's, which is closest to dash.
    for dialect in ([], ["-s", "dash"]):
        chosen = [name for name in scripts if name.startswith("lab/guest.d/") == bool(dialect)]
        done = subprocess.run(["shellcheck", "-x", "-f", "gcc", *dialect, *chosen], cwd=ROOT,
                              stdout=subprocess.PIPE, text=True)
        yield from (line for line in done.stdout.splitlines() if ": note:" not in line)


def check_python_compiles():
    for name in tracked("*.py"):
        try:
            compile(read(name), name, "exec")
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: {error.msg}"


def compile_command(folder):
    """The compiler's arguments for some source of src/FOLDER, without input and output."""
    with open(os.path.join(ROOT, "build-asan", "compile_commands.json")) as file:
        for entry in json.load(file):
            source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
            if os.path.dirname(source) == f"src/{folder}":
                words = shlex.split(entry["command"])
                keep = [word for word in words if word.startswith(("-I", "-D", "-std"))]
                return entry["directory"], [words[1] if "ccache" in words[0] else words[0], *keep]
    return None, None


def check_programs():
    """What is installed is among what `ninja programs` builds, after which people install."""
    build = os.path.join(ROOT, "build-asan")
    done = subprocess.run(["meson", "introspect", "--targets", build], stdout=subprocess.PIPE,
                          check=True)
    with open(os.path.join(build, "build.ninja"), encoding="utf-8") as file:
        built = re.search(r"^build programs: phony (.*)$", file.read(), re.MULTILINE).group(1).split()
    for target in json.loads(done.stdout):
        names = [os.path.relpath(name, build) for name in target["filename"]]
        if target["installed"] and target["type"] == "executable" and names[0] not in built:
            yield f"{names[0]} is installed, but `ninja programs` does not build it"


def first_header(folder):
    found = sorted(glob.glob(os.path.join(ROOT, "src", folder, "include", folder, "*.h")))
    return f"{folder}/{os.path.basename(found[0])}" if found else None


def compiles(directory, command, header):
    with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
        source.write(f'#include "{header}"\n')
        source.flush()
        done = subprocess.run([*command, "-fsyntax-only", source.name], cwd=directory,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    missing = "No such file or directory" in done.stdout
    return done.returncode == 0, missing


def check_layers():
    """A forbidden include does not compile."""
    if not os.path.exists(os.path.join(ROOT, "build-asan", "compile_commands.json")):
        yield "build-asan is not configured"
        return
    folders = sorted(name for name in os.listdir(os.path.join(ROOT, "src")))
    for folder in folders:
        if folder not in LAYER:
            yield f"src/{folder} has no layer in tests/lint.py"
            continue
        directory, command = compile_command(folder)
        if not command:
            continue
        for other in folders:
            header = first_header(other)
            if not header or other == folder or may_include(folder, other):
                continue
            _, missing = compiles(directory, command, header)
            if not missing:
                yield f"src/{folder} can include \"{header}\""


def check_base_stands_alone():
    """The control of the check above: an include that must compile does."""
    directory, command = compile_command("base")
    if not command:
        yield "src/base is not in build-asan"
        return
    fine, _ = compiles(directory, command, "base/buf.h")
    if not fine:
        yield "src/base cannot include its own headers"


CHECKS = (check_format, check_licence_lines, check_includes, check_banned,
          check_libvirt_stays_in_virt, check_scripts, check_python_compiles)
CHECKS_AFTER_SETUP = (check_programs, check_layers, check_base_stands_alone)


def run(results, names, checks=CHECKS + CHECKS_AFTER_SETUP):
    import building
    chosen = {"lint." + check.__name__.removeprefix("check_"): check for check in checks}
    if names:
        chosen = {name: check for name, check in chosen.items() if any(n in name for n in names)}
    if any(check in CHECKS_AFTER_SETUP for check in chosen.values()):
        building.configure("build-asan", "asan")
    for name, check in chosen.items():
        problems = list(check())
        results.add(name, "failed" if problems else "passed", "\n  " + "\n  ".join(problems))

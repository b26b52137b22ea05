#!/usr/bin/env python3
"""serial.py TTY LOG WORDS: sends a line to a lab guest and prints its answer from the serial log.

Nobody else reads the pseudo-terminal, so it is kept open and drained until the answer is complete:
QEMU looks for a reader only once a second, and loses what was written before.
"""

import os
import select
import sys
import time

TIMEOUT_S = 30


def main():
    tty, log, words = sys.argv[1:4]
    token = f"{os.getpid()}-{time.monotonic_ns()}"
    done = f"VHERD-DONE {token} ".encode()
    with open(log, "rb") as answers:
        answers.seek(0, os.SEEK_END)
        fd = os.open(tty, os.O_RDWR | os.O_NOCTTY)
        # The empty line ends whatever half line came before.
        os.write(fd, f"\n{token} {words}\n".encode("utf-8", "surrogateescape"))
        text = b""
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            if select.select([fd], [], [], 0.05)[0]:
                os.read(fd, 65536)
            text += answers.read()
            at = text.find(done)
            if at >= 0 and b"\n" in text[at:]:
                sys.stdout.buffer.write(text[:at].replace(b"\r\n", b"\n"))
                return int(text[at + len(done):].split()[0])
    print("serial.py: no answer from the guest", file=sys.stderr)
    return 124


sys.exit(main())

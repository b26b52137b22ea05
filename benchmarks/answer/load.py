# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: load.py ADDRESS:PORT CLIENTS SECONDS PATH…

So many clients on connections that stay open, each of which asks again as soon as it has its answer;
clients take turns through the paths. One thread and epoll, so that what is measured is the server as
far as one core of Python allows. Prints JSON: latencies in seconds, failures.
"""

import json
import select
import socket
import struct
import sys
import time


class Client:
    """Spends as little as it can: what it spends is counted as the server's."""

    ROOM = 64 << 10  # at first

    def __init__(self, address, paths, first):
        host, port = address.rsplit(":", 1)
        self.requests = [f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()
                         for path in paths]
        self.at = first
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A timeout of Python's own is one more system call each time.
        self.socket.setblocking(True)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 60, 0))
        self.data = bytearray(self.ROOM)
        self.have, self.body, self.whole, self.good = 0, 0, 0, False
        self.start = 0

    def ask(self):
        self.have, self.body, self.whole, self.good = 0, 0, 0, False
        request = self.requests[self.at % len(self.requests)]
        self.at += 1
        self.start = time.perf_counter()
        self.socket.send(request)

    def read_head(self):
        end = self.data.find(b"\r\n\r\n", 0, self.have)
        if end < 0:
            return
        self.body = end + 4
        head = self.data[:end].lower()
        at = head.find(b"content-length:")
        if at >= 0:
            self.whole = self.body + int(head[at + 15:].split(b"\r\n", 1)[0])
        self.good = head.startswith(b"http/1.1 200")

    def receive(self):
        """None: there is more to come; else whether the answer is a good one."""
        if self.have == len(self.data):
            self.data += bytes(len(self.data))
        with memoryview(self.data) as room:
            got = self.socket.recv_into(room[self.have:])
        if not got:
            raise ConnectionError("closed in the middle of an answer")
        self.have += got
        if not self.body:
            self.read_head()
        if not self.body or self.have < self.whole:
            return None
        if not self.whole and not self.data.endswith(b"\r\n0\r\n\r\n", self.body, self.have):
            return None
        return self.good and self.data.find(b'"success"', self.body, self.body + 200) >= 0


def run(address, count, seconds, paths):
    clients = {}
    poll = select.epoll()
    for number in range(count):
        client = Client(address, paths, number)
        clients[client.socket.fileno()] = client
        poll.register(client.socket.fileno(), select.EPOLLIN)
    latencies, failures = [], 0
    end = time.perf_counter() + seconds
    for client in clients.values():
        client.ask()
    while time.perf_counter() < end:
        events = poll.poll(10)
        if not events:
            raise TimeoutError("no answer within 10 s")
        for fd, _ in events:
            client = clients[fd]
            good = client.receive()
            if good is None:
                continue
            latencies.append(time.perf_counter() - client.start)
            failures += not good
            client.ask()
    return {"latencies": latencies, "failures": failures}


if __name__ == "__main__":
    json.dump(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]), sys.stdout)

# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: scrape.py ADDRESS:PORT COUNT INTERVAL [SCRAPERS]

Asks for /metrics COUNT times, every INTERVAL seconds, by so many scrapers at the same moment over
connections that stay open. One thread and a poll loop, so that what is measured is the server.
"""

import json
import select
import socket
import sys
import time

REQUEST = "GET /metrics HTTP/1.1\r\nHost: {}\r\nAccept: text/plain\r\n\r\n"


class Scraper:
    def __init__(self, address):
        self.request = REQUEST.format(address).encode()
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.socket.setblocking(False)
        self.start = 0
        self.data = bytearray()
        self.body_at = self.length = self.chunked = None

    def send(self):
        self.data.clear()
        self.body_at = self.length = self.chunked = None
        self.start = time.perf_counter()
        self.socket.send(self.request)

    def receive(self):
        """True when the whole answer is here."""
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionError("closed in the middle of an answer")
        self.data += part
        if self.body_at is None:
            self.read_head()
        if self.body_at is None:
            return False
        if self.chunked:
            return self.data.endswith(b"\r\n0\r\n\r\n")
        return len(self.data) >= self.body_at + self.length

    def read_head(self):
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.data[:end]).decode("latin-1").split("\r\n")
        if head[0].split()[1] != "200":
            raise ConnectionError(head[0])
        fields = {name.lower(): value.strip()
                  for name, _, value in (line.partition(":") for line in head[1:])}
        self.chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        self.length = int(fields.get("content-length", 0))
        self.body_at = end + 4

    def text(self):
        body = bytes(self.data[self.body_at:])
        if not self.chunked:
            return body.decode()
        text = b""
        while body:
            size, _, rest = body.partition(b"\r\n")
            n = int(size, 16)
            text += rest[:n]
            body = rest[n + 2:]
        return text.decode()


def round_of(scrapers):
    """All send, then all are read; the latency of each."""
    poll = select.poll()
    waiting = {}
    for scraper in scrapers:
        scraper.send()
        waiting[scraper.socket.fileno()] = scraper
        poll.register(scraper.socket, select.POLLIN)
    latencies = []
    while waiting:
        events = poll.poll(30000)
        if not events:
            raise TimeoutError("no answer within 30 s")
        for fd, _ in events:
            if waiting[fd].receive():
                latencies.append(time.perf_counter() - waiting[fd].start)
                poll.unregister(fd)
                del waiting[fd]
    return latencies


def main(address, count, interval, scrapers=1):
    all_scrapers = [Scraper(address) for _ in range(scrapers)]
    latencies = []
    due = time.perf_counter()
    for _ in range(count):
        time.sleep(max(0.0, due - time.perf_counter()))
        due += interval
        latencies += round_of(all_scrapers)
    time.sleep(max(0.0, due - time.perf_counter()))
    json.dump({"latencies": latencies, "text": all_scrapers[0].text()}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]),
         int(sys.argv[4]) if len(sys.argv) > 4 else 1)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver of Prometheus' remote write, 1.0 and 2.0, that keeps what it is sent; and senders'
encoding, for tests of a receiver. Snappy blocks and protobuf are read here, without libraries."""

import http.server
import struct
import threading
import time

V2_PROTO = "io.prometheus.write.v2.Request"
STALE = 0x7FF0000000000002


class Malformed(Exception):
    pass


# Snappy blocks


def snappy_decode(data):
    size, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = (tag >> 2) + 1
            if length > 60:
                extra = length - 60
                length = int.from_bytes(data[at:at + extra], "little") + 1
                at += extra
            out += data[at:at + length]
            at += length
            continue
        if tag & 3 == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            width = 2 if tag & 3 == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(data[at:at + width], "little")
            at += width
        if offset == 0 or offset > len(out):
            raise Malformed("snappy: a copy from before the beginning")
        for _ in range(length):
            out.append(out[-offset])
    if len(out) != size:
        raise Malformed(f"snappy: {len(out)} bytes instead of {size}")
    return bytes(out)


def snappy_encode(data):
    """A valid block without any compression."""
    out = bytearray(put_varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += bytes([61 << 2]) + (len(piece) - 1).to_bytes(2, "little") + piece
    return bytes(out)


# Protobuf


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a number that does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def put_varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data):
    """(number, wire type, value) of a message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            value, at = data[at:at + 8], at + 8
        elif wire == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            if len(value) != length:
                raise Malformed("a field beyond the end")
        elif wire == 5:
            value, at = data[at:at + 4], at + 4
        else:
            raise Malformed(f"wire type {wire}")
        yield key >> 3, wire, value


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def unpack_varints(wire, value):
    if wire == 0:
        return [value]
    out, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        out.append(number)
    return out


def read_sample(data):
    value, bits, time_ms, start = 0.0, 0, 0, 0
    for number, _, raw in fields(data):
        if number == 1:
            value, bits = struct.unpack("<d", raw)[0], struct.unpack("<Q", raw)[0]
        elif number == 2:
            time_ms = signed(raw)
        elif number == 3:
            start = signed(raw)
    return {"value": value, "bits": bits, "t": time_ms, "start": start}


def read_series_1(data):
    series = {"labels": [], "samples": [], "exemplars": 0, "histograms": 0, "unknown": []}
    for number, _, raw in fields(data):
        if number == 1:
            pair = {1: "", 2: ""}
            pair.update({n: v.decode("utf-8") for n, _, v in fields(raw)})
            series["labels"].append((pair[1], pair[2]))
        elif number == 2:
            series["samples"].append(read_sample(raw))
        elif number == 3:
            series["exemplars"] += 1
        elif number == 4:
            series["histograms"] += 1
        else:
            series["unknown"].append(number)
    return series


def read_request_1(data):
    request = {"series": [], "metadata": [], "symbols": None, "unknown": []}
    for number, _, raw in fields(data):
        if number == 1:
            request["series"].append(read_series_1(raw))
        elif number == 3:
            meta = {"type": 0, "name": "", "help": "", "unit": ""}
            for n, _, v in fields(raw):
                key = {1: "type", 2: "name", 4: "help", 5: "unit"}[n]
                meta[key] = v.decode("utf-8") if n != 1 else v
            request["metadata"].append(meta)
        else:
            request["unknown"].append(number)
    return request


def read_series_2(data):
    series = {"refs": [], "samples": [], "exemplars": 0, "histograms": 0, "metadata": None,
              "unknown": []}
    for number, wire, raw in fields(data):
        if number == 1:
            series["refs"] += unpack_varints(wire, raw)
        elif number == 2:
            series["samples"].append(read_sample(raw))
        elif number == 3:
            series["histograms"] += 1
        elif number == 4:
            series["exemplars"] += 1
        elif number == 5:
            meta = {"type": 0, "help_ref": 0, "unit_ref": 0}
            for n, _, v in fields(raw):
                meta[{1: "type", 3: "help_ref", 4: "unit_ref"}[n]] = v
            series["metadata"] = meta
        else:
            series["unknown"].append(number)
    return series


def read_request_2(data):
    request = {"series": [], "metadata": [], "symbols": [], "unknown": []}
    for number, _, raw in fields(data):
        if number == 4:
            request["symbols"].append(raw.decode("utf-8"))
        elif number == 5:
            request["series"].append(read_series_2(raw))
        else:
            request["unknown"].append(number)
    symbols = request["symbols"]
    for series in request["series"]:
        refs = series["refs"]
        # Left out where they are wrong: the raw references stay for the test to look at.
        good = len(refs) % 2 == 0 and all(ref < len(symbols) for ref in refs)
        names = [symbols[ref] for ref in refs] if good else []
        series["labels"] = list(zip(names[::2], names[1::2]))
    return request


# Encoding, for tests of our own receiver


def field(number, payload):
    if isinstance(payload, int):
        return put_varint(number << 3) + put_varint(payload)
    if isinstance(payload, float):
        return put_varint(number << 3 | 1) + struct.pack("<d", payload)
    if isinstance(payload, str):
        payload = payload.encode()
    return put_varint(number << 3 | 2) + put_varint(len(payload)) + payload


def encode_1(series, metadata=()):
    """series: [(labels as a dict, [(t_ms, value)])]; metadata: [(type, name, help, unit)]."""
    out = b""
    for labels, samples in series:
        inner = b"".join(field(1, field(1, name) + field(2, value))
                         for name, value in sorted(labels.items()))
        inner += b"".join(field(2, field(1, float(v)) + field(2, t)) for t, v in samples)
        out += field(1, inner)
    for kind, name, text, unit in metadata:
        out += field(3, field(1, kind) + field(2, name) + field(4, text) + field(5, unit))
    return snappy_encode(out)


def encode_2(series):
    symbols = [""]

    def ref(text):
        if text not in symbols:
            symbols.append(text)
        return symbols.index(text)

    body = b""
    for labels, samples in series:
        refs = b"".join(put_varint(ref(name)) + put_varint(ref(value))
                        for name, value in sorted(labels.items()))
        inner = field(1, refs)
        inner += b"".join(field(2, field(1, float(v)) + field(2, t)) for t, v in samples)
        body += field(5, inner)
    return snappy_encode(b"".join(field(4, symbol) for symbol in symbols) + body)


# The receiver


def key_of(labels):
    inner = ", ".join(f'{name}="{value}"' for name, value in labels if name != "__name__")
    return f"{dict(labels)['__name__']}{{{inner}}}"


class Answer:
    """What the receiver says: a status, or something done to the connection."""

    def __init__(self, status=None, headers=None, body=b"", raw=None, delay=0.0, confirm=True):
        self.status, self.headers, self.body = status, headers or {}, body
        self.raw, self.delay, self.confirm = raw, delay, confirm


class Request:
    def __init__(self, method, path, headers, body):
        self.at = time.monotonic()
        self.wall_ms = time.time() * 1000
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.status = None
        self.version = 2 if V2_PROTO in headers.get("Content-Type", "") else 1
        self.error = self.packed = self.content = None
        try:
            self.packed = snappy_decode(body)
            self.content = (read_request_2 if self.version == 2 else read_request_1)(self.packed)
        except (Malformed, UnicodeDecodeError, IndexError, KeyError) as error:
            self.error = repr(error)

    @property
    def series(self):
        return self.content["series"] if self.content else []

    @property
    def is_metadata(self):
        return bool(self.content and self.content["metadata"])

    def samples(self):
        return sum(len(series["samples"]) for series in self.series)


class Receiver:
    """Answers each request for samples by the next of `answers`, then by `default`."""

    def __init__(self, answers=(), default=None):
        self.requests, self.lock = [], threading.Lock()
        self.answers, self.default = list(answers), default or Answer(204)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.serve(self)

            do_GET = do_PUT = do_POST

            def log_message(self, *unused):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, address):
                pass

        self.server_class, self.handler = Server, Handler
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    def start(self):
        if self.server is None:
            self.server_class.allow_reuse_address = True
            self.server = self.server_class(("127.0.0.1", self.port), self.handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        """Nobody listens on the port until start()."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    close = stop

    def serve(self, handler):
        if self.server is None:
            # A connection that was kept open.
            handler.close_connection = True
            return
        length = int(handler.headers.get("Content-Length") or 0)
        request = Request(handler.command, handler.path, dict(handler.headers),
                          handler.rfile.read(length))
        with self.lock:
            answer = self.default
            if self.answers and not request.is_metadata:
                answer = self.answers.pop(0)
            if request.is_metadata:
                answer = Answer(204)
            if answer is not None:
                request.status = answer.status
            self.requests.append(request)
        self.answer(handler, request, answer)

    @staticmethod
    def answer(handler, request, answer):
        if answer.delay:
            time.sleep(answer.delay)
        if answer.raw is not None:
            handler.close_connection = True
            handler.wfile.write(answer.raw)
            return
        handler.send_response(answer.status)
        if answer.confirm and request.version == 2 and 200 <= answer.status < 300:
            handler.send_header("X-Prometheus-Remote-Write-Samples-Written", str(request.samples()))
            handler.send_header("X-Prometheus-Remote-Write-Histograms-Written", "0")
            handler.send_header("X-Prometheus-Remote-Write-Exemplars-Written", "0")
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.status != 204:
            handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if answer.status != 204:
            handler.wfile.write(answer.body)

    # What was seen

    def seen(self):
        with self.lock:
            return list(self.requests)

    def writes(self):
        """Requests with samples."""
        return [request for request in self.seen() if request.series]

    def metadata(self):
        return [meta for request in self.seen() if request.content
                for meta in request.content["metadata"]]

    def taken(self):
        """{labels as a tuple: [(t, value)]} of all requests that were answered 2xx."""
        out = {}
        for request in self.writes():
            if request.status is None or not 200 <= request.status < 300:
                continue
            for series in request.series:
                out.setdefault(tuple(series["labels"]), []).extend(
                    (sample["t"], sample["value"], sample["bits"]) for sample in series["samples"])
        return out

    def delivered(self):
        """{(series as an exposition writes it, t)} of what taken() gives."""
        return {(key_of(labels), t) for labels, samples in self.taken().items()
                for t, _, _ in samples}

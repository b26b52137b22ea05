# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader of the store's files, written from docs/store-format.md alone."""

import struct
from dataclasses import dataclass

MASK = (1 << 64) - 1


class FormatError(Exception):
    pass


def need(condition, what):
    if not condition:
        raise FormatError(what)


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def signed(x):
    x &= MASK
    return x - (1 << 64) if x >> 63 else x


def double_of(bits):
    return struct.unpack("<d", struct.pack("<Q", bits & MASK))[0]


class Reader:
    """A place in bytes."""

    def __init__(self, data, at=0, end=None):
        self.data, self.at = data, at
        self.end = len(data) if end is None else end

    def more(self):
        return self.at < self.end

    def bytes(self, n):
        need(self.at + n <= self.end, "too short")
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.bytes(1)[0]

    def u32(self):
        return int.from_bytes(self.bytes(4), "little")

    def u64(self):
        return int.from_bytes(self.bytes(8), "little")

    def i64(self):
        return signed(self.u64())

    def f64(self):
        return struct.unpack("<d", self.bytes(8))[0]

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & MASK
        raise FormatError("a varint of more than ten bytes")

    def svarint(self):
        value = self.varint()
        return value >> 1 if value % 2 == 0 else -(value >> 1) - 1

    def text(self):
        length = self.varint()
        text = self.bytes(length).decode()
        need(self.u8() == 0, "a text without its NUL")
        return text


# Columns

def runs(r, order, n):
    if order == 0:
        return run_values(r, n)
    need(order == 1, "runs of another order")
    values = [r.svarint()]
    for step in run_values(r, n - 1):
        values.append(values[-1] + step)
    return values


def run_values(r, n):
    values, value = [], 0
    while len(values) < n:
        length = r.varint()
        value += r.svarint()
        values += [value] * length
    need(len(values) == n, "runs longer than the column")
    return values


def pack(r, order, factor, n):
    base = 0 if order == 3 else r.svarint()
    shift = r.u8() if order == 3 else 0
    width, n_exceptions = r.u8(), r.u8()
    bits = int.from_bytes(r.bytes((n * width + 7) // 8), "little")
    packed = [bits >> i * width & (1 << width) - 1 for i in range(n)]
    for _ in range(n_exceptions):
        place = r.u8()
        packed[place] |= r.varint() << width
    if order == 3:
        return [x << shift for x in packed]
    return [x * factor + base for x in packed]


def packs(r, order, n):
    factor = r.varint()
    values = [r.svarint() for _ in range(min({0: 0, 1: 1, 2: 2, 3: 1}[order], n))]
    residuals = []
    while len(residuals) < n - len(values):
        residuals += pack(r, order, factor, min(128, n - len(values) - len(residuals)))
    for x in residuals:
        if order == 0:
            values.append(x)
        elif order == 1:
            values.append(values[-1] + x)
        elif order == 2:
            values.append(2 * values[-1] - values[-2] + x)
        else:
            values.append((values[-1] ^ x) & MASK)
    return values


def whole_numbers(r, n, seen):
    head = r.u8()
    form, order = head & 15, head >> 4
    seen.add(("line", "runs", "packs")[form] + (str(order) if form else ""))
    if form == 0:
        first, step = r.svarint(), r.svarint()
        values = [first + i * step for i in range(n)]
    else:
        values = (runs if form == 1 else packs)(r, order, n)
    return [signed(x) for x in values]


def doubles(r, n, seen):
    head = r.u8()
    if head == 0x41:
        seen.add("bits")
        return [double_of(x) for x in whole_numbers(r, n, seen)]
    need(head == 0x40, "another form of doubles")
    seen.add("decimals")
    decimals, exceptions, place = r.u8(), {}, 0
    for _ in range(r.varint()):
        place += r.varint()
        exceptions[place] = r.f64()
    values = [x / 10 ** decimals for x in whole_numbers(r, n, seen)]
    return [exceptions.get(i, v) for i, v in enumerate(values)]


# Blocks

@dataclass
class Series:
    labels: dict
    kind: int
    scale: int
    chunks: list  # of (times, columns)


BUCKET_COLUMNS = (whole_numbers, whole_numbers) + (doubles,) * 6 + (whole_numbers,) * 2


class Block:
    """A block file, read as a whole."""

    def __init__(self, data):
        self.data, self.seen = data, set()
        self.checked = {}  # columns by place
        need(data[:16] == b"VHERDBLK" + struct.pack("<II", 1, 0), "the header")
        footer = data[-160:]
        need(footer[152:] == b"KLBDREHV" and footer[136:148] == bytes(12), "the end of the footer")
        need(crc32c(footer[:148]) == Reader(footer, 148).u32(), "the footer's CRC")
        r = Reader(footer)
        need(r.u32() == 1, "the footer's version")
        self.level = r.u32()
        (self.resolution, self.start, self.end, self.earliest, self.latest, self.n_samples,
         self.n_chunks, self.covered, self.deletions, self.serial) = (r.i64() for _ in range(10))
        self.symbols_at, self.series_at, self.names_at, self.index_end = (r.u64() for _ in range(4))
        self.n_series, self.n_symbols, self.n_names, index_crc = (r.u32() for _ in range(4))
        need(self.index_end == len(data) - 160, "the end of the index")
        need(crc32c(data[self.symbols_at:self.index_end]) == index_crc, "the index' CRC")
        self.symbols = self.read_symbols()
        self.series = self.read_series()
        self.names = self.read_names()

    def offsets(self, at, n):
        r = Reader(self.data, at)
        return [r.u32() for _ in range(n + 1)], at + 4 * (n + 1)

    def read_symbols(self):
        offsets, texts = self.offsets(self.symbols_at, self.n_symbols)
        need(texts + offsets[-1] == self.series_at, "the end of the symbols")
        symbols = []
        for begin, end in zip(offsets, offsets[1:]):
            raw = self.data[texts + begin:texts + end]
            need(raw.endswith(b"\0"), "a symbol without its NUL")
            symbols.append(raw[:-1])
        need(symbols == sorted(set(symbols)), "the order of the symbols")
        return [symbol.decode() for symbol in symbols]

    def column(self, at, decode, n):
        key = (at, decode, n)
        if key not in self.checked:
            r = Reader(self.data, at, self.symbols_at)
            crc, length = r.u32(), r.u32()
            need(crc32c(self.data[at + 4:at + 8 + length]) == crc, "a column's CRC")
            r = Reader(self.data, at + 8, at + 8 + length)
            self.checked[key] = decode(r, n, self.seen)
            need(not r.more(), "bytes behind a column")
        return self.checked[key]

    def read_chunk(self, r, kind):
        first, span, n, times_at = (r.varint() for _ in range(4))
        decoders = BUCKET_COLUMNS if self.resolution else ((doubles, whole_numbers)[kind],)
        times = self.column(times_at, whole_numbers, n)
        need(times[0] == self.start + first and times[-1] == times[0] + span, "a chunk's times")
        return times, [self.column(r.varint(), decode, n) for decode in decoders]

    def read_series(self):
        offsets, rows = self.offsets(self.series_at, self.n_series)
        series = []
        for begin, end in zip(offsets, offsets[1:]):
            r = Reader(self.data, rows + begin, rows + end)
            r.u64()  # a hash
            kind, scale = r.u8(), r.u8()
            labels = {}
            for _ in range(r.varint()):
                name = self.symbols[r.varint()]
                labels[name] = self.symbols[r.varint()]
            chunks = [self.read_chunk(r, kind) for _ in range(r.varint())]
            need(not r.more(), "bytes behind a series")
            series.append(Series(labels, kind, scale, chunks))
        order = [sorted(s.labels.items()) for s in series]
        need(order == sorted(order), "the order of the series")
        return series

    def read_names(self):
        """{name: {value: places of series}}."""
        names, r = {}, Reader(self.data, self.names_at)
        for _ in range(self.n_names):
            name, n, at = self.symbols[r.u32()], r.u32(), r.u32()
            rows = Reader(self.data, self.names_at + at)
            names[name] = {}
            for _ in range(n):
                value = self.symbols[rows.u32()]
                postings = Reader(self.data, self.names_at + rows.u32())
                place, places = 0, []
                for _ in range(postings.varint()):
                    place += postings.varint()
                    places.append(place)
                names[name][value] = places
        return names


# Log

def read_log(data):
    """({ref: (kind, scale, labels)}, [(type, time, ref, kind, value)])."""
    need(data[:8] == b"VHERDLOG" and struct.unpack("<I", data[8:12]) == (1,), "the log's header")
    need(crc32c(data[16:32]) == Reader(data, 12).u32() and data[24:32] == bytes(8), "its CRC")
    described, samples, r = {}, [], Reader(data, 32)
    while r.more():
        need(r.u32() == 0x9D4C4756, "a record's mark")
        length, crc = r.u32(), r.u32()
        payload = r.bytes(length)
        need(crc32c(struct.pack("<I", length) + payload) == crc, "a record's CRC")
        p = Reader(payload)
        kind = p.u8()
        if kind == 1:
            read_description(p, described)
        elif kind in (2, 3):
            read_samples(p, kind, samples)
    return described, samples


def read_description(p, described):
    ref, kind, scale = p.varint(), p.u8(), p.u8()
    need(p.u8() in (0, 1), "whether it is a counter")
    p.f64()
    labels = {}
    for _ in range(p.varint()):
        name = p.text()
        labels[name] = p.text()
    need(not p.more(), "bytes behind a description")
    described[ref] = (kind, scale, labels)


def read_samples(p, type_, samples):
    time, ref = p.svarint(), 0
    while p.more():
        word = p.varint()
        step = word >> 1
        ref += step >> 1 if step % 2 == 0 else -(step >> 1) - 1
        value = p.svarint() if word & 1 else p.f64()
        samples.append((type_, time, ref, word & 1, value))

# SPDX-License-Identifier: Apache-2.0
"""A small reader of Arrow IPC streams: what the tests look at, checked as strictly as it reads."""

import struct

from harness import check, equal

INT, UTF8, FIXED_BINARY, TIMESTAMP = 2, 5, 15, 10


class Table:
    """A FlatBuffers table at a place of the bytes."""

    def __init__(self, data, at):
        self.data = data
        self.at = at
        self.fields = at - struct.unpack_from("<i", data, at)[0]
        self.size = struct.unpack_from("<H", data, self.fields)[0]

    def place(self, field):
        slot = 4 + 2 * field
        if slot >= self.size:
            return 0
        distance = struct.unpack_from("<H", self.data, self.fields + slot)[0]
        return self.at + distance if distance else 0

    def number(self, field, form, default=0):
        place = self.place(field)
        check(place % struct.calcsize(form) == 0, "a number is aligned")
        return struct.unpack_from("<" + form, self.data, place)[0] if place else default

    def follow(self, field):
        place = self.place(field)
        return place + struct.unpack_from("<I", self.data, place)[0] if place else 0

    def table(self, field):
        place = self.follow(field)
        return Table(self.data, place) if place else None

    def text(self, field):
        place = self.follow(field)
        if not place:
            return ""
        size = struct.unpack_from("<I", self.data, place)[0]
        equal(self.data[place + 4 + size], 0, "the NUL behind a text")
        return self.data[place + 4 : place + 4 + size].decode()

    def tables(self, field):
        place = self.follow(field)
        count = struct.unpack_from("<I", self.data, place)[0] if place else 0
        for index in range(count):
            at = place + 4 + 4 * index
            yield Table(self.data, at + struct.unpack_from("<I", self.data, at)[0])

    def pairs(self, field):
        place = self.follow(field)
        count = struct.unpack_from("<I", self.data, place)[0]
        equal((place + 4) % 8, 0, "alignment of structs")
        return [struct.unpack_from("<qq", self.data, place + 4 + 16 * i) for i in range(count)]


def messages(data):
    """Kind of header, its table, and the body of each; the stream ends as it should."""
    at = 0
    while True:
        mark, size = struct.unpack_from("<Ii", data, at)
        equal(mark, 0xFFFFFFFF, "continuation")
        if size == 0:
            equal(at + 8, len(data), "nothing behind the end")
            return
        equal((at + 8 + size) % 8, 0, "alignment of a body")
        meta = data[at + 8 : at + 8 + size]
        message = Table(meta, struct.unpack_from("<I", meta)[0])
        equal(message.number(0, "h"), 4, "version 5")
        body_size = message.number(3, "q")
        body = data[at + 8 + size : at + 8 + size + body_size]
        equal(len(body), body_size, "a whole body")
        yield message.number(1, "B"), message.table(2), body
        at += 8 + size + body_size


def read_column(field, length, nulls, buffers):
    kind = field.number(2, "B")
    validity = next(buffers)
    if kind == UTF8:
        offsets = struct.unpack_from(f"<{length + 1}i", next(buffers))
        text = next(buffers)
        values = [text[a:b].decode() for a, b in zip(offsets, offsets[1:])]
    elif kind == FIXED_BINARY:
        width = field.table(3).number(0, "i")
        data = next(buffers)
        values = [data[i * width : (i + 1) * width] for i in range(length)]
    else:
        bits = 64 if kind == TIMESTAMP else field.table(3).number(0, "i")
        signed = kind == TIMESTAMP or field.table(3).number(1, "B")
        form = {8: "b", 16: "h", 32: "i", 64: "q"}[bits]
        values = list(struct.unpack_from(f"<{length}{form if signed else form.upper()}",
                                         next(buffers)))
    if validity:
        values = [
            value if validity[i // 8] >> i % 8 & 1 else None for i, value in enumerate(values)
        ]
    equal(sum(value is None for value in values), nulls, "count of nulls")
    return values


def read(data):
    """Names and rows of a stream of integers, moments, texts and fixed bytes."""
    fields, rows = [], []
    for kind, header, body in messages(data):
        if kind == 1:
            check(not fields, "one schema")
            fields = list(header.tables(1))
            continue
        equal(kind, 3, "a record batch")
        length = header.number(0, "q")
        buffers = iter([body[at : at + size] for at, size in header.pairs(2)])
        columns = [
            read_column(field, length, node[1], buffers)
            for field, node in zip(fields, header.pairs(1), strict=True)
        ]
        check(next(buffers, None) is None, "no buffer too many")
        rows += [list(row) for row in zip(*columns)]
    return [field.text(0) for field in fields], rows

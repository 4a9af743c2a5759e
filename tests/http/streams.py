# SPDX-License-Identifier: Apache-2.0
"""The two kinds of event stream, as clients see them: WebSocket (RFC 6455), Server-Sent Events."""

import base64
import hashlib
import os
import socket
import struct

from harness import (
    API,
    READ_SECONDS_MAX,
    Answer,
    Client,
    check,
    equal,
    read_head,
    read_json,
    read_pieces,
    to_json,
    with_query,
)


class Refused(Exception):
    """The stream was answered with something else than its beginning."""

    def __init__(self, answer):
        super().__init__(repr(answer))
        self.answer = answer


# ---- WebSocket (RFC 6455), client side

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    def __init__(
        self, server, tenant=None, path=API + "/events/stream", receive_buffer=None, **parameters
    ):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(READ_SECONDS_MAX)
        self.socket.connect(server.address)
        self.stream = self.socket.makefile("rb", 65536)
        self.close_code = None
        key = base64.b64encode(os.urandom(16))
        head = [
            f"GET {with_query(path, parameters)} HTTP/1.1",
            "Host: localhost",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key.decode()}",
        ] + ([f"X-Tenant-ID: {tenant}"] if tenant else [])
        self.socket.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
        status, reason, headers = read_head(self.stream)
        if status != 101:
            body = b"".join(read_pieces(self.stream, "GET", status, headers))
            self.end()
            raise Refused(Answer(status, reason, headers, body))
        accept = base64.b64encode(hashlib.sha1(key + _ACCEPT_SALT).digest()).decode()
        equal(headers.get("sec-websocket-accept"), accept, "Sec-WebSocket-Accept")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.stream.close()
        self.socket.close()

    def send(self, opcode, data=b"", final=True, reserved=0, masked=True):
        head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
        flag = 0x80 if masked else 0
        if len(data) < 126:
            head += bytes([flag | len(data)])
        elif len(data) < 65536:
            head += bytes([flag | 126]) + struct.pack(">H", len(data))
        else:
            head += bytes([flag | 127]) + struct.pack(">Q", len(data))
        if masked:
            mask = os.urandom(4)
            data = mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(data))
        self.socket.sendall(head + data)

    def send_json(self, value):
        self.send(TEXT, to_json(value))

    def frame(self):
        """The next frame: opcode and data. Servers must not mask and not use reserved bits."""
        head = self._read(2)
        check(head[0] & 0x70 == 0, "reserved bits in a frame of the server")
        check(head[1] & 0x80 == 0, "the server masked a frame")
        size = head[1]
        if size == 126:
            size = struct.unpack(">H", self._read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._read(8))[0]
        return head[0] & 0x0F, bool(head[0] & 0x80), self._read(size)

    def _read(self, size):
        data = self.stream.read(size)
        if len(data) < size:
            raise ConnectionError("the stream ended without a close frame")
        return data

    def message(self):
        """The next text message; pings are answered. None after a close frame."""
        parts = []
        while True:
            opcode, final, data = self.frame()
            if opcode == PING:
                self.send(PONG, data)
            elif opcode == CLOSE:
                self.close_code = struct.unpack(">H", data[:2])[0] if data else 1005
                return None
            elif opcode in (TEXT, 0):
                parts.append(data)
                if final:
                    return b"".join(parts)
            else:
                check(opcode == PONG, f"a frame with opcode {opcode}")

    def event(self):
        data = self.message()
        check(data is not None, f"closed with {self.close_code} instead of an event")
        return read_json(data)

    def take(self, count):
        return [self.event() for _ in range(count)]

    def drain(self):
        """Reads to the close frame; gives its code."""
        while self.message() is not None:
            pass
        return self.close_code

    def settle(self):
        """Returns when the server has handled all that was sent to it: pings keep the order.
        Gives the messages that came meanwhile."""
        token, messages = os.urandom(8), []
        self.send(PING, token)
        while True:
            opcode, _, data = self.frame()
            if opcode == PONG and data == token:
                return messages
            check(opcode in (TEXT, PING), f"opcode {opcode} while a pong was awaited")
            if opcode == TEXT:
                messages.append(read_json(data))


# ---- Server-Sent Events


class EventSource:
    def __init__(self, server, tenant=None, last_event_id=None, **parameters):
        self.client = Client(server, tenant)
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last_event_id}
        target = with_query(API + "/events/sse", parameters)
        status, reason, self.headers = self.client.begin("GET", target, None, headers)
        stream = self.client.stream
        if status != 200:
            body = b"".join(read_pieces(stream, "GET", status, self.headers))
            self.client.close()
            raise Refused(Answer(status, reason, self.headers, body))
        equal(
            self.headers.get("content-type", "").split(";")[0], "text/event-stream", "content type"
        )
        self._pieces = read_pieces(stream, "GET", status, self.headers)
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            self._pieces = iter(lambda: stream.read1(65536), b"")
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def _line(self):
        while b"\n" not in self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                raise ConnectionError("the event stream ended")
            self._rest += piece
        line, self._rest = self._rest.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8")

    def event(self):
        """The next event: its id as text and its data as a value."""
        fields = {}
        while True:
            line = self._line()
            if line == "":
                if "data" in fields:
                    return fields.get("id"), read_json(fields["data"])
                fields = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                fields[name] = fields[name] + "\n" + value if name in fields else value

    def take(self, count):
        return [self.event() for _ in range(count)]

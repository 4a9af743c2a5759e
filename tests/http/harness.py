# SPDX-License-Identifier: Apache-2.0
"""Drives a real allsourced from outside: processes, HTTP, WebSocket, SSE, its files.

Nothing here sleeps to let something happen: a start is awaited by the server's own log line, data
by position (`min_position`), everything else by polling against a deadline. Ports are the
kernel's choice, data lives in temporary directories, traffic never leaves the loopback.
"""

import atexit
import base64
import collections
import contextlib
import hashlib
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

SERVER_ENVIRONMENT = "ALLSOURCED"
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 15
READ_SECONDS_MAX = 20

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_HERE))


def server_path():
    default = os.path.join(_ROOT, "build", "release", "allsourced")
    return os.path.abspath(os.environ.get(SERVER_ENVIRONMENT) or default)


# ---- Checks and marks


class Skip(Exception):
    """Raised by a test that this build or machine cannot run."""


def equal(actual, expected, what="value"):
    if actual != expected:
        raise AssertionError(f"{what}: got {_short(actual)}, expected {_short(expected)}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def _short(value, room=700):
    text = repr(value)
    return text if len(text) <= room else text[: room // 2] + " ... " + text[-room // 2 :]


def alone(test):
    """The test compares durations or memory: it runs when nothing else does."""
    test.alone = True
    return test


def slow(test):
    """The test takes seconds: it is begun first, so that both workers end together."""
    test.slow = True
    return test


def eventually(condition, what, seconds=10):
    """Polls `condition` until it gives something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        select.select([], [], [], 0.002)


# ---- The server as a process

_running = set()


def _kill_all():
    for server in list(_running):
        server.kill()


atexit.register(_kill_all)


class StartFailure(AssertionError):
    """The server ended instead of listening; `log` is what it said."""

    def __init__(self, code, log):
        super().__init__(f"the server ended with {code} instead of listening:\n{log}")
        self.code = code
        self.log = log


class Server:
    """One allsourced on a data directory, which outlives restarts and ends with the object."""

    def __init__(self, *options, directory=None):
        self.options = options
        self.owns_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="allsource-http-")
        self.process = None
        self.address = None
        self.log = collections.deque(maxlen=2000)
        try:
            self.start()
        except BaseException:
            self._remove_directory()
            raise

    def start(self):
        command = [server_path(), "--listen", "127.0.0.1:0"]
        if "--ephemeral" not in self.options:
            command += ["--data-dir", self.directory]
        self.process = subprocess.Popen(
            command + list(self.options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _running.add(self)
        self.address = None
        self.log.clear()
        self._news = threading.Condition()
        self._log_ended = False
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        with self._news:
            self._news.wait_for(lambda: self.address or self._log_ended, START_SECONDS_MAX)
        if not self.address:
            self.kill()
            raise StartFailure(self.process.returncode, self.log_text())
        return self

    def _read_log(self):
        for line in self.process.stderr:
            text = line.decode("utf-8", "replace").rstrip("\n")
            found = re.search(r'msg="listening".*?address=([0-9.]+):(\d+)', text)
            with self._news:
                self.log.append(text)
                if found:
                    self.address = (found.group(1), int(found.group(2)))
                self._news.notify_all()
        with self._news:
            self._log_ended = True
            self._news.notify_all()

    def log_text(self):
        return "\n".join(list(self.log)[-60:])

    def _gone(self):
        self._reader.join(5)
        self.process.stderr.close()
        _running.discard(self)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Ends it politely, which must succeed: SIGTERM finishes, syncs and exits with 0."""
        check(self.alive(), f"the server died by itself ({self.process.poll()}):\n{self.log_text()}")
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end the server in {STOP_SECONDS_MAX} s") from None
        self._gone()
        equal(code, 0, f"exit code after SIGTERM; log:\n{self.log_text()}\n")

    def kill(self):
        if self.process is None or self not in _running:
            return
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._gone()

    def restart(self, kill=False):
        self.kill() if kill else self.stop()
        return self.start()

    def close(self):
        try:
            if self in _running:
                self.stop()
        finally:
            self.discard()

    def discard(self):
        self.kill()
        self._remove_directory()

    def _remove_directory(self):
        if self.owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close() if kind is None else self.discard()

    def client(self, tenant=None):
        return Client(self, tenant)

    # -- What the kernel knows of it

    def private_bytes(self):
        """Memory of its own, without mapped files."""
        return self._status_kib("RssAnon") * 1024

    def _status_kib(self, key):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        raise AssertionError(f"/proc has no {key}")

    def thread_count(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    # -- Its files

    def wal_files(self, tenant="default"):
        """The log files of a tenant, oldest first."""
        found = []
        for folder, _, names in os.walk(self.directory):
            parts = os.path.relpath(folder, self.directory).split(os.sep)
            if "wal" in parts and tenant in parts:
                found += [os.path.join(folder, name) for name in names]
        check(found, f"no log files of tenant {tenant} under {self.directory}")
        return sorted(found)


_sanitized = {}


def refuse_sanitizers():
    """Memory and speed say nothing about a build that is instrumented."""
    path = server_path()
    if path not in _sanitized:
        with open(path, "rb") as program:
            content = program.read()
        _sanitized[path] = b"__asan_init" in content or b"__tsan_init" in content
    if _sanitized[path]:
        raise Skip("the server is built with a sanitizer")


_shared = None
_tenants = itertools.count(1)


def shared_server():
    """The server of this test process; tests on it keep to tenants of their own."""
    global _shared
    if _shared is None or not _shared.alive():
        _shared = Server("--max-tenants", "100000")
    return _shared


def close_shared_server():
    global _shared
    server, _shared = _shared, None
    if server is not None:
        server.close()


def check_shared_server():
    """Every loop thread must answer, so several connections are tried."""
    for _ in range(4):
        with _shared.client() as client:
            try:
                healthy = client.healthy()
            except OSError as error:
                _abandon_shared_server()
                raise AssertionError(f"the shared server does not answer any more: {error}") from None
            check(healthy, "the shared server is not healthy any more")


def _abandon_shared_server():
    """The next test gets another one."""
    global _shared
    _shared.discard()
    _shared = None


def shared_server_started():
    return _shared is not None


def fresh_tenant():
    return f"t{os.getpid()}-{next(_tenants)}"


def fresh():
    """A client of the shared server with a tenant nobody has used."""
    return shared_server().client(fresh_tenant())


# ---- HTTP

JSON_TYPE = "application/json"
NDJSON_TYPE = "application/x-ndjson"
API = "/api/v1"


class Answer:
    def __init__(self, status, reason, headers, body):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body

    def __repr__(self):
        return f"<{self.status} {_short(self.body)}>"

    @property
    def json(self):
        return read_json(self.body)

    @property
    def lines(self):
        """The values of an NDJSON body."""
        check(not self.body or self.body.endswith(b"\n"), "NDJSON must end with a line feed")
        return [read_json(line) for line in self.body.splitlines()]


def read_json(text):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise AssertionError(f"not JSON ({error}): {_short(text)}") from None


def read_head(stream):
    """Status line and headers. None at the end of the stream."""
    line = stream.readline(65537)
    if not line:
        return None
    found = re.fullmatch(rb"HTTP/1\.1 (\d{3}) ?([^\r\n]*)\r\n", line)
    check(found, f"not a status line: {line!r}")
    headers = {}
    while True:
        line = stream.readline(65537)
        if line == b"\r\n":
            break
        check(line.endswith(b"\r\n") and b":" in line, f"not a header: {line!r}")
        name, value = line.decode("latin-1").split(":", 1)
        name, value = name.lower(), value.strip()
        headers[name] = headers[name] + ", " + value if name in headers else value
    return int(found.group(1)), found.group(2).decode("latin-1"), headers


def read_chunks(stream):
    """The pieces of a chunked body. An answer that was cut off is an error."""
    while True:
        line = stream.readline(1024)
        check(re.fullmatch(rb"[0-9a-fA-F]+\r\n", line), f"the body was cut off: {line!r}")
        size = int(line, 16)
        piece = stream.read(size)
        equal(len(piece), size, "bytes of a chunk")
        equal(stream.read(2), b"\r\n", "end of a chunk")
        if size == 0:
            return
        yield piece


def read_pieces(stream, method, status, headers):
    """The body piece by piece, however it is framed."""
    if method == "HEAD" or status in (204, 304) or 100 <= status < 200:
        return
    if headers.get("transfer-encoding", "").lower() == "chunked":
        yield from read_chunks(stream)
    elif "content-length" in headers:
        left = int(headers["content-length"])
        while left:
            piece = stream.read(min(left, 65536))
            check(piece, "the body was cut off")
            left -= len(piece)
            yield piece
    else:
        while piece := stream.read(65536):
            yield piece


def chunked(pieces):
    for piece in pieces:
        if piece:
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def escape(text):
    return urllib.parse.quote(text, safe="")


def with_query(path, parameters):
    """Lists become repeated parameters; None is left out."""
    kept = {name: value for name, value in parameters.items() if value is not None}
    if not kept:
        return path
    return path + "?" + urllib.parse.urlencode(kept, doseq=True)


class Client:
    """One keep-alive connection. Not for two threads at once."""

    def __init__(self, server, tenant=None, headers=None):
        self.server = server
        self.tenant = tenant
        self.headers = dict(headers or {})
        self._socket = None
        self._stream = None

    def twin(self):
        """Another connection with the same tenant and headers."""
        return Client(self.server, self.tenant, self.headers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._socket:
            self._stream.close()
            self._socket.close()
            self._socket = None

    def _connect(self):
        self._socket = socket.create_connection(self.server.address, READ_SECONDS_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb", 65536)

    def _head(self, method, target, headers):
        lines = {"Host": "localhost"}
        if self.tenant is not None:
            lines["X-Tenant-ID"] = self.tenant
        lines.update(self.headers)
        lines.update(headers or {})
        text = f"{method} {target} HTTP/1.1\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        return text.encode("utf-8") + b"\r\n"

    def begin(self, method, target, body=None, headers=None):
        """Sends a request and reads the head of its answer: status, reason, headers."""
        headers = dict(headers or {})
        if isinstance(body, (bytes, bytearray)):
            headers.setdefault("Content-Length", str(len(body)))
            data = [self._head(method, target, headers) + body]
        elif body is not None:
            headers["Transfer-Encoding"] = "chunked"
            data = itertools.chain([self._head(method, target, headers)], chunked(body))
        else:
            data = [self._head(method, target, headers)]
        reused = self._socket is not None
        if not reused:
            self._connect()
        head = self._exchange(data)
        if head is None and reused:  # the server may close an idle connection at any time
            self.close()
            self._connect()
            head = self._exchange(data)
        if head is None:
            self.close()
            raise ConnectionError("closed without an answer")
        return head

    def _exchange(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in data:  # a refusal may come, and the door be shut, before all is sent
                self._socket.sendall(piece)
        try:
            head = read_head(self._stream)
            while head and head[0] == 100:
                head = read_head(self._stream)
            return head
        except ConnectionResetError:
            return None

    def request(self, method, target, body=None, headers=None):
        status, reason, found = self.begin(method, target, body, headers)
        content = b"".join(read_pieces(self._stream, method, status, found))
        if found.get("connection", "").lower() == "close" or status == 101:
            self.close()
        return Answer(status, reason, found, content)

    def pieces(self, target, headers=None):
        """A GET whose answer is read as slowly as the caller likes."""
        status, _, found = self.begin("GET", target, None, headers)
        equal(status, 200, "status")
        return read_pieces(self._stream, "GET", status, found)

    def get(self, path, headers=None, **parameters):
        return self.request("GET", with_query(path, parameters), None, headers)

    def post(self, path, value, headers=None, **parameters):
        body = value if isinstance(value, bytes) else to_json(value)
        headers = {"Content-Type": JSON_TYPE, **(headers or {})}
        return self.request("POST", with_query(path, parameters), body, headers)

    # -- The words of the contract

    def try_append(self, **event):
        return self.post(API + "/events", event)

    def append(self, entity_id="e1", event_type="test.event", payload=None, **event):
        answer = self.try_append(
            event_type=event_type, entity_id=entity_id, payload={} if payload is None else payload, **event
        )
        equal(answer.status, 200, f"status of an append {answer}")
        return answer.json

    def try_batch(self, events, **parameters):
        return self.post(API + "/events/batch", events, **parameters)

    def batch(self, events, **parameters):
        answer = self.try_batch(events, **parameters)
        equal(answer.status, 200, f"status of a batch {answer}")
        return answer.json

    def query(self, **parameters):
        answer = self.get(API + "/events/query", **parameters)
        equal(answer.status, 200, f"status of the query {parameters} {answer}")
        result = answer.json
        equal(result["count"], len(result["events"]), "count")
        return result

    def events(self, **parameters):
        return self.query(**parameters)["events"]

    def positions(self, **parameters):
        return [event["position"] for event in self.events(**parameters)]

    def all_events(self, **parameters):
        """By NDJSON, which is how one reads much."""
        answer = self.get(API + "/events/query", {"Accept": NDJSON_TYPE}, **parameters)
        equal(answer.status, 200, f"status {answer}")
        return answer.lines

    def state(self, entity_id, **parameters):
        answer = self.get(f"{API}/entities/{escape(entity_id)}/state", **parameters)
        equal(answer.status, 200, f"status of the state {answer}")
        return answer.json

    def stats(self):
        return self.get(API + "/stats").json

    def healthy(self):
        answer = self.get("/health")
        return answer.status == 200 and answer.json["status"] == "healthy"

    def metric(self, name):
        """The sum over all label sets; 0 when the family has no member yet."""
        total = 0.0
        for line in self.get("/metrics").body.decode().splitlines():
            found = re.fullmatch(rf"allsource_{name}(\{{.*\}})? (\S+)", line)
            total += float(found.group(2)) if found else 0.0
        return total


def to_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def to_ndjson(values):
    return b"".join(to_json(value) + b"\n" for value in values)


def event(entity_id="e1", event_type="test.event", payload=None, **more):
    return {"event_type": event_type, "entity_id": entity_id, "payload": payload or {}, **more}


def refused(answer, status, code, *words):
    """An error as section 11 has it: JSON, a message, a stable code. Gives the body."""
    equal(answer.status, status, f"status of {answer}")
    equal(answer.headers.get("content-type"), JSON_TYPE, "content type of an error")
    body = answer.json
    check(isinstance(body.get("error"), str) and body["error"], f"no message in {body}")
    check(re.fullmatch(r"[a-z][a-z0-9_]*", str(body.get("code"))), f"no code in {body}")
    if code is not None:
        equal(body["code"], code, f"code of {body}")
    for word in words:
        check(word in body["error"], f"{word!r} is not in {body['error']!r}")
    return body


def raw_exchange(server, data, close_write=True):
    """Sends bytes as they are; gives all that comes back until the server closes."""
    with socket.create_connection(server.address, READ_SECONDS_MAX) as link:
        received = b""
        try:
            link.sendall(data)
            if close_write:
                link.shutdown(socket.SHUT_WR)
            while piece := link.recv(65536):
                received += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
        return received


def in_parallel(count, work):
    """Runs work(0..count-1) on threads; gives the results or raises the first error."""
    results, errors = [None] * count, []

    def run(index):
        try:
            results[index] = work(index)
        except BaseException as error:  # handed to the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


# ---- Times and ids

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def is_time(text):
    """As 2.1 has it, in microseconds: no zeros that say nothing."""
    found = isinstance(text, str) and TIME.fullmatch(text)
    return bool(found) and not (found.group(1) or "").endswith("000")


def is_uuid(text):
    return isinstance(text, str) and bool(UUID.fullmatch(text))


def instant(seconds):
    """A time of 2024 as text: seconds (to the microsecond) after its beginning."""
    micros = round(seconds * 1_000_000)
    whole, rest = divmod(micros, 1_000_000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_704_067_200 + whole))
    if rest:
        text += f".{rest:06d}" if rest % 1000 else f".{rest // 1000:03d}"
    return text + "Z"


# ---- WebSocket (RFC 6455), client side

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    def __init__(self, server, tenant=None, path=API + "/events/stream", receive_buffer=None, **parameters):
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


class Refused(Exception):
    """The upgrade was answered with something else than 101."""

    def __init__(self, answer):
        super().__init__(repr(answer))
        self.answer = answer


# ---- Server-Sent Events


class EventSource:
    def __init__(self, server, tenant=None, last_event_id=None, **parameters):
        self.client = Client(server, tenant)
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last_event_id}
        target = with_query(API + "/events/sse", parameters)
        status, reason, self.headers = self.client.begin("GET", target, None, headers)
        stream = self.client._stream
        if status != 200:
            body = b"".join(read_pieces(stream, "GET", status, self.headers))
            self.client.close()
            raise Refused(Answer(status, reason, self.headers, body))
        equal(self.headers.get("content-type", "").split(";")[0], "text/event-stream", "content type")
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

# SPDX-License-Identifier: Apache-2.0
"""Drives a real allsourced from outside: its process, its files, HTTP.

Nothing here sleeps to let something happen: a start is awaited by the server's own log line, data
by position (`min_position`), everything else by polling against a deadline. Ports are the
kernel's choice, data lives in temporary directories, traffic never leaves the loopback.
"""

import atexit
import collections
import contextlib
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
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
        check(
            self.alive(), f"the server died by itself ({self.process.poll()}):\n{self.log_text()}"
        )
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"SIGTERM did not end the server in {STOP_SECONDS_MAX} s"
            ) from None
        self._gone()
        equal(code, 0, f"exit code after SIGTERM; log:\n{self.log_text()}\n")
        self.check_log()

    def check_log(self):
        """What a sanitizer has to say, it says there."""
        for number, line in enumerate(self.log):
            if "Sanitizer" in line or "runtime error:" in line or "assert" in line.lower():
                raise AssertionError(
                    "the server complained:\n" + "\n".join(list(self.log)[number : number + 30])
                )

    def kill(self):
        if self.process is None or self not in _running:
            return
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._gone()

    def restart(self, kill=False):
        if kill:
            self.kill()
            self.check_log()
        else:
            self.stop()
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

    def log_files(self, tenant="default"):
        return log_files(self.directory, tenant)


def log_files(directory, tenant="default"):
    """The log files of a tenant, oldest first."""
    found = []
    for folder, _, names in os.walk(directory):
        parts = os.path.relpath(folder, directory).split(os.sep)
        if "wal" in parts and tenant in parts:
            found += [os.path.join(folder, name) for name in names]
    check(found, f"no log files of tenant {tenant} under {directory}")
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
                raise AssertionError(
                    f"the shared server does not answer any more: {error}"
                ) from None
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
        self.socket = None
        self.stream = None

    def twin(self):
        """Another connection with the same tenant and headers."""
        return Client(self.server, self.tenant, self.headers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.socket:
            self.stream.close()
            self.socket.close()
            self.socket = None

    def connect(self):
        self.socket = socket.create_connection(self.server.address, READ_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb", 65536)

    def head(self, method, target, headers):
        lines = {"Host": "localhost"}
        if self.tenant is not None:
            lines["X-Tenant-ID"] = self.tenant
        lines.update(self.headers)
        lines.update(headers or {})
        text = f"{method} {target} HTTP/1.1\r\n"
        text += "".join(
            f"{name}: {value}\r\n" for name, value in lines.items() if value is not None
        )
        return text.encode("utf-8") + b"\r\n"

    def begin(self, method, target, body=None, headers=None):
        """Sends a request and reads the head of its answer: status, reason, headers."""
        headers = dict(headers or {})
        if isinstance(body, (bytes, bytearray)):
            headers.setdefault("Content-Length", str(len(body)))
            data = [self.head(method, target, headers) + body]
        elif body is not None:
            headers["Transfer-Encoding"] = "chunked"
            data = itertools.chain([self.head(method, target, headers)], chunked(body))
        else:
            data = [self.head(method, target, headers)]
        reused = self.socket is not None
        if not reused:
            self.connect()
        head = self._exchange(data)
        if head is None and reused:  # the server may close an idle connection at any time
            self.close()
            self.connect()
            head = self._exchange(data)
        if head is None:
            self.close()
            raise ConnectionError("closed without an answer")
        return head

    def _exchange(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in data:  # a refusal may come, and the door be shut, before all is sent
                self.socket.sendall(piece)
        try:
            head = read_head(self.stream)
            while head and head[0] == 100:
                head = read_head(self.stream)
            return head
        except ConnectionResetError:
            return None

    def request(self, method, target, body=None, headers=None):
        status, reason, found = self.begin(method, target, body, headers)
        content = b"".join(read_pieces(self.stream, method, status, found))
        if found.get("connection", "").lower() == "close" or status == 101:
            self.close()
        return Answer(status, reason, found, content)

    def pieces(self, target, headers=None):
        """A GET whose answer is read as slowly as the caller likes."""
        status, _, found = self.begin("GET", target, None, headers)
        equal(status, 200, "status")
        return read_pieces(self.stream, "GET", status, found)

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
            event_type=event_type,
            entity_id=entity_id,
            payload={} if payload is None else payload,
            **event,
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


class Volley:
    """Connections on which requests are sent together, so that the server has them together."""

    def __init__(self, client, count):
        self.links = [client.twin() for _ in range(count)]
        for link in self.links:
            link.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for link in self.links:
            link.close()

    def __len__(self):
        return len(self.links)

    def post(self, path, values):
        """Posts each value on a connection of its own, all before the first answer is read."""
        for link, value in zip(self.links, values, strict=True):
            body = to_json(value)
            headers = {"Content-Type": JSON_TYPE, "Content-Length": str(len(body))}
            link.socket.sendall(link.head("POST", path, headers) + body)
        return [read_answer(link) for link in self.links]


def read_answer(link):
    """The answer to a POST that was sent on the connection."""
    status, reason, headers = read_head(link.stream)
    body = b"".join(read_pieces(link.stream, "POST", status, headers))
    return Answer(status, reason, headers, body)


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

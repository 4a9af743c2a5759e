# SPDX-License-Identifier: Apache-2.0
"""Limits and bad input: every rule of 3.1 and 0.2 at its value and one past it; raw nonsense."""

import contextlib
import os
import random
import select
import socket
import subprocess
import tempfile

from harness import (
    API,
    JSON_TYPE,
    NDJSON_TYPE,
    Server,
    check,
    chunked,
    equal,
    event,
    eventually,
    fresh,
    in_parallel,
    raw_exchange,
    read_json,
    refused,
    server_path,
    shared_server,
    slow,
    to_json,
    to_ndjson,
)

CONVENTION = "must be lowercase with dots/underscores. Convention: namespace.entity.action"


# ---- Names (3.1)


def test_event_types_that_are_right_are_accepted():
    client = fresh()
    names = [
        "a", "test", "a.b", "user.created", "a_b", "_", "__", "1", "a1.b2", "9.9", "é.à", "straße",
        "½", "ñandú.x", "x" * 128, "é" * 64,
    ]
    for name in names:
        equal(client.append("e", name)["position"], names.index(name) + 1, f"type {name}")
    equal([one["event_type"] for one in client.events()], names, "types")


def test_event_types_that_are_wrong_are_refused_with_their_sentence():
    client = fresh()
    cases = [("", "Event type cannot be empty")]
    cases += [(text, f"Event type cannot exceed 128 characters, got {len(text.encode())}")
              for text in ("x" * 129, "é" * 65, "x" * 5000, "X" * 129)]
    cases += [
        (text, f"Event type '{text}' {CONVENTION}")
        for text in (
            "User.Created", "userCreated", "a-b", "a b", "a/b", "a:b", "É", "日本", "a\tb", "a*", "*",
            " a", "a ",
        )
    ]
    cases += [
        (text, f"Event type '{text}' cannot start or end with a dot")
        for text in (".", ".a", "a.", "..", ".a..b")
    ]
    cases += [
        (text, f"Event type '{text}' cannot have consecutive dots")
        for text in ("a..b", "a...b", "a.b..c")
    ]
    for text, sentence in cases:
        body = refused(client.try_append(**event("e", text)), 400, "invalid_input")
        equal(body["error"], "Invalid input: " + sentence, f"message for {text!r}")
        equal(body.get("field"), "event_type", f"field for {text!r}")
    refused(client.try_append(**event("e", "a\u0000b")), 400, "invalid_input", CONVENTION)
    equal(client.query()["count"], 0, "events")


def test_entity_ids_that_are_right_are_accepted():
    client = fresh()
    names = [
        "a", "A-b_c.D:1/2", "user 1", "x" * 128, "é" * 64, "日本語", "\U0001f600", "..", "*", '"',
        "\\", "%", "-1", "null",
    ]
    for name in names:
        client.append(name)
    equal([one["entity_id"] for one in client.events()], names, "entities")


def test_entity_ids_that_are_wrong_are_refused_with_their_sentence():
    client = fresh()
    cases = [("", "cannot be empty")]
    cases += [
        (text, f"cannot exceed 128 characters, got {len(text.encode())}")
        for text in ("x" * 129, "é" * 65, "\n" * 129)
    ]
    cases += [
        (text, "cannot contain control characters")
        for text in ("a\nb", "\t", "a\u0000", "\u007f", "a\u0085b", "\u009f", "\r\n", "a\u001b[1m")
    ]
    cases += [
        (text, "cannot be only whitespace") for text in (" ", "   ", "\u00a0", "\u3000 \u2003")
    ]
    cases += [
        (text, "cannot have leading or trailing whitespace")
        for text in (" a", "a ", "\u00a0a", "a\u3000")
    ]
    for text, sentence in cases:
        body = refused(client.try_append(**event(text)), 400, "invalid_input")
        equal(body["error"], "Invalid input: Entity ID " + sentence, f"message for {text!r}")
        equal(body.get("field"), "entity_id", f"field for {text!r}")
    equal(client.query()["count"], 0, "events")


def test_a_name_that_is_too_long_names_its_limit():
    client = fresh()
    for wrong in (event("x" * 129), event("e", "x" * 129)):
        equal(refused(client.try_append(**wrong), 400, "invalid_input").get("limit"), 128, "limit")


def test_the_event_type_is_checked_before_the_entity_id():
    body = refused(fresh().try_append(**event("", "")), 400, "invalid_input")
    equal(body["error"], "Invalid input: Event type cannot be empty", "message")


def test_tenant_names_have_rules_of_their_own():
    client = fresh()
    client.tenant = None
    for name in ("t", "A-b_9", "x" * 64, "ünïcode", "日本"):
        equal(client.query(tenant_id=name)["count"], 0, f"tenant {name}")
    for name in ("x" * 65, "a b", "a/b", "a.b", "..", "ünï code", "a\u0000", "é" * 33, "a*"):
        refused(
            client.get(API + "/events/query", tenant_id=name), 400, "invalid_input", "Tenant ID"
        )
        refused(client.try_append(**event(tenant_id=name)), 400, "invalid_input", "Tenant ID")
    for name in ("x" * 65, "a b", "../../etc", "a.b"):
        client.tenant = name
        refused(client.get(API + "/stats"), 400, "invalid_input", "Tenant ID")
        refused(client.try_append(**event()), 400, "invalid_input", "Tenant ID")


# ---- Shapes (0.2)


def test_fields_that_are_missing_or_of_a_wrong_type_are_422_and_named():
    client = fresh()
    whole = event()
    for field in ("event_type", "entity_id", "payload"):
        body = refused(
            client.post(API + "/events", {k: v for k, v in whole.items() if k != field}),
            422,
            "json_shape",
            field,
        )
        equal(body.get("field"), field, "field")
    for field, values in (
        ("event_type", (None, 1, [], {}, True)),
        ("entity_id", (None, 1, [], {}, False)),
        ("tenant_id", (1, [], {})),
        ("timestamp", (1, [], {}, "x")),
        ("id", (1, [], {}, "x")),
        ("expected_version", ("1", [], {}, 1.5, -2)),
    ):
        for value in values:
            body = refused(
                client.post(API + "/events", whole | {field: value}), 422, "json_shape", field
            )
            equal(body.get("field"), field, f"field of {value!r}")
    equal(client.query()["count"], 0, "events")


def test_json_that_is_no_json_is_400():
    client = fresh()
    good = b'{"event_type":"a","entity_id":"b","payload":{}}'
    for cut in range(len(good)):
        refused(client.post(API + "/events", good[:cut]), 400, "json_syntax")
    for text in (
        b"{]", b"{,}", b'{"a":}', b'{"a" 1}', b"{'a':1}", b'{"a":1,}', b"\x00", b"\xff",
        b'{"a":"\n"}', b'{"a":tru}', b'{"a":truee}', b'{"\xff":1}', b'{"a":"\\x"}',
        b'{"a":"\\u12"}', b'{"a":1}}', good + b",", good + b"\x00",
    ):
        refused(client.post(API + "/events", text), 400, "json_syntax")
    equal(client.query()["count"], 0, "events")


# ---- Limits


def test_a_payload_may_be_128_deep_and_not_129():
    client = fresh()
    for field in (b"payload", b"metadata"):
        other = b"metadata" if field == b"payload" else b"payload"
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            for depth in (1, 127, 128, 129, 130, 100_000):
                value = opening * depth + (b"" if opening == b"[" else b"1") + closing * depth
                body = b'{"event_type":"a","entity_id":"e","%s":{},"%s":%s}' % (other, field, value)
                for path, text in (("/events", body), ("/events/batch", b"[" + body + b"]"),
                                   ("/events/batch", b'{"events":[' + body + b"]}")):
                    answer = client.post(API + path, text)
                    if depth <= 128:
                        equal(answer.status, 200, f"{field} {depth} deep to {path}: {answer}")
                    else:
                        check(answer.status == 400, f"{field} {depth} deep to {path}: {answer}")
                        refused(answer, 400, None)


def event_of_size(size, field="payload"):
    """An event whose names, payload and metadata have so many bytes."""
    names = len("test.event") + len("e1")
    rest = size - names - (2 if field == "metadata" else 0)
    text = "x" * (rest - 2)
    return event() | (
        {"payload": text} if field == "payload" else {"payload": {}, "metadata": text}
    )


def test_an_event_may_be_as_big_as_the_limit_and_not_a_byte_bigger():
    limit = 4096
    with Server("--max-event-bytes", str(limit)) as server:
        client = server.client()
        for field in ("payload", "metadata"):
            equal(
                client.try_append(**event_of_size(limit, field)).status,
                200,
                f"{field} at the limit",
            )
            body = refused(client.try_append(**event_of_size(limit + 1, field)), 413, "too_large")
            equal(body.get("limit"), limit, f"limit in {body}")
            body = refused(
                client.try_batch([event(), event_of_size(limit + 1, field)]), 413, "too_large"
            )
            equal(body.get("field"), "events[1]", f"field in {body}")
        equal(client.query()["count"], 2, "events")
        spaced = b'{"event_type":"test.event","entity_id":"e1","payload":{' + b" " * limit + b"}}"
        equal(client.post(API + "/events", spaced).status, 200, "white space does not count")


def test_the_default_limit_of_an_event_is_1_mib():
    client = fresh()
    equal(client.try_append(**event_of_size(1 << 20)).status, 200, "at 1 MiB")
    refused(client.try_append(**event_of_size((1 << 20) + 1)), 413, "too_large")
    equal(len(client.events()[0]["payload"]), (1 << 20) - 14, "payload")


def body_of_size(size):
    text = to_json(event())
    return text + b" " * (size - len(text))


def test_a_request_may_be_as_big_as_the_limit_and_not_a_byte_bigger():
    limit = 65536
    with Server("--max-request-bytes", str(limit), "--max-event-bytes", "4k") as server:
        client = server.client()
        headers = {"Content-Type": JSON_TYPE}
        for send in (lambda body: body, lambda body: [body[:1000], body[1000:]]):
            equal(
                client.request("POST", API + "/events", send(body_of_size(limit)), headers).status,
                200,
                "at the limit",
            )
            answer = client.request("POST", API + "/events", send(body_of_size(limit + 1)), headers)
            body = refused(answer, 413, "body_too_large", "Failed to buffer the request body")
            equal(body.get("limit"), limit, f"limit in {body}")
            answer = client.request("POST", API + "/events", send(b"x" * (limit * 50)), headers)
            refused(answer, 413, "body_too_large")
            check(client.healthy(), "healthy")
        equal(client.query()["count"], 2, "events")


@slow
def test_the_default_limit_of_a_request_is_64_mib():
    client = fresh()
    line = to_json(event(payload={"p": "x" * 900_000}))
    count = (64 << 20) // (len(line) + 1)
    body = b"\n".join([line] * count)
    body += b" " * ((64 << 20) - len(body))
    answer = client.post(API + "/events/batch", body, {"Content-Type": NDJSON_TYPE}, ack="summary")
    equal((answer.status, answer.json["count"]), (200, count), f"at 64 MiB {answer}")
    refused(
        client.post(API + "/events/batch", body + b" ", {"Content-Type": NDJSON_TYPE}),
        413,
        "body_too_large",
    )
    equal(client.stats()["total_events"], count, "events")


def test_a_content_length_that_is_too_big_is_refused_before_the_body():
    for length in (b"67108865", b"99999999999", b"9223372036854775807", b"18446744073709551615"):
        head = POST + b"Content-Length: " + length + b"\r\n\r\n"
        received = raw_exchange(shared_server(), head, close_write=False)
        status = int(received.split()[1])
        check(status in (400, 413), f"status {status} for {length}")


def test_a_batch_may_have_as_many_events_as_the_limit_and_not_one_more():
    with Server("--max-batch-events", "10") as server:
        client = server.client()
        for count, status in ((10, 200), (11, 413), (5000, 413)):
            events = [event(payload={"n": n}) for n in range(count)]
            answers = [
                client.try_batch(events), client.try_batch({"events": events}),
                client.post(
                    API + "/events/batch", to_ndjson(events), {"Content-Type": NDJSON_TYPE}
                ),
            ]
            for answer in answers:
                equal(answer.status, status, f"{count} events {answer}")
                if status == 413:
                    equal(refused(answer, 413, "too_large").get("limit"), 10, "limit")
        equal(client.query()["count"], 30, "events")


@slow
def test_the_default_limit_of_a_batch_is_100000_events():
    client = fresh()
    line = to_json(event())
    body = b"[" + b",".join([line] * 100_000) + b"]"
    answer = client.post(API + "/events/batch", body, ack="summary")
    equal((answer.status, answer.json["last_position"]), (200, 100_000), f"100,000 events {answer}")
    refused(client.post(API + "/events/batch", body[:-1] + b"," + line + b"]"), 413, "too_large")
    equal(client.stats()["total_events"], 100_000, "events")


def test_an_append_may_have_100_conditions_and_not_101():
    client = fresh()
    condition = {"entity_id": "nobody", "after_position": 0}
    equal(
        client.try_batch({"events": [event()], "conditions": [condition] * 100}).status, 200, "100"
    )
    refused(
        client.try_batch({"events": [event()], "conditions": [condition] * 101}), 413, "too_large"
    )


def test_a_uri_that_is_too_long_is_414_and_headers_that_are_too_big_431():
    client = fresh()
    equal(client.get("/health", color="x" * 4000).status, 200, "a URI of 4,000 bytes")
    for size in (70_000, 1 << 20):
        check(
            client.get("/health", color="x" * size).status in (414, 431), f"a URI of {size} bytes"
        )
        client.close()
    equal(client.get("/health", {"X-Big": "x" * 4000}).status, 200, "a header of 4,000 bytes")
    for headers in ({"X-Big": "x" * 70_000}, {f"X-{n}": "y" * 50 for n in range(3000)}):
        check(client.get("/health", headers).status in (413, 431), "big headers")
        client.close()
    check(client.healthy(), "healthy")


def test_connections_are_limited_and_freed():
    with Server("--max-connections", "20") as server:
        links = []
        for _ in range(20):
            with contextlib.suppress(OSError):
                links.append(socket.create_connection(server.address, 5))
        for link in links:
            with contextlib.suppress(OSError):
                link.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                link.recv(4096)
        with contextlib.suppress(OSError):  # over the limit: refused or left waiting, never a crash
            extra = socket.create_connection(server.address, 1)
            extra.close()
        for link in links:
            link.close()
        check(server.alive(), "the server lives")
        def served():
            with contextlib.suppress(OSError, AssertionError):
                return server.client().healthy()
            return False

        eventually(served, "connections are served again")


def test_a_silent_connection_is_closed_after_the_idle_time():
    with Server("--idle-timeout", "1") as server:
        with socket.create_connection(server.address, 15) as link:
            equal(link.recv(10), b"", "what a silent connection gets")
        with socket.create_connection(server.address, 15) as link:
            link.sendall(b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Le")
            received = link.recv(1000)
            check(
                received == b"" or b" 408 " in received.split(b"\r\n")[0],
                f"after half a head: {received}",
            )


# ---- Raw nonsense

HOST = b"Host: x\r\n"
POST = (
    b"POST /api/v1/events HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: application/json\r\nX-Tenant-ID: smuggled\r\n"
)
BODY = to_json(event("smuggled"))
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

NONSENSE = [
    ("nothing", b""),
    ("line feeds", b"\r\n\r\n\r\n"),
    ("zeros", b"\0" * 1000),
    ("high bytes", b"\xff" * 1000),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 300),
    ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("HTTP/0.9", b"GET /health\r\n\r\n"),
    ("another protocol", b"GET /health HTPT/1.1\r\n" + HOST + b"\r\n"),
    ("HTTP/1.1 in lower case", b"GET /health http/1.1\r\n" + HOST + b"\r\n"),
    ("HTTP/3.0", b"GET /health HTTP/3.0\r\n" + HOST + b"\r\n"),
    ("a method with a space before it", b" GET /health HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a NUL in the path", b"GET /hea\0lth HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a path that does not begin with a slash", b"GET health HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("no Host", b"GET /health HTTP/1.1\r\n\r\n"),
    ("two Hosts", b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("a header without a colon", b"GET /health HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n"),
    (
        "a header with a space before its colon",
        b"GET /health HTTP/1.1\r\n" + HOST + b"X-A : b\r\n\r\n",
    ),
    ("a header without a name", b"GET /health HTTP/1.1\r\n" + HOST + b": b\r\n\r\n"),
    ("a NUL in a header", b"GET /health HTTP/1.1\r\n" + HOST + b"X-A: a\0b\r\n\r\n"),
    ("a folded header", b"GET /health HTTP/1.1\r\n" + HOST + b"X-A: a\r\n b\r\n\r\n"),
    ("two lengths that differ", POST + LENGTH + b"Content-Length: 3\r\n\r\n" + BODY),
    ("two lengths in one", POST + b"Content-Length: 3, 5\r\n\r\n" + BODY),
    (
        "a length and chunks",
        POST + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunked([BODY])) + NEXT,
    ),
    (
        "chunks and a length",
        POST + b"Transfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + b"".join(
            chunked([BODY])
        ) + NEXT,
    ),
    ("an encoding nobody knows", POST + b"Transfer-Encoding: zipped\r\n\r\n" + BODY),
    (
        "chunked twice",
        POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + b"".join(chunked([BODY])),
    ),
    (
        "chunked but not last",
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + b"".join(chunked([BODY])),
    ),
    ("a negative length", POST + b"Content-Length: -1\r\n\r\n" + BODY),
    ("a length with a plus", POST + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY),
    ("a length in hexadecimal", POST + b"Content-Length: 0x10\r\n\r\n" + BODY),
    ("a length that is a word", POST + b"Content-Length: many\r\n\r\n" + BODY),
    ("an empty length", POST + b"Content-Length: \r\n\r\n" + BODY),
    ("a length with a space in it", POST + b"Content-Length: 1 0\r\n\r\n" + BODY),
    (
        "a chunk size that is a word",
        POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n" + BODY + b"\r\n0\r\n\r\n",
    ),
    (
        "a negative chunk size",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n" + BODY + b"\r\n0\r\n\r\n",
    ),
    (
        "a chunk size beyond 64 bits",
        POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + BODY,
    ),
    (
        "a chunk that is longer than it says",
        POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\n" + BODY + b"\r\n0\r\n\r\n",
    ),
    ("a body that ends early", POST + b"Content-Length: 5000\r\n\r\n" + BODY),
    (
        "chunks that end early",
        POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n",
    ),
    (
        "an upgrade to nowhere",
        b"GET /health HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: nowhere\r\n\r\n",
    ),
    ("CONNECT", b"CONNECT example:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("TRACE", b"TRACE /health HTTP/1.1\r\n" + HOST + b"\r\n"),
]
FRAMING = {  # the library underneath refuses these before a handler is asked
    "no Host", "two lengths in one", "a negative length", "a length with a plus",
    "a length in hexadecimal",
    "a length that is a word", "an empty length", "a length with a space in it",
}
HARMLESS = {  # may be served: what is wrong with them changes nothing
    "line feeds", "an upgrade to nowhere", "HTTP/3.0",
}


def provoke(server, index):
    """Sends one piece of nonsense to a tenant of its own; gives what is wrong with the reaction."""
    what, data = NONSENSE[index]
    received = raw_exchange(server, data.replace(b": smuggled", b": smuggled-%d" % index))
    statuses = [int(part.split()[0]) for part in received.split(b"HTTP/1.1 ")[1:]]
    if statuses and what in FRAMING:
        statuses = statuses[-1:]  # how they are answered is the next test's matter
    if server.client(f"smuggled-{index}").query()["count"]:
        return f"{what}: an event was stored"
    if len(statuses) > 1 and what != "line feeds":
        return f"{what}: {len(statuses)} answers {statuses}"
    if any(status < 400 for status in statuses) and what not in HARMLESS:
        return f"{what}: {statuses}"
    return None


def test_raw_nonsense_stores_nothing_smuggles_nothing_and_leaves_the_server_healthy():
    with Server("--idle-timeout", "1") as server:
        complaints = in_parallel(len(NONSENSE), lambda index: provoke(server, index))
        complaints = [complaint for complaint in complaints if complaint]
        check(not complaints, "; ".join(complaints))
        check(server.client().healthy(), "healthy")


def test_broken_framing_is_refused_and_ends_the_connection():
    """What follows must not be read as a request. The words are the library's (ADR 0003)."""
    for what, data in NONSENSE:
        if what in FRAMING:
            received = raw_exchange(shared_server(), data + NEXT, close_write=False)
            check(received.startswith(b"HTTP/1.1 400 "), f"{what}: {received}")
            check(b"/smuggled" not in received and b" 404 " not in received, f"{what}: {received}")
            check(b"connection: close" in received.lower(), f"{what}: {received}")


def test_line_feeds_alone_never_split_a_request():
    """Bare line feeds must be refused, or read as ends of lines, but never let a second one in."""
    with Server() as server:
        for data in (POST.replace(b"\r\n", b"\n") + LENGTH.replace(b"\r\n", b"\n") + b"\n" + BODY,
                     b"GET /health HTTP/1.1\nHost: x\n\n",
                     b"GET /health HTTP/1.1\r\n" + HOST + b"X-A: b\n\r\n",
                     POST + b"X-A: b\nContent-Length: 0\r\n" + LENGTH + b"\r\n" + BODY):
            received = raw_exchange(server, data)
            check(received.count(b"HTTP/1.1 ") <= 1, f"answers to {data}: {received}")
            check(
                not received or received.split()[1].startswith(b"4"),
                f"a bare line feed in {data}: {received[:60]}",
            )
        check(server.client().healthy(), "healthy")


def test_random_bytes_and_broken_requests_leave_the_server_healthy():
    dice = random.Random(12)
    seeds = [
        POST + LENGTH + b"\r\n" + BODY,
        b"GET /api/v1/events/query?entity_id=a HTTP/1.1\r\n" + HOST + b"\r\n",
    ]
    with Server() as server:
        for round_number in range(1000):
            data = bytearray(dice.choice(seeds))
            for _ in range(dice.randrange(1, 6)):
                at = dice.randrange(len(data))
                choice = dice.randrange(3)
                if choice == 0:
                    data[at] = dice.randrange(256)
                elif choice == 1:
                    del data[at : at + dice.randrange(1, 9)]
                else:
                    data[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 9)))
                data = data or bytearray(b"x")
            with socket.create_connection(server.address, 10) as link:
                with contextlib.suppress(ConnectionError):
                    link.sendall(data)
                    link.shutdown(socket.SHUT_WR)
                    select.select([link], [], [], 0.01)  # most are answered; what is cut off is not
            if round_number % 100 == 99:
                check(server.client().healthy(), f"healthy after round {round_number}")
        stored = server.client("smuggled").events() + server.client().events()
        equal(len({one["id"] for one in stored}), len(stored), "different ids")


def test_a_request_that_comes_byte_by_byte_is_served():
    with socket.create_connection(shared_server().address, 10) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            link.sendall(bytes([byte]))
        received = b""
        while piece := link.recv(4096):
            received += piece
    check(received.startswith(b"HTTP/1.1 200 "), f"answer {received}")


def test_expect_100_continue_is_honoured():
    tenant = fresh().tenant
    head = POST.replace(
        b"smuggled", tenant.encode()
    ) + LENGTH + b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
    with socket.create_connection(shared_server().address, 10) as link:
        link.sendall(head)
        equal(link.recv(12)[:12], b"HTTP/1.1 100", "the interim answer")
        link.sendall(BODY)
        received = b""
        while piece := link.recv(4096):
            received += piece
    check(b"HTTP/1.1 200 " in received, f"answer {received}")


# ---- Options of the program


def run_server(*words):
    """Runs the program to its end; gives exit code and what it said."""
    done = subprocess.run([server_path(), *words], capture_output=True, timeout=20, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_options_that_are_wrong_end_the_program_with_2_and_a_reason():
    with tempfile.TemporaryDirectory() as directory:
        base = ["--data-dir", directory, "--listen", "127.0.0.1:0"]
        for words, reason in (
            (["--no-such-option", "1"], "no-such-option"),
            (["--max-tenants", "0"], "max-tenants"),
            (["--max-tenants", "many"], "max-tenants"),
            (["--durability", "sometimes"], "durability"),
            (["--durability", "interval:x"], "durability"),
            (["--log-level", "loud"], "log-level"),
            (["--max-event-bytes", "1"], "max-event-bytes"),
            (["stray"], "stray"),
            (["--data-dir"], "data-dir"),
        ):
            code, said = run_server(*base, *words)
            check(code in (1, 2), f"exit code {code} of {words}: {said}")
            check(reason in said, f"{reason} in {said}")


def test_an_address_beyond_this_machine_needs_insecure():
    with tempfile.TemporaryDirectory() as directory:
        for address in ("0.0.0.0:0", "[::]:0"):
            code, said = run_server("--data-dir", directory, "--listen", address)
            check(code in (1, 2), f"exit code {code} for {address}")
            check("insecure" in said, f"the way out in {said}")


def test_an_address_that_is_taken_ends_the_program_with_a_reason():
    with Server() as server, tempfile.TemporaryDirectory() as directory:
        host, port = server.address
        code, said = run_server("--data-dir", directory, "--listen", f"{host}:{port}")
        equal(code, 1, f"exit code; it said {said}")
        check(str(port) in said, f"the address in {said}")


def test_help_and_version_are_told():
    code, said = run_server("--help")
    equal(code, 0, "exit code of --help")
    for word in ("--data-dir", "--listen", "--durability"):
        check(word in said, f"{word} in {said}")
    equal(run_server("--version")[0], 0, "exit code of --version")


def test_files_of_a_data_directory_are_the_owners_alone():
    with Server() as server:
        server.client().append("a")
        for folder, folders, files in os.walk(server.directory):
            for name in folders + files:
                mode = os.stat(os.path.join(folder, name)).st_mode & 0o077
                equal(mode, 0, f"rights of others on {name}")


def open_files(server):
    """What the process has open in the file system of temporary files."""
    folder = f"/proc/{server.process.pid}/fd"
    targets = []
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            targets.append(os.readlink(os.path.join(folder, name)))
    return [target for target in targets if target.startswith(tempfile.gettempdir() + "/")]


def test_an_ephemeral_server_leaves_nothing_behind():
    with Server("--ephemeral") as server:
        server.client().append("a")
        equal(server.client().query()["count"], 1, "count")
        files = open_files(server)
        check(any(os.path.exists(path) for path in files), f"where it keeps its data: {files}")
        server.stop()
        check(not [path for path in files if os.path.exists(path)], f"left behind: {files}")
        equal(os.listdir(server.directory), [], "the data directory")


def test_errors_are_one_json_object_whatever_went_wrong():
    client = fresh()
    answers = [
        client.get("/nowhere"),
        client.request("DELETE", "/health"),
        client.get(API + "/events/query", limit="x"),
        client.post(API + "/events", b"{"),
        client.post(API + "/events", {}),
        client.try_append(**event("")),
        client.request("POST", API + "/events", b"{}", {"Content-Type": "text/plain"}),
        client.get(API + "/entities/x/state"),
        client.get(API + "/events/x"),
    ]
    for answer in answers:
        body = refused(answer, answer.status, None)
        check(
            isinstance(read_json(answer.body), dict) and len(body["error"]) < 600, f"body {answer}"
        )
        equal(answer.headers["content-length"], str(len(answer.body)), "content-length")

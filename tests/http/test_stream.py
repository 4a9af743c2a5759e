# SPDX-License-Identifier: Apache-2.0
"""Streams: WebSocket and Server-Sent Events, filters, resuming, slow readers, bad frames."""

import itertools
import socket
import struct
import threading

from harness import (
    API,
    Server,
    check,
    equal,
    event,
    eventually,
    fresh,
    in_parallel,
    raw_exchange,
    read_json,
    refused,
    shared_server,
    slow,
)
from streams import BINARY, CLOSE, PING, PONG, TEXT, EventSource, Refused, WebSocket

GOING_AWAY, PROTOCOL, BAD_DATA, TOO_BIG, TRY_AGAIN = 1001, 1002, 1007, 1009, 1013


def open_stream(client, **parameters):
    """A WebSocket that is live: what is appended from now on must come."""
    stream = WebSocket(client.server, client.tenant, **parameters)
    if "from_position" not in parameters:
        stream.settle()
    return stream


# ---- Live


def test_a_stream_gives_every_event_in_order_as_the_query_does():
    client = fresh()
    with open_stream(client) as stream:
        for number in range(50):
            client.append(f"e{number % 3}", payload={"n": number})
        client.batch([event("b", payload={"n": n}) for n in range(50, 100)])
        equal(stream.take(100), client.events(), "events")
        equal(stream.settle(), [], "further frames")


def test_without_from_position_nothing_old_comes():
    client = fresh()
    client.append("old")
    with open_stream(client) as stream:
        client.append("new")
        equal(stream.event()["entity_id"], "new", "first event")


def test_filters_may_stand_in_the_query_string():
    client = fresh()
    filters = [
        ({"entity_id": "a"}, lambda e: e["entity_id"] == "a"),
        ({"event_type": "x.one"}, lambda e: e["event_type"] == "x.one"),
        ({"event_type": "x.*"}, lambda e: e["event_type"].startswith("x.")),
        ({"event_type": ["x.one", "y.one"]}, lambda e: e["event_type"] in ("x.one", "y.one")),
        (
            {"entity_id": "b", "event_type": "y.one"},
            lambda e: (e["entity_id"], e["event_type"]) == ("b", "y.one"),
        ),
    ]
    streams = [open_stream(client, **parameters) for parameters, _ in filters]
    for entity, event_type in itertools.product("abc", ("x.one", "x.two", "y.one")):
        client.append(entity, event_type)
    stored = client.events()
    for stream, (parameters, passes) in zip(streams, filters):
        expected = [one for one in stored if passes(one)]
        equal(stream.take(len(expected)), expected, f"events of {parameters}")
        equal(stream.settle(), [], f"further frames of {parameters}")
        stream.end()


def test_a_message_replaces_the_whole_filter():
    client = fresh()
    with open_stream(client, entity_id="a") as stream:
        stream.send_json({"event_type": "x.one"})
        stream.settle()
        client.append("b", "x.one")
        client.append("a", "x.two")
        equal([stream.event()["entity_id"]] + stream.settle(), ["b"], "by type")
        stream.send_json({"entity_id": "a", "event_type": "x.two", "unknown": 1})
        stream.settle()
        client.append("a", "x.one")
        client.append("a", "x.two")
        equal([stream.event()["event_type"]] + stream.settle(), ["x.two"], "by both")
        stream.send_json({})
        stream.settle()
        client.append("z", "z.one")
        equal(stream.event()["entity_id"], "z", "no filter")
        stream.send_json({"entity_id": "q"})
        stream.send_json({"entity_id": None, "event_type": None})
        stream.settle()
        client.append("y", "y.one")
        equal(stream.event()["entity_id"], "y", "nulls are no filter")


def test_what_is_no_filter_message_is_ignored():
    client = fresh()
    with open_stream(client, entity_id="a") as stream:
        for opcode, data in (
            (TEXT, b"hello"), (TEXT, b""), (TEXT, b"[1]"), (TEXT, b"7"),
            (BINARY, b'{"entity_id":"b"}'), (BINARY, b"\xff\x00"),
        ):
            stream.send(opcode, data)
        stream.settle()
        client.append("b")
        client.append("a")
        equal(stream.event()["entity_id"], "a", "the filter stays")


def test_a_filter_message_may_come_in_fragments():
    client = fresh()
    with open_stream(client) as stream:
        text = b'{"entity_id":"\xc3\xa9"}'
        for index in range(len(text)):
            stream.send(
                TEXT if index == 0 else 0, text[index : index + 1], final=index == len(text) - 1
            )
            if index == 3:
                stream.send(PING, b"between fragments")
        opcode, _, data = stream.frame()
        equal((opcode, data), (PONG, b"between fragments"), "pong")
        stream.settle()
        client.append("e")
        client.append("é")
        equal(stream.event()["entity_id"], "é", "entity")


def test_tenants_have_streams_of_their_own():
    one, two = fresh(), fresh()
    with open_stream(one) as stream_one, open_stream(two) as stream_two:
        two.append("b")
        one.append("a")
        equal([stream_one.event()["entity_id"]] + stream_one.settle(), ["a"], "of one")
        equal([stream_two.event()["entity_id"]] + stream_two.settle(), ["b"], "of two")
    with WebSocket(one.server, None, tenant_id=one.tenant, from_position=0) as stream:
        equal(stream.event()["tenant_id"], one.tenant, "tenant by parameter")


# ---- Catching up


def test_from_position_0_gives_all_from_the_beginning_and_then_goes_live():
    client = fresh()
    client.batch([event("a", payload={"n": n}) for n in range(500)], ack="summary")
    with open_stream(client, from_position=0) as stream:
        equal([one["position"] for one in stream.take(500)], list(range(1, 501)), "old")
        client.append("a")
        equal(stream.event()["position"], 501, "live")


def test_from_position_gives_what_is_behind_it():
    client = fresh()
    client.batch([event("a") for n in range(20)], ack="summary")
    for position in (1, 7, 19):
        with open_stream(client, from_position=position) as stream:
            equal(stream.event()["position"], position + 1, f"first event from {position}")
    with open_stream(client, from_position=20) as stream:
        equal(stream.settle(), [], "nothing is behind the last")
        client.append("a")
        equal(stream.event()["position"], 21, "the next")


def test_a_filter_holds_while_catching_up_too():
    client = fresh()
    client.batch([event("ab"[n % 2], f"t.n{n % 3}") for n in range(300)], ack="summary")
    with open_stream(client, from_position=100, entity_id="a", event_type="t.n1") as stream:
        client.batch([event("ab"[n % 2], f"t.n{n % 3}") for n in range(300)], ack="summary")
        expected = client.positions(entity_id="a", event_type="t.n1", after_position=100)
        equal([one["position"] for one in stream.take(len(expected))], expected, "positions")
        equal(stream.settle(), [], "further frames")


@slow
def test_catching_up_meets_live_without_gap_or_duplicate_under_concurrent_appends():
    client = fresh()
    total, readers = 6 * 400, 10
    starts = [0, 1, 50, 0, 400, 3, 0, 1000, 0, 17]
    begun = threading.Barrier(6 + readers)

    def run(index):
        begun.wait()
        if index < 6:
            link = client.twin()
            for number in range(100):
                link.batch(
                    [event(f"e{index}", payload={"n": number}) for _ in range(4)], ack="summary"
                )
            return None
        start = starts[index - 6]
        link = client.twin()
        link.query(min_position=(index - 6) * 200, timeout_ms=20000, limit=0)
        with WebSocket(client.server, client.tenant, from_position=start) as stream:
            return start, [one["position"] for one in stream.take(total - start)], stream.settle()

    for start, positions, rest in in_parallel(6 + readers, run)[6:]:
        equal(positions, list(range(start + 1, total + 1)), f"positions from {start}")
        equal(rest, [], "further frames")


def test_a_stream_that_is_cut_is_resumed_at_the_last_position():
    client = fresh()
    seen, last = [], 0
    for round_number in range(20):
        client.batch([event("a") for _ in range(round_number)] + [event("b")], ack="summary")
        with open_stream(client, from_position=last) as stream:
            for one in stream.take(1 + round_number // 2):
                seen.append(one["position"])
                last = one["position"]
    count = client.stats()["total_events"]
    with open_stream(client, from_position=last) as stream:
        seen += [one["position"] for one in stream.take(count - last)]
    equal(seen, list(range(1, count + 1)), "positions")


def test_a_stream_survives_the_restart_of_the_server_by_resuming():
    with Server() as server:
        client = server.client()
        client.batch([event("a") for _ in range(10)])
        stream = WebSocket(server, from_position=0)
        equal(len(stream.take(10)), 10, "events")
        server.stop()
        equal(stream.drain(), GOING_AWAY, "close code of a server that stops")
        stream.end()
        server.start()
        with WebSocket(server, from_position=10) as stream:
            server.client().append("a")
            equal(stream.event()["position"], 11, "next position")


def test_a_stream_of_a_tenant_that_is_not_there_waits_for_it():
    client = fresh()
    with open_stream(client, from_position=0) as stream:
        client.append("a")
        equal(stream.event()["position"], 1, "position")


def test_a_position_ahead_of_the_log_is_waited_for():
    client = fresh()
    client.append("a")
    with open_stream(client, from_position=3) as stream:
        stream.settle()
        client.batch([event("a") for _ in range(4)])
        equal(stream.event()["position"], 4, "first position")


# ---- Slow readers


def test_a_slow_reader_gets_every_event():
    client = fresh()
    padding = "x" * 4000
    with WebSocket(client.server, client.tenant, receive_buffer=4096, from_position=0) as stream:
        first = None
        for start in range(0, 5000, 250):
            client.batch(
                [event("a", payload={"n": start + n, "p": padding}) for n in range(250)],
                ack="summary",
            )
            first = first or stream.event()
        positions = [first["position"]] + [one["position"] for one in stream.take(4999)]
        equal(positions, list(range(1, 5001)), "positions")


def test_a_reader_that_does_not_read_at_all_is_closed_with_1013_and_stalls_nobody():
    with Server("--stream-stall-timeout", "300") as server:
        client = server.client()
        with WebSocket(server, receive_buffer=4096) as stalled, WebSocket(server) as good:
            good.settle()
            padding = "x" * 50_000
            for number in range(400):
                client.append("a", payload={"n": number, "p": padding})
                equal(good.event()["payload"]["n"], number, "the other reader")
            wait_for_metric(client, "websocket_errors_total", 1)
            # What was on its way is read first; the last thing is the close frame.
            positions = []
            while (data := stalled.message()) is not None:
                positions.append(read_json(data)["position"])
            equal(stalled.close_code, TRY_AGAIN, "close code")
            equal(positions, list(range(1, len(positions) + 1)), "what it got")
            wait_for_metric(client, "websocket_connections_active", 1)


def wait_for_metric(client, metric, value):
    eventually(lambda: client.metric(metric) == value, f"{metric} is {value}", 20)


def test_streams_are_counted():
    with Server("--max-streams", "3") as server:
        client = server.client()
        streams = [WebSocket(server) for _ in range(3)]
        wait_for_metric(client, "websocket_connections_active", 3)
        try:
            WebSocket(server)
            raise AssertionError("a fourth stream was opened")
        except Refused as refusal:
            refused(refusal.answer, 503, None)
        for stream in streams:
            stream.end()
        wait_for_metric(client, "websocket_connections_active", 0)
        WebSocket(server).end()


def test_the_server_pings_and_closes_who_does_not_answer():
    with Server("--stream-ping", "100") as server:
        with WebSocket(server) as stream:
            opcode, _, data = stream.frame()
            equal(opcode, PING, "first frame of an idle stream")
            stream.send(PONG, data)
            check(len(data) <= 125, "size of a ping")
            while opcode == PING:
                opcode, _, data = stream.frame()
            equal(opcode, CLOSE, "frame after unanswered pings")


# ---- The handshake and bad frames


def handshake(**changes):
    headers = {
        "Host": "localhost",
        "Connection": "keep-alive, Upgrade",
        "Upgrade": "WebSocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return f"GET {API}/events/stream HTTP/1.1\r\n".encode() + "\r\n".join(
        lines
    ).encode() + b"\r\n\r\n"


def test_the_handshake_is_that_of_the_rfc():
    with socket.create_connection(shared_server().address, 10) as link:
        link.sendall(handshake())
        received = b""
        while not received.endswith(b"\r\n\r\n"):
            received += link.recv(4096)
        check(received.startswith(b"HTTP/1.1 101 "), f"status line {received}")
        check(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in received, "the accept key of the RFC's example")
        check(b"sec-websocket-extensions" not in received.lower(), "no extension was asked for")


def test_upgrades_without_the_proper_headers_are_refused_by_name():
    for changes, statuses, word in (
        ({"Connection": "keep-alive"}, (400, 426), "connection"),
        ({"Upgrade": None}, (400, 426), "upgrade"),
        ({"Upgrade": "h2c"}, (400, 426), "upgrade"),
        ({"Sec_WebSocket_Version": "8"}, (400, 426), "sec-websocket-version"),
        ({"Sec_WebSocket_Version": None}, (400, 426), "sec-websocket-version"),
        ({"Sec_WebSocket_Key": None}, (400,), "sec-websocket-key"),
        ({"Sec_WebSocket_Key": "short"}, (400,), "sec-websocket-key"),
    ):
        received = raw_exchange(shared_server(), handshake(**changes))
        head, _, body = received.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        check(status in statuses, f"status {status} for {changes}")
        check(word in read_json(body)["error"].lower(), f"{word} in {body}")
        if status == 426:
            check(b"sec-websocket-version: 13" in head.lower(), f"the version we speak in {head}")
    answer = fresh().get(API + "/events/stream")
    check(answer.status in (400, 426), f"a plain GET: {answer}")
    refused(answer, answer.status, None)


def test_wrong_parameters_of_a_stream_are_refused_before_the_upgrade():
    for name, value in (("from_position", "-1"), ("from_position", "x"), ("entity_id", ["a", "b"])):
        try:
            WebSocket(shared_server(), **{name: value})
            raise AssertionError(f"{name}={value} was accepted")
        except Refused as refusal:
            refused(refusal.answer, 400, "bad_parameter", name)


def test_frames_that_the_rfc_forbids_end_the_stream_with_the_right_code():
    def raw(data):
        return lambda stream: stream.socket.sendall(data)

    def sends(opcode, data=b"", **how):
        return lambda stream: stream.send(opcode, data, **how)

    cases = [
        ("a reserved bit", sends(TEXT, b"{}", reserved=4), PROTOCOL),
        ("a reserved opcode", sends(3, b"{}"), PROTOCOL),
        ("a reserved control opcode", sends(11), PROTOCOL),
        ("an unmasked frame", sends(TEXT, b"{}", masked=False), PROTOCOL),
        ("a fragmented ping", sends(PING, b"", final=False), PROTOCOL),
        ("a ping of 126 bytes", sends(PING, b"x" * 126), PROTOCOL),
        ("a continuation of nothing", sends(0, b"{}"), PROTOCOL),
        (
            "a message within a message",
            lambda s: (s.send(TEXT, b"{", final=False), s.send(TEXT, b"}")), PROTOCOL,
        ),
        ("a close of one byte", sends(CLOSE, b"\x03"), PROTOCOL),
        ("a close with a code nobody may send", sends(CLOSE, struct.pack(">H", 1005)), PROTOCOL),
        ("text that is not UTF-8", sends(TEXT, b"\xc3\x28"), BAD_DATA),
        ("a message that is too big", sends(TEXT, b" " * (17 << 20)), TOO_BIG),
        ("a length of 2^63", raw(b"\x81\xff" + b"\xff" * 8 + b"\0" * 4), (PROTOCOL, TOO_BIG)),
        ("a polite close", sends(CLOSE, struct.pack(">H", 1000) + b"bye"), 1000),
        ("a close without a code", sends(CLOSE), (1000, 1005)),
    ]
    for what, act, code in cases:
        with WebSocket(shared_server(), fresh().tenant) as stream:
            try:
                act(stream)
            except OSError:
                pass  # it may be closed while the big one is still being sent
            try:
                got = stream.drain()
            except (ConnectionResetError, BrokenPipeError):
                check(code == TOO_BIG, f"reset after {what}")
                continue
            check(
                got in (code if isinstance(code, tuple) else (code,)),
                f"{what}: closed with {got}, expected {code}",
            )


def test_pings_are_answered_with_their_data():
    with WebSocket(shared_server(), fresh().tenant) as stream:
        for data in (b"", b"x", b"y" * 125):
            stream.send(PING, data)
            equal(stream.frame(), (PONG, True, data), "pong")


def test_clients_that_vanish_are_forgotten():
    with Server() as server:
        for _ in range(20):
            stream = WebSocket(server)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.end()
        client = server.client()
        client.append("a")
        wait_for_metric(client, "websocket_connections_active", 0)
        equal(client.metric("websocket_connections_total"), 20, "total")


# ---- Server-Sent Events


def test_server_sent_events_carry_position_and_event():
    client = fresh()
    client.batch([event("a", payload={"text": "line\nfeed"}) for _ in range(5)])
    with EventSource(client.server, client.tenant, from_position=0) as source:
        got = source.take(5)
        equal([identity for identity, _ in got], ["1", "2", "3", "4", "5"], "ids")
        equal([one for _, one in got], client.events(), "events")
        client.append("b")
        equal(source.event()[1]["entity_id"], "b", "live")


def test_last_event_id_resumes_without_gap_or_duplicate():
    client = fresh()
    client.batch([event("a") for _ in range(30)])
    seen, last = [], "0"
    for size in (1, 4, 9, 16):
        with EventSource(client.server, client.tenant, last_event_id=last) as source:
            for last, one in source.take(size):
                seen.append(one["position"])
    equal(seen, list(range(1, 31)), "positions")


def test_streams_that_are_cut_while_they_wait_leave_a_server_that_answers_and_stops():
    with Server("--shutdown-timeout", "2000") as server:
        server.client().batch([event("a") for _ in range(30)])
        for first, count in ((0, 1), (1, 4), (5, 9), (14, 16)):
            with EventSource(server, last_event_id=str(first)) as source:
                source.take(count)
        equal([server.client().healthy() for _ in range(8)], [True] * 8, "answers")
        server.restart()
        for entity in ("a", "b", None):
            with WebSocket(server, from_position=10) as stream:
                stream.settle()
                for _ in range(3):  # a wait that is begun anew
                    stream.send_json({"entity_id": entity})
                    stream.settle()
        equal([server.client().append("a")["version"] for _ in range(3)], [31, 32, 33], "versions")


def test_last_event_id_wins_over_from_position():
    client = fresh()
    client.batch([event("a") for _ in range(10)])
    with EventSource(client.server, client.tenant, last_event_id="8", from_position=2) as source:
        equal(source.event()[0], "9", "id")


def test_server_sent_events_are_filtered():
    client = fresh()
    client.batch([event("ab"[n % 2], f"t.n{n % 3}") for n in range(60)])
    with EventSource(
        client.server, client.tenant, from_position=0, entity_id="a", event_type="t.*"
    ) as source:
        expected = client.positions(entity_id="a")
        equal([one["position"] for _, one in source.take(len(expected))], expected, "positions")
        client.append("b", "t.n1")
        client.append("a", "u.n1")
        client.append("a", "t.n1")
        equal(source.event()[0], "63", "id")


def test_without_a_position_server_sent_events_are_live():
    client = fresh()
    client.append("old")
    with EventSource(client.server, client.tenant) as source:
        client.append("new")
        equal(source.event()[1]["entity_id"], "new", "first")


def test_wrong_parameters_of_server_sent_events_are_refused():
    client = fresh()
    for parameters, last in (({"from_position": "x"}, None), ({}, "x"), ({}, "-1")):
        try:
            EventSource(client.server, client.tenant, last_event_id=last, **parameters)
            raise AssertionError(f"{parameters} {last} was accepted")
        except Refused as refusal:
            refused(refusal.answer, 400, None)


def test_both_kinds_of_stream_agree():
    client = fresh()
    with WebSocket(client.server, client.tenant, from_position=0) as one:
        with EventSource(client.server, client.tenant, from_position=0) as other:
            client.batch([event(f"e{n}", payload={"n": n}) for n in range(200)], ack="summary")
            equal([data for _, data in other.take(200)], one.take(200), "events")

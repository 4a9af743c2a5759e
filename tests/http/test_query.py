# SPDX-License-Identifier: Apache-2.0
"""Queries: every filter on every path against a model, paging, waiting, NDJSON, big answers."""

import fnmatch
import itertools
import random
import threading
import time

from harness import (
    API,
    JSON_TYPE,
    NDJSON_TYPE,
    Server,
    alone,
    check,
    equal,
    event,
    fresh,
    instant,
    is_time,
    read_head,
    read_json,
    refuse_sanitizers,
    refused,
    shared_server,
    slow,
    to_json,
)

TYPES = ["order.placed", "order.paid", "order", "user.created", "order_x.made"]
ENTITIES = ["a", "b", "c"]
EVENTS = 120


def model():
    """Events whose times neither rise nor differ always."""
    dice = random.Random(7)
    return [
        {
            "event_type": dice.choice(TYPES),
            "entity_id": dice.choice(ENTITIES),
            "payload": {"n": number},
            "timestamp": instant(dice.randrange(40)),
        }
        for number in range(EVENTS)
    ]


_filled = {}


def filled():
    """A client of a tenant that holds the model; made once a process."""
    server = shared_server()
    if server not in _filled:
        client = fresh()
        client.batch(model())
        _filled[server] = client.tenant
    return server.client(_filled[server])


def expected_positions(parameters):
    """What a query must give, by looking at every event of the model."""
    types = parameters.get("event_type")
    types = [types] if isinstance(types, str) else types
    found = []
    for position, one in enumerate(model(), 1):
        at = one["timestamp"]
        found += [position] * (
            (types is None or any(fnmatch.fnmatchcase(one["event_type"], text) for text in types))
            and parameters.get("entity_id") in (None, one["entity_id"])
            and at >= parameters.get("since", "0")
            and at <= parameters.get("until", "9")
            and at <= parameters.get("as_of", "9")
            and position <= parameters.get("as_of_position", EVENTS)
            and position > parameters.get("after_position", 0)
            and position < parameters.get("before_position", EVENTS + 1)
        )
    if parameters.get("order") == "desc":
        found.reverse()
    found = found[parameters.get("offset", 0) :]
    return found[: parameters["limit"]] if "limit" in parameters else found


PATHS = [
    {},
    {"entity_id": "a"},
    {"entity_id": "nobody"},
    {"event_type": "order.paid"},
    {"event_type": "never.made"},
    {"event_type": "order*"},
    {"event_type": "order.*"},
    {"event_type": "*"},
    {"event_type": ["order", "user.created"]},
    {"event_type": ["order.*", "order.paid", "never.made"]},
    {"entity_id": "b", "event_type": "order.placed"},
    {"entity_id": "b", "event_type": "order*"},
    {"entity_id": "b", "event_type": ["order", "user.*"]},
]
FILTERS = [
    {},
    {"since": instant(20)},
    {"until": instant(20)},
    {"as_of": instant(20)},
    {"since": instant(10), "until": instant(30)},
    {"since": instant(15), "until": instant(15)},
    {"since": instant(30), "until": instant(10)},
    {"since": instant(5), "until": instant(35), "as_of": instant(25)},
    {"as_of_position": 50},
    {"as_of_position": 0},
    {"as_of_position": EVENTS * 10},
    {"after_position": 70},
    {"after_position": EVENTS},
    {"before_position": 30},
    {"before_position": 1},
    {"after_position": 30, "before_position": 32},
    {"after_position": 90, "before_position": 20},
    {"since": instant(10), "after_position": 40, "as_of_position": 110},
]
CUTS = [
    {},
    {"limit": 0},
    {"limit": 1},
    {"limit": 5},
    {"limit": EVENTS * 2},
    {"offset": 3},
    {"offset": 3, "limit": 4},
    {"offset": EVENTS},
]


def check_against_model(client, parameters):
    result = client.query(**parameters)
    equal(
        [e["position"] for e in result["events"]],
        expected_positions(parameters),
        f"positions of {parameters}",
    )
    whole = expected_positions({k: v for k, v in parameters.items() if k != "limit"})
    cut = 0 < len(result["events"]) < len(whole)
    equal("next_position" in result, cut, f"next_position of {parameters}")
    if cut:
        equal(result["next_position"], result["events"][-1]["position"], "next_position")


@slow
def test_every_filter_holds_on_every_path_and_in_both_orders():
    client = filled()
    for path, bounds, order in itertools.product(PATHS, FILTERS, [{}, {"order": "desc"}]):
        check_against_model(client, path | bounds | order)


@slow
def test_limit_and_offset_cut_what_the_filters_leave():
    client = filled()
    for path, bounds, cut, order in itertools.product(
        PATHS, FILTERS[:2] + FILTERS[8:9], CUTS, [{"order": "asc"}, {"order": "desc"}]
    ):
        check_against_model(client, path | bounds | cut | order)


def test_random_combinations_of_filters_agree_with_the_model():
    client, dice = filled(), random.Random(11)
    for _ in range(300):
        parameters = {}
        for part in (PATHS, FILTERS, FILTERS, CUTS, [{}, {"order": "desc"}]):
            parameters |= dice.choice(part)
        check_against_model(client, parameters)


def test_a_post_takes_the_same_filters_as_json():
    client = filled()
    for path, bounds, cut in itertools.product(PATHS, FILTERS[::3], CUTS[::2]):
        parameters = path | bounds | cut
        answer = client.post(API + "/events/query", parameters)
        equal(answer.status, 200, f"status of {parameters} {answer}")
        equal(
            answer.body,
            client.get(API + "/events/query", **parameters).body,
            f"answer to {parameters}",
        )


def test_a_post_ignores_unknown_members_and_nulls():
    client = filled()
    body = {"entity_id": "a", "since": None, "limit": None, "_complex_filter": {"x": [1]}}
    equal(client.post(API + "/events/query", body).json, client.query(entity_id="a"), "answer")


def test_a_post_of_a_wrong_shape_is_refused_with_the_field():
    client = filled()
    for name, value in (
        ("limit", -1), ("limit", "x"), ("limit", 1.5), ("since", "2025-01-01"), ("since", 5),
        ("entity_id", 7), ("entity_id", ["a"]), ("event_type", {}), ("event_type", [1]),
        ("order", "up"), ("offset", -1), ("after_position", "x"),
    ):
        body = refused(client.post(API + "/events/query", {name: value}), 422, "json_shape")
        equal(body.get("field"), name, f"field of {body}")
    for body in (b"[]", b"1", b"null"):
        refused(client.post(API + "/events/query", body), 422, "json_shape")
    refused(client.post(API + "/events/query", b"{"), 400, "json_syntax")


def test_parameters_that_are_no_values_are_refused_with_their_name():
    client = filled()
    for name in (
        "limit", "offset", "after_position", "before_position", "as_of_position", "min_position"
    ):
        for value in (
            "-1", "x", "1.0", "1e3", " 1", "1 ", "0x10", "18446744073709551616",
            "99999999999999999999999",
        ):
            body = refused(
                client.get(API + "/events/query", **{name: value}), 400, "bad_parameter", name
            )
            equal(body.get("field"), name, f"field of {body}")
    for value in ("up", "ASC", "descending"):
        refused(client.get(API + "/events/query", order=value), 400, "bad_parameter", "order")


def test_large_numbers_within_64_bits_are_values():
    client = filled()
    most = 18446744073709551615
    equal(client.query(limit=most)["count"], EVENTS, "limit")
    equal(client.query(after_position=most)["count"], 0, "after_position")
    equal(client.query(before_position=most)["count"], EVENTS, "before_position")
    equal(client.query(as_of_position=most)["count"], EVENTS, "as_of_position")
    equal(client.query(offset=most)["count"], 0, "offset")


def test_paging_by_next_position_gives_everything_exactly_once():
    client = filled()
    for path, size, order in itertools.product(PATHS, (1, 7, 50), ("asc", "desc")):
        found, bound = [], {}
        while True:
            page = client.query(**path, **bound, limit=size, order=order)
            found += [e["position"] for e in page["events"]]
            if "next_position" not in page:
                break
            name = "after_position" if order == "asc" else "before_position"
            bound = {name: page["next_position"]}
        equal(
            found, expected_positions(path | {"order": order}), f"pages of {size} of {path} {order}"
        )


def test_paging_by_offset_gives_everything_exactly_once():
    client = filled()
    for path in PATHS:
        pages = [
            client.positions(**path, limit=17, offset=offset)
            for offset in range(0, EVENTS + 17, 17)
        ]
        equal(sum(pages, []), expected_positions(path), f"pages of {path}")


def test_pages_stay_the_same_while_events_are_appended():
    client = fresh()
    client.batch([event("a", payload={"n": n}) for n in range(50)])
    found, after = [], 0
    while True:
        page = client.query(limit=7, after_position=after, as_of_position=50)
        found += [e["position"] for e in page["events"]]
        client.append("a")
        if "next_position" not in page:
            break
        after = page["next_position"]
    equal(found, list(range(1, 51)), "positions")


def test_as_of_position_is_exact_for_ever():
    client = fresh()
    bodies = []
    for number in range(10):
        client.append("a", payload={"n": number}, timestamp=instant(100 - number))
        bodies.append(client.get(API + "/events/query").body)
    for number, body in enumerate(bodies):
        equal(
            client.get(API + "/events/query", as_of_position=number + 1).body,
            body,
            f"at {number + 1}",
        )


def test_time_bounds_are_inclusive_to_the_microsecond():
    client = fresh()
    times = [
        "2024-05-05T10:00:00.000001Z", "2024-05-05T10:00:00.000002Z", "2024-05-05T10:00:00.000003Z"
    ]
    for at in times:
        client.append("a", timestamp=at)
    for path in ({}, {"entity_id": "a"}, {"event_type": "test.event"}, {"event_type": "test*"}):
        equal(client.positions(since=times[1], **path), [2, 3], f"since {path}")
        equal(client.positions(until=times[1], **path), [1, 2], f"until {path}")
        equal(client.positions(as_of=times[1], **path), [1, 2], f"as_of {path}")
        equal(client.positions(since=times[1], until=times[1], **path), [2], f"both {path}")
        equal(
            client.positions(since="2024-05-05T10:00:00.0000021Z", **path),
            [2, 3],
            "more digits are cut",
        )


def test_the_events_of_an_entity_are_the_query_by_entity():
    client = filled()
    for bounds, cut in itertools.product(FILTERS, CUTS[:4]):
        parameters = bounds | cut | {"event_type": "order*"}
        one = client.get(API + "/entities/b/events", **parameters)
        other = client.get(API + "/events/query", entity_id="b", **parameters)
        equal((one.status, one.body), (200, other.body), f"{parameters}")
    equal(
        client.get(API + "/entities/nobody/events").json,
        {"events": [], "count": 0},
        "an unknown entity",
    )


def test_ndjson_is_a_line_an_event_with_the_same_events():
    client = filled()
    for parameters in ({}, {"entity_id": "a"}, {"limit": 3}, {"event_type": "never.made"}):
        answer = client.get(API + "/events/query", {"Accept": NDJSON_TYPE}, **parameters)
        equal(answer.headers["content-type"], NDJSON_TYPE, "content type")
        equal(answer.lines, client.events(**parameters), f"events of {parameters}")
    answer = client.post(API + "/events/query", {"entity_id": "a"}, {"Accept": NDJSON_TYPE})
    equal(answer.lines, client.events(entity_id="a"), "by POST")
    for accept in ("application/json", "*/*", "text/html, application/json"):
        answer = client.get(API + "/events/query", {"Accept": accept})
        equal(answer.headers["content-type"], JSON_TYPE, f"Accept: {accept}")


def test_more_than_64_types_are_refused():
    client = filled()
    names = [f"type.n{n}" for n in range(63)] + ["order"]
    equal(
        client.positions(event_type=names),
        expected_positions({"event_type": ["order"]}),
        "64 types",
    )
    refused(
        client.get(API + "/events/query", event_type=names + ["user.created"]),
        400,
        "bad_parameter",
        "event_type",
    )


def test_a_star_is_a_prefix_only_at_the_end():
    client = filled()
    for text in ("*.placed", "or*er", "order.placed.*", "orders*"):
        equal(client.query(event_type=text)["count"], 0, text)


# ---- Waiting for a position


def test_min_position_that_is_there_does_not_wait():
    client = filled()
    equal(client.query(min_position=EVENTS, timeout_ms=0)["count"], EVENTS, "count")


def test_min_position_waits_for_the_append():
    client = fresh()
    client.append("a")
    results = []
    reader = client.twin()
    thread = threading.Thread(
        target=lambda: results.append(reader.positions(min_position=3, timeout_ms=20000))
    )
    thread.start()
    client.append("a")
    client.append("b")
    thread.join(25)
    equal(results, [[1, 2, 3]], "what the waiting reader saw")


def test_min_position_works_on_every_read():
    client = fresh()
    client.append("a", payload={"n": 1})
    found = client.events()[0]["id"]
    for path in (
        "/events/query", "/entities/a/events", "/entities/a/state", "/entities/a/snapshot",
        "/entities", "/event-types", "/stats", f"/events/{found}",
    ):
        equal(client.get(API + path, min_position=1).status, 200, path)
        refused(client.get(API + path, min_position=2, timeout_ms=10), 504, "timeout")


def test_min_position_that_does_not_come_is_504_in_time():
    client = filled()
    began = time.monotonic()
    refused(
        client.get(API + "/events/query", min_position=EVENTS + 1, timeout_ms=200),
        504,
        "timeout",
        "Timed out",
    )
    spent = time.monotonic() - began
    check(0.19 <= spent < 5, f"waited {spent:.3f} s for 200 ms")
    refused(client.get(API + "/events/query", min_position=2**64 - 1, timeout_ms=1), 504, "timeout")


def test_min_position_of_a_tenant_that_is_not_there_waits_for_it():
    client = fresh()
    refused(client.get(API + "/events/query", min_position=1, timeout_ms=10), 504, "timeout")
    results = []
    reader = client.twin()
    thread = threading.Thread(
        target=lambda: results.append(reader.positions(min_position=1, timeout_ms=20000))
    )
    thread.start()
    client.append("a")
    thread.join(25)
    equal(results, [[1]], "what the waiting reader saw")


def test_a_hundred_waiting_readers_hold_no_thread():
    client = fresh()
    waiting = [client.twin() for _ in range(100)]
    for link in waiting:
        link.connect()
        link.socket.sendall(
            link.head("GET", API + "/events/query?min_position=1&timeout_ms=30000", {})
        )
    threads = client.server.thread_count()
    check(threads < 40, f"{threads} threads")
    client.append("a")
    for link in waiting:
        status, _, headers = read_head(link.stream)
        equal((status, headers["content-type"]), (200, JSON_TYPE), "answer")
        link.close()


# ---- Big answers

BIG = 50_000
PADDING = "x" * 600


def fill_big(client):
    for start in range(0, BIG, 2500):
        client.batch(
            [
                event(f"e{n % 100}", f"big.t{n % 5}", {"n": n, "p": PADDING})
                for n in range(start, start + 2500)
            ],
            ack="summary",
        )


@slow
@alone
def test_50000_events_are_streamed_in_bounded_memory():
    refuse_sanitizers()
    with Server() as server:
        client = server.client()
        fill_big(client)
        client.query(limit=1)
        before = server.private_bytes()
        peak, size, tail = before, 0, b""
        for number, piece in enumerate(client.pieces(API + "/events/query")):
            size += len(piece)
            tail = (tail + piece)[-100:]
            if number % 20 == 0:
                peak = max(peak, server.private_bytes())
        check(size > BIG * 700, f"{size} bytes came")
        check(tail.endswith(b'],"count":%d}' % BIG), f"end of the answer {tail}")
        grown = max(peak, server.private_bytes()) - before
        check(grown < 16 << 20, f"memory grew by {grown} bytes while {size} were streamed")
        numbers = [one["payload"]["n"] for one in client.all_events()]
        equal(numbers, list(range(BIG)), "events as NDJSON")


@slow
def test_a_reader_who_stops_reading_stalls_nobody_and_costs_little():
    with Server() as server:
        client = server.client()
        fill_big(client)
        before = server.private_bytes()
        stalled = []
        for _ in range(8):
            link = server.client()
            pieces = link.pieces(API + "/events/query")
            next(pieces)
            stalled.append((link, pieces))
        for number in range(50):
            equal(client.append("late")["version"], number + 1, "append beside stalled readers")
        equal(client.query(entity_id="e7", limit=3)["count"], 3, "a query beside stalled readers")
        grown = server.private_bytes() - before
        check(grown < 64 << 20, f"8 stalled readers cost {grown} bytes")
        for link, pieces in stalled[:2]:
            content = b"".join(pieces)
            check(
                content.endswith(b'],"count":%d}' % BIG),
                "the answer is what was there when it began",
            )
        for link, _ in stalled:
            link.close()
        check(client.healthy(), "healthy after readers went away")


def test_a_reader_sees_what_was_there_when_the_query_began():
    client = fresh()
    client.batch([event("a", payload={"n": n, "p": PADDING}) for n in range(3000)], ack="summary")
    reader = client.twin()
    pieces = reader.pieces(API + "/events/query")
    first = next(pieces)
    client.batch([event("a", payload={"late": True}) for _ in range(100)], ack="summary")
    result = read_json(first + b"".join(pieces))
    equal([e["position"] for e in result["events"]], list(range(1, 3001)), "positions")


def test_time_fields_of_query_results_are_times():
    for one in filled().events(limit=20):
        check(is_time(one["timestamp"]) and is_time(one["recorded_at"]), f"times of {one}")


def test_a_large_answer_has_the_shape_of_a_small_one():
    client = fresh()
    for count in (1, 10, 500, 5000):
        client.batch([event("a", payload={"n": n}) for n in range(count)], ack="summary")
        answer = client.get(API + "/events/query")
        equal(answer.headers["content-type"], JSON_TYPE, "content type")
        check(answer.body.startswith(b'{"events":[{"id":"'), "begin")
        equal(answer.body, to_json(answer.json), f"compact after {count}")

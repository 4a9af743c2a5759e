# SPDX-License-Identifier: Apache-2.0
"""Appending: expected versions, idempotent ids, atomic batches, conditions, concurrency."""

import random
import uuid

from harness import (
    API,
    JSON_TYPE,
    NDJSON_TYPE,
    Server,
    Volley,
    check,
    equal,
    event,
    fresh,
    in_parallel,
    is_time,
    is_uuid,
    refused,
    to_ndjson,
)


def new_id():
    return str(uuid.uuid4())


def conflict_events(body):
    """The events that got in between, however many fields each has."""
    return next(value for value in body.values() if isinstance(value, list))


# ---- Expected versions


def test_versions_count_the_events_of_an_entity_and_positions_all():
    client = fresh()
    outcomes = [client.append(entity) for entity in ("a", "b", "a", "a", "b")]
    equal([outcome["version"] for outcome in outcomes], [1, 1, 2, 3, 2], "versions")
    equal([outcome["position"] for outcome in outcomes], [1, 2, 3, 4, 5], "positions")
    equal([(e["version"], e["position"]) for e in client.events()],
          [(1, 1), (1, 2), (2, 3), (3, 4), (2, 5)], "as stored")


def test_expected_version_0_means_that_the_entity_must_not_exist():
    client = fresh()
    equal(client.append("a", expected_version=0)["version"], 1, "first")
    body = refused(
        client.try_append(**event("a", expected_version=0)),
        409,
        "version_conflict",
        "Concurrency error: ",
    )
    equal((body["expected_version"], body["actual_version"]), (0, 1), "details")


def test_expected_version_n_means_that_the_entity_has_n_events():
    client = fresh()
    client.append("a")
    equal(client.append("a", expected_version=1)["version"], 2, "the right one")
    for wrong in (0, 1, 3, 9007199254740993):
        body = refused(
            client.try_append(**event("a", expected_version=wrong)), 409, "version_conflict"
        )
        equal((body["expected_version"], body["actual_version"]), (wrong, 2), "details")
    body = refused(client.try_append(**event("new", expected_version=1)), 409, "version_conflict")
    equal(
        (body["expected_version"], body["actual_version"]),
        (1, 0),
        "details of an entity that is not there",
    )
    equal(client.query()["count"], 2, "events")


def test_expected_version_minus_1_means_that_the_entity_must_exist():
    client = fresh()
    body = refused(client.try_append(**event("a", expected_version=-1)), 409, "version_conflict")
    equal((body["expected_version"], body["actual_version"]), (-1, 0), "details")
    client.append("a")
    equal(client.append("a", expected_version=-1)["version"], 2, "version")


def test_without_expected_version_anything_goes():
    client = fresh()
    equal([client.append("a")["version"] for _ in range(5)], [1, 2, 3, 4, 5], "versions")


def test_a_conflict_names_the_newest_10_events_that_got_in_between():
    client = fresh()
    client.append("a", "first.one")
    outcomes = [client.append("a", f"later.n{n}") for n in range(15)]
    client.append("other", "other.one")
    body = refused(client.try_append(**event("a", expected_version=1)), 409, "version_conflict")
    between = conflict_events(body)
    equal(len(between), 10, "events in between")
    text = repr(between)
    for number, outcome in enumerate(outcomes):
        check((outcome["event_id"] in text) == (number >= 5), f"id of event {number} in {text}")
        check((f"'later.n{number}'" in text) == (number >= 5), f"type of event {number} in {text}")
    body = refused(client.try_append(**event("a", expected_version=15)), 409, "version_conflict")
    equal(len(conflict_events(body)), 1, "events behind version 15")


def test_expected_versions_that_are_no_versions_are_refused():
    client = fresh()
    for value in (-2, 1.5, "1", True, [], {}, -9223372036854775808, 1e30):
        answer = client.try_append(**event("a", expected_version=value))
        check(
            "expected_version" in refused(answer, 422, "json_shape")["error"], f"field in {answer}"
        )
    equal(client.query()["count"], 0, "events")


# ---- Idempotent ids


def test_the_same_id_with_the_same_content_gives_the_first_outcome():
    client = fresh()
    sent = event("a", payload={"n": 1}, metadata={"m": 1}, id=new_id())
    first = client.try_append(**sent).json
    client.append("a")
    again = client.try_append(**sent)
    equal((again.status, again.json), (200, first | {"duplicate": True}), "second answer")
    check("duplicate" not in first, "the first is no duplicate")
    equal(first["event_id"], sent["id"], "id")
    equal(client.query()["count"], 2, "events")


def test_the_same_content_may_be_spelled_in_other_ways():
    client = fresh()
    one = new_id()
    client.append("a", payload={"x": 1, "y": [1, 2]}, id=one)
    body = (
        '{ "payload" : {"x" :1, "y":[1,\n2]}, "id":"%s", ' % one.upper()
        + '"entity_id":"a", "event_type":"test.event" }'
    ).encode()
    answer = client.post(API + "/events", body)
    equal((answer.status, answer.json.get("duplicate")), (200, True), "answer")


def test_the_same_id_with_other_content_is_a_conflict():
    client = fresh()
    sent = event(
        "a", payload={"n": 1}, metadata={"m": 1}, id=new_id(), timestamp="2024-01-01T00:00:00Z"
    )
    client.try_append(**sent)
    for change in (
        {"payload": {"n": 2}}, {"entity_id": "b"}, {"event_type": "test.other"}, {"metadata": None},
        {"timestamp": "2024-01-01T00:00:01Z"},
    ):
        refused(client.try_append(**(sent | change)), 409, "id_conflict", "Concurrency error: ")
    equal(client.query()["count"], 1, "events")
    equal(client.query(entity_id="b")["count"], 0, "events of the other entity")


def test_a_repeated_append_succeeds_although_its_expected_version_has_passed():
    client = fresh()
    sent = event("a", id=new_id(), expected_version=0)
    first = client.try_append(**sent).json
    client.append("a")
    equal(client.try_append(**sent).json, first | {"duplicate": True}, "second answer")


def test_ids_are_remembered_across_restarts():
    with Server() as server:
        client = server.client()
        sent = [event(f"e{n % 3}", payload={"n": n}, id=new_id()) for n in range(20)]
        first = [client.try_append(**one).json for one in sent]
        batch = [event("b", payload={"n": n}, id=new_id()) for n in range(5)]
        outcome = client.batch(batch)
        for kill in (False, True):
            server.restart(kill)
            client = server.client()
            for one, answer in zip(sent, first):
                equal(
                    client.try_append(**one).json,
                    answer | {"duplicate": True},
                    "answer after restart",
                )
                refused(client.try_append(**(one | {"payload": 0})), 409, "id_conflict")
            equal(client.batch(batch), outcome | {"duplicate": True}, "batch after restart")
            equal(client.query()["count"], 25, "events")


def test_ids_of_two_tenants_do_not_meet():
    one, two = fresh(), fresh()
    sent = event("a", payload={"n": 1}, id=new_id())
    equal(one.try_append(**sent).status, 200, "first tenant")
    answer = two.try_append(**(sent | {"payload": {"n": 2}}))
    equal((answer.status, "duplicate" in answer.json), (200, False), "second tenant")


def test_an_id_that_is_no_uuid_is_refused():
    client = fresh()
    for value in (
        "", "x", "0f8fad5b-d9cb-469f-a165-70867728950", "0f8fad5b-d9cb-469f-a165-70867728950g", 1,
        {}, [],
    ):
        check(
            "id" in refused(client.try_append(**event(id=value)), 422, "json_shape")["error"],
            "field",
        )
    equal(client.query()["count"], 0, "events")


# ---- Batches


def test_a_batch_is_one_contiguous_append():
    client = fresh()
    client.append("x")
    outcome = client.batch(
        [event("a", payload={"n": n}) if n % 2 else event("b", payload={"n": n}) for n in range(6)]
    )
    equal(
        (outcome["count"], outcome["first_position"], outcome["last_position"]), (6, 2, 7), "range"
    )
    equal([e["position"] for e in outcome["events"]], [2, 3, 4, 5, 6, 7], "positions")
    equal([e["version"] for e in outcome["events"]], [1, 1, 2, 2, 3, 3], "versions")
    stored = client.events(after_position=1)
    equal([e["id"] for e in stored], [e["event_id"] for e in outcome["events"]], "ids")
    equal([e["timestamp"] for e in stored], [e["timestamp"] for e in outcome["events"]], "times")
    equal(len({e["recorded_at"] for e in stored}), 1, "moments at which it became durable")
    for one in outcome["events"]:
        equal(set(one), {"event_id", "version", "position", "timestamp"}, "fields")
        check(is_uuid(one["event_id"]) and is_time(one["timestamp"]), f"id and time of {one}")


def test_a_batch_may_be_an_array_an_object_or_lines():
    client = fresh()
    events = [event("a", payload={"n": n}) for n in range(3)]
    equal(client.batch(events)["count"], 3, "array")
    equal(client.batch({"events": events})["first_position"], 4, "object")
    for body in (
        to_ndjson(events), to_ndjson(events)[:-1], to_ndjson(events).replace(b"\n", b"\r\n\n")
    ):
        answer = client.post(API + "/events/batch", body, {"Content-Type": NDJSON_TYPE})
        equal((answer.status, answer.json["count"]), (200, 3), f"lines {answer}")
    equal([e["payload"]["n"] for e in client.events()], [0, 1, 2] * 5, "events")


def test_a_summary_leaves_the_events_out():
    client = fresh()
    outcome = client.batch([event("a"), event("b")], ack="summary")
    equal(outcome, {"count": 2, "first_position": 1, "last_position": 2}, "answer")
    refused(client.try_batch([event("a")], ack="whatever"), 400, "bad_parameter", "ack")
    equal(client.query()["count"], 2, "events")


def test_one_bad_event_refuses_the_whole_batch_and_is_named():
    client = fresh()
    client.append("a")
    bad = [
        (event("a", "Bad.Type"), 400, "event_type"),
        (event(" padded "), 400, "entity_id"),
        (event(""), 400, "entity_id"),
        ({"event_type": "a", "entity_id": "a"}, 422, "payload"),
        (event(7), 422, "entity_id"),
        (event(id="no"), 422, "id"),
        (event(timestamp="yesterday"), 422, "timestamp"),
        (event("a", expected_version=9), 409, None),
        (17, 422, None),
        (None, 422, None),
    ]
    for wrong, status, field in bad:
        for index in (0, 3, 6):
            batch = [event("a", payload={"n": n}) for n in range(6)]
            batch.insert(index, wrong)
            for answer in (
                client.try_batch(batch), client.try_batch({"events": batch}),
                client.post(API + "/events/batch", to_ndjson(batch), {"Content-Type": NDJSON_TYPE}),
            ):
                if status == 409 and index > 0:  # the first of an entity speaks for all
                    equal(answer.status, 200, f"{answer}")
                    continue
                body = refused(answer, status, None)
                if status != 409:
                    check(
                        f"[{index}]" in body["error"] or body.get("index") == index,
                        f"index {index} in {body}",
                    )
                    expected = f"events[{index}]" + (f".{field}" if field else "")
                    equal(body.get("field"), expected, f"field of {body}")
    stored = client.events()
    equal([e["position"] for e in stored], list(range(1, len(stored) + 1)), "positions")
    check(len(stored) % 7 == 1, "only whole batches")
    equal(client.stats()["total_entities"], 1, "entities")


def test_the_first_expected_version_of_an_entity_speaks_for_the_batch():
    client = fresh()
    client.append("a")
    outcome = client.batch(
        [event("a", expected_version=1), event("b", expected_version=0), event("a"), event("b")]
    )
    equal([e["version"] for e in outcome["events"]], [2, 1, 3, 2], "versions")
    refused(client.try_batch([event("b"), event("a", expected_version=1)]), 409, "version_conflict")
    equal(client.query()["count"], 5, "events")


def test_a_repeated_batch_gives_the_first_outcome():
    client = fresh()
    batch = [event("a", payload={"n": n}, id=new_id()) for n in range(4)]
    first = client.batch(batch)
    client.append("a")
    equal(client.batch(batch), first | {"duplicate": True}, "second answer")
    equal(client.batch(batch, ack="summary"),
          {"count": 4, "first_position": 1, "last_position": 4, "duplicate": True}, "summary")
    equal(client.query()["count"], 5, "events")


def test_a_batch_that_is_stored_in_part_is_refused():
    client = fresh()
    stored = event("a", id=new_id())
    client.try_append(**stored)
    for batch in (
        [stored, event("a", id=new_id())], [event("a", id=new_id()), stored], [event("a"), stored]
    ):
        body = refused(client.try_batch(batch), 409, "id_conflict")
        equal(body.get("index"), batch.index(stored), f"index in {body}")
    equal(client.query()["count"], 1, "events")


def test_one_id_twice_in_a_batch_is_refused():
    client = fresh()
    one = event("a", id=new_id())
    for batch in ([one, one], [one, event("b"), one | {"payload": {"other": 1}}]):
        answer = client.try_batch(batch)
        check(answer.status in (400, 409), f"status of {answer}")
        refused(answer, answer.status, None)
    equal(client.query()["count"], 0, "events")


def test_an_empty_batch_is_refused():
    client = fresh()
    for body in (b"[]", b'{"events":[]}'):
        refused(client.post(API + "/events/batch", body), 400, "invalid_input")
    refused(
        client.post(API + "/events/batch", b"\n\n", {"Content-Type": NDJSON_TYPE}),
        400,
        "invalid_input",
    )


def test_a_batch_of_another_shape_is_refused():
    client = fresh()
    for body in (
        b"1", b'"x"', b"null", b"{}", b'{"events":{}}', b'{"events":[{}]}', b'{"events":1}', b"[[]]"
    ):
        refused(client.post(API + "/events/batch", body), 422, "json_shape")
    for body in (b"", b"[", b"[{}", b"[]]", b"[,]", b'{"events":[]', b"[] []"):
        refused(client.post(API + "/events/batch", body), 400, "json_syntax")
    for body in (b"{\n}", b'{"event_type":\n"a"}', b"{}}", b"nope\n"):
        answer = client.post(API + "/events/batch", body, {"Content-Type": NDJSON_TYPE})
        refused(answer, 400, "json_syntax")


def test_a_single_event_is_an_object():
    client = fresh()
    for body in (b"[]", b"1", b"null", b'["a","b",{}]', b"[{}]"):
        refused(client.post(API + "/events", body), 422, "json_shape")
    for body in (
        b"", b" ", b'{"event_type":"a","entity_id":"b","payload":{}} x', b"\xef\xbb\xbf{}", b"{}{}"
    ):
        refused(client.post(API + "/events", body), 400, "json_syntax")


# ---- Conditions


def test_a_condition_refuses_what_came_behind_its_position():
    client = fresh()
    client.append("seat-1", "seat.taken")
    client.append("seat-2", "seat.freed")
    conditions = [
        ({"entity_id": "seat-1", "after_position": 0}, 409),
        ({"entity_id": "seat-1", "after_position": 1}, 200),
        ({"event_type": "seat.freed", "after_position": 1}, 409),
        ({"event_type": "seat.freed", "after_position": 2}, 200),
        ({"entity_id": "seat-1", "event_type": "seat.freed", "after_position": 0}, 200),
        ({"entity_id": "seat-2", "event_type": "seat.freed", "after_position": 0}, 409),
        ({"entity_id": "nobody", "after_position": 0}, 200),
        ({"event_type": "never", "after_position": 0}, 200),
    ]
    for condition, status in conditions:
        answer = client.try_batch({"events": [event("z", "other.type")], "conditions": [condition]})
        equal(answer.status, status, f"status with {condition} {answer}")
        if status == 409:
            refused(answer, 409, "condition_failed", "Concurrency error: ")
    count = client.query()["count"]
    refused(
        client.try_batch({"events": [event("z")], "conditions": [{"after_position": count - 1}]}),
        409,
        "condition_failed",
    )
    equal(
        client.try_batch(
            {"events": [event("z")], "conditions": [{"after_position": count}]}
        ).status,
        200,
        "any event",
    )
    equal(client.query()["count"], count + 1, "events")


def test_all_conditions_must_hold():
    client = fresh()
    client.append("a")
    good, bad = {"entity_id": "b", "after_position": 0}, {"entity_id": "a", "after_position": 0}
    for conditions, status in (([good], 200), ([good, bad], 409), ([bad, good], 409), ([], 200)):
        equal(
            client.try_batch({"events": [event("c")], "conditions": conditions}).status,
            status,
            f"{conditions}",
        )


def test_conditions_of_a_wrong_shape_are_refused():
    client = fresh()
    for conditions in (1, {}, [1], [{}], [{"after_position": -1}], [{"after_position": "1"}],
                       [{"entity_id": 7, "after_position": 0}]):
        refused(
            client.try_batch({"events": [event("a")], "conditions": conditions}), 422, "json_shape"
        )
    equal(client.query()["count"], 0, "events")


# ---- Many at once


def test_of_16_writers_that_expect_the_same_version_exactly_one_wins():
    client = fresh()
    clients = [client.twin() for _ in range(16)]
    for round_number in range(25):
        answers = in_parallel(
            16, lambda i: clients[i].try_append(**event("hot", expected_version=round_number))
        )
        equal(
            sorted(answer.status for answer in answers), [200] + [409] * 15, f"round {round_number}"
        )
        for answer in answers:
            if answer.status == 409:
                equal(
                    refused(answer, 409, "version_conflict")["actual_version"],
                    round_number + 1,
                    "actual_version",
                )
    equal([e["version"] for e in client.events(entity_id="hot")], list(range(1, 26)), "versions")


def test_of_16_writers_with_one_condition_exactly_one_wins():
    """They are sent together, so that the writer takes several in one turn."""
    client = fresh()
    with Volley(client, 16) as volley:
        for round_number in range(40):
            seat, taken = f"seat-{round_number}", f"seat.taken.n{round_number}"
            condition = [
                {"entity_id": seat, "after_position": 0},
                {"event_type": taken, "after_position": 0},
                {"entity_id": seat, "event_type": taken, "after_position": 0},
                {"after_position": round_number},
            ][round_number % 4]
            append = {"events": [event(seat, taken)], "conditions": [condition]}
            answers = volley.post(API + "/events/batch", [append] * 16)
            statuses = sorted(answer.status for answer in answers)
            equal(statuses, [200] + [409] * 15, f"round {round_number} with {condition}")


def test_of_16_writers_with_one_id_one_stores_and_all_succeed():
    client = fresh()
    clients = [client.twin() for _ in range(16)]
    for round_number in range(10):
        sent = event("a", payload={"n": round_number}, id=new_id())
        answers = in_parallel(16, lambda i: clients[i].try_append(**sent))
        equal({answer.status for answer in answers}, {200}, "statuses")
        equal(sum("duplicate" not in answer.json for answer in answers), 1, "first ones")
        equal(len({answer.json["position"] for answer in answers}), 1, "positions")
    equal(client.query()["count"], 10, "events")


def test_positions_and_versions_have_no_gaps_under_concurrent_writers():
    client = fresh()
    acknowledged = {}

    def write(number):
        dice, link = random.Random(number), client.twin()
        for _ in range(60):
            count = dice.choice([1, 1, 1, 2, 7])
            batch = [event(f"e{dice.randrange(9)}", payload={"w": number}) for _ in range(count)]
            outcome = link.batch(batch)
            first = outcome["first_position"]
            equal(
                [e["position"] for e in outcome["events"]],
                list(range(first, first + count)),
                "a batch",
            )
            for sent, one in zip(batch, outcome["events"]):
                acknowledged[one["position"]] = (one["event_id"], sent["entity_id"], one["version"])

    in_parallel(16, write)
    stored = client.all_events()
    equal([e["position"] for e in stored], list(range(1, len(stored) + 1)), "positions")
    equal(
        {e["position"]: (e["id"], e["entity_id"], e["version"]) for e in stored},
        acknowledged,
        "events",
    )
    versions = {}
    for one in stored:
        equal(
            one["version"], versions.get(one["entity_id"], 0) + 1, f"version of {one['entity_id']}"
        )
        versions[one["entity_id"]] = one["version"]
    times = [one["recorded_at"].ljust(27, "0") for one in stored]
    check(all(a[:19] <= b[:19] for a, b in zip(times, times[1:])), "recorded_at never goes back")


def test_who_has_the_answer_sees_the_event_on_every_path():
    client = fresh()
    writer, reader = client.twin(), client.twin()
    for number in range(100):
        outcome = writer.append(f"e{number}", f"type.n{number}", {"n": number})
        equal(reader.query(entity_id=f"e{number}")["count"], 1, "by entity")
        equal(reader.query(event_type=f"type.n{number}")["count"], 1, "by type")
        equal(reader.positions(order="desc", limit=1), [outcome["position"]], "by position")
        equal(reader.state(f"e{number}")["current_state"], {"n": number}, "state")
        equal(reader.get(f"{API}/events/{outcome['event_id']}").status, 200, "by id")


# ---- Tenants of appends


def test_the_tenant_is_the_headers_else_the_bodys_else_default():
    with Server() as server:
        client = server.client()
        client.append("a", tenant_id="blue")
        client.post(API + "/events", event("b", tenant_id="blue"), {"X-Tenant-ID": "red"})
        client.post(API + "/events?tenant_id=green", event("c"))
        client.append("d")
        client.batch({"tenant_id": "blue", "events": [event("e")]})
        client.batch([event("f", tenant_id="blue"), event("g", tenant_id="blue")])
        for tenant, names in (("blue", "aefg"), ("red", "b"), ("green", "c"), ("default", "d")):
            equal("".join(e["entity_id"] for e in client.events(tenant_id=tenant)), names, tenant)
            equal("".join(e["entity_id"] for e in server.client(tenant).events()), names, tenant)
        equal("".join(e["entity_id"] for e in client.events()), "d", "without a word")


def test_a_batch_is_for_one_tenant():
    client = fresh()
    client.tenant = None
    answer = client.try_batch([event("a", tenant_id="one-x"), event("b", tenant_id="two-x")])
    refused(answer, 400, "invalid_input", "tenant_id")
    for tenant in ("one-x", "two-x"):
        equal(client.query(tenant_id=tenant)["count"], 0, tenant)


def test_an_append_that_is_refused_makes_no_tenant():
    with Server("--max-tenants", "2") as server:
        for number in range(5):
            refused(
                server.client(f"t{number}").try_append(event_type="Bad", entity_id="a", payload={}),
                400,
                None,
            )
            equal(
                server.client(f"u{number}").query()["count"],
                0,
                "a read of a tenant that is not there",
            )
        server.client("one").append("a")
        server.client("default").append("a")
        refused(server.client("three").try_append(**event("a")), 503, "tenant_limit")
        equal(server.client("one").append("a")["version"], 2, "those that are there go on")


def test_content_type_of_success_is_json():
    client = fresh()
    equal(client.try_append(**event()).headers["content-type"], JSON_TYPE, "single")
    equal(client.try_batch([event()]).headers["content-type"], JSON_TYPE, "batch")

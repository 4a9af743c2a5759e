# SPDX-License-Identifier: Apache-2.0
"""The state of an entity: the fold, time travel, history, the snapshot route."""

import random

from harness import API, check, equal, escape, event, fresh, instant, is_time, refused


def fold(events):
    """3.3 in five lines."""
    state = {}
    for one in events:
        if isinstance(one["payload"], dict):
            state.update(one["payload"])
    return state


def snapshot_of(client, entity):
    answer = client.get(f"{API}/entities/{escape(entity)}/snapshot")
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def test_a_state_has_the_references_fields():
    client = fresh()
    outcome = client.append("a", "x.made", {"k": 1})
    state = client.state("a")
    for name in ("entity_id", "as_of", "current_state", "event_count", "history", "last_updated"):
        check(name in state, f"{name} in {state}")
    equal(state["last_updated"], outcome["timestamp"], "last_updated")
    check("history_truncated" not in state, "a complete history says nothing of truncation")


def test_the_fold_replaces_top_level_keys_whole():
    client = fresh()
    for payload in ({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"z": 3}}, {"b": None}, {"c": []}, {}):
        client.append("e", payload=payload)
    equal(client.state("e")["current_state"], {"a": {"z": 3}, "b": None, "c": []}, "state")


def test_payloads_that_are_no_objects_count_but_change_nothing():
    client = fresh()
    payloads = [[1, 2], {"k": 1}, 5, "text", None, True, {"l": 2}, [{"k": 9}]]
    for payload in payloads:
        client.post(API + "/events", event("e") | {"payload": payload})
    state = client.state("e")
    equal(state["current_state"], {"k": 1, "l": 2}, "state")
    equal(state["event_count"], len(payloads), "event_count")
    equal([item["payload"] for item in state["history"]], payloads, "history")
    equal(snapshot_of(client, "e")["snapshot"], state["current_state"], "snapshot")


def test_an_entity_of_one_scalar_has_an_empty_state():
    client = fresh()
    client.post(API + "/events", event("e") | {"payload": 7})
    equal(client.state("e")["current_state"], {}, "state")
    equal(snapshot_of(client, "e")["snapshot"], {}, "snapshot")


def test_values_of_a_state_keep_their_spelling():
    client = fresh()
    client.post(
        API + "/events",
        b'{"event_type":"a","entity_id":"e",'
        b'"payload":{"n":1.10,"big":123456789012345678901234567890,"e":1E2}}',
    )
    body = client.get(API + "/entities/e/state").body
    for text in (b'"n":1.10', b'"big":123456789012345678901234567890', b'"e":1E2'):
        check(text in body.split(b'"history"')[0], f"{text} in {body}")


def test_keys_that_are_spelled_with_escapes_are_the_same_keys():
    client = fresh()
    client.post(API + "/events", b'{"event_type":"a","entity_id":"e","payload":{"key":1}}')
    client.post(API + "/events", b'{"event_type":"a","entity_id":"e","payload":{"\\u006bey":2}}')
    equal(client.state("e")["current_state"], {"key": 2}, "state")


def test_state_follows_positions_and_not_timestamps():
    client = fresh()
    client.append("e", payload={"k": "first", "a": 1}, timestamp=instant(100))
    client.append("e", payload={"k": "second", "b": 1}, timestamp=instant(50))
    equal(client.state("e")["current_state"], {"k": "second", "a": 1, "b": 1}, "now")
    equal(
        client.state("e", as_of=instant(75))["current_state"], {"k": "second", "b": 1}, "as of 75"
    )
    equal(client.state("e")["last_updated"], instant(50), "last_updated")


def test_a_late_timestamp_is_never_lost():
    client = fresh()
    for number in range(250):
        client.append("e", payload={f"k{number}": 1}, timestamp=instant(1000 + number))
    client.append("e", payload={"late": True}, timestamp=instant(1))
    state = client.state("e")
    equal(state["current_state"].get("late"), True, "the late key")
    equal(state["event_count"], 251, "event_count")
    equal(snapshot_of(client, "e")["snapshot"], state["current_state"], "snapshot")
    equal(client.state("e", as_of=instant(1))["current_state"], {"late": True}, "as of then")


def test_time_travel_by_time_version_and_position_agrees_with_the_model():
    client, dice = fresh(), random.Random(5)
    for number in range(120):
        client.append(
            dice.choice("ab"), payload={
                dice.choice("klmn"): number
            }, timestamp=instant(dice.randrange(60))
        )
    own = client.events(entity_id="a")
    for _ in range(60):
        bound = dice.choice(["as_of", "at_version", "as_of_position"])
        value = {
            "as_of": instant(dice.randrange(-5, 70)),
            "at_version": dice.randrange(1, len(own) + 3),
            "as_of_position": dice.randrange(1, 130),
        }[bound]
        field = {"as_of": "timestamp", "at_version": "version", "as_of_position": "position"}[bound]
        passed = [one for one in own if one[field] <= value]
        if not passed:
            refused(
                client.get(API + "/entities/a/state", **{bound: value}),
                404,
                "entity_not_found",
                "a",
            )
            continue
        state = client.state("a", history="all", **{bound: value})
        equal(state["current_state"], fold(passed), f"state at {bound}={value}")
        equal(state["event_count"], len(passed), f"event_count at {bound}={value}")
        equal(state["last_updated"], passed[-1]["timestamp"], f"last_updated at {bound}={value}")
        equal(
            [item["event_id"] for item in state["history"]],
            [one["id"] for one in passed],
            "history",
        )


def test_bounds_of_time_travel_are_combined():
    client = fresh()
    for number in range(10):
        client.append("e", payload={f"k{number}": 1}, timestamp=instant(number))
    state = client.state("e", as_of=instant(7), as_of_position=6, at_version=9)
    equal((state["event_count"], state["as_of"]), (6, instant(7)), "count and as_of")
    equal(client.state("e", as_of=instant(2), as_of_position=6)["event_count"], 3, "count")


def test_a_state_before_the_first_event_is_404():
    client = fresh()
    client.append("x")
    client.append("e", timestamp=instant(10))
    for bound in (
        {"as_of": instant(9)}, {"as_of_position": 1}, {"as_of_position": 0}, {"at_version": 0}
    ):
        answer = client.get(API + "/entities/e/state", **bound)
        equal(
            refused(answer, 404, "entity_not_found")["error"],
            "Entity not found: e",
            f"message at {bound}",
        )


def test_a_state_at_a_position_is_exact_for_ever():
    client = fresh()
    bodies = []
    for number in range(20):
        client.append("e", payload={f"k{number % 3}": number})
        bodies.append(client.state("e")["current_state"])
    for number, state in enumerate(bodies):
        equal(
            client.state("e", as_of_position=number + 1)["current_state"], state, f"at {number + 1}"
        )
        equal(
            client.state("e", at_version=number + 1)["current_state"],
            state,
            f"version {number + 1}",
        )


def test_history_may_be_left_out():
    client = fresh()
    for number in range(5):
        client.append("e", payload={"n": number})
    state = client.state("e", history="none")
    equal(state.get("history", []), [], "history")
    equal((state["event_count"], state["current_state"]), (5, {"n": 4}), "count and state")
    refused(client.get(API + "/entities/e/state", history="some"), 400, "bad_parameter", "history")


def test_a_history_of_1000_is_complete_and_a_longer_one_is_cut_to_its_newest_1000():
    client = fresh()
    client.batch([event("e", payload={"n": n}) for n in range(1000)], ack="summary")
    state = client.state("e")
    equal((len(state["history"]), state["event_count"]), (1000, 1000), "at 1,000")
    check(not state.get("history_truncated"), "nothing was cut")
    for number in (1000, 1001, 1002):
        client.append("e", payload={"n": number})
    for choice in ({}, {"history": "tail"}):
        state = client.state("e", **choice)
        equal(state["history_truncated"], True, f"history_truncated with {choice}")
        equal(
            [item["payload"]["n"] for item in state["history"]],
            list(range(3, 1003)),
            "newest 1,000",
        )
        equal(
            (state["event_count"], state["current_state"]), (1003, {"n": 1002}), "count and state"
        )
    state = client.state("e", history="all")
    equal([item["payload"]["n"] for item in state["history"]], list(range(1003)), "all")
    check(not state.get("history_truncated"), "all is not cut")
    state = client.state("e", at_version=1001)
    equal(
        [item["payload"]["n"] for item in state["history"]],
        list(range(1, 1001)),
        "at version 1,001",
    )


def test_the_history_of_a_short_tail_is_the_newest_of_a_filter():
    client = fresh()
    client.batch(
        [event("e", payload={"n": n}, timestamp=instant(n % 10)) for n in range(3000)],
        ack="summary",
    )
    state = client.state("e", as_of=instant(4))
    expected = [n for n in range(3000) if n % 10 <= 4]
    equal(state["event_count"], len(expected), "event_count")
    equal([item["payload"]["n"] for item in state["history"]], expected[-1000:], "history")


def test_history_items_are_in_order_and_true():
    client = fresh()
    client.append("e", "a.one", {"k": 1}, metadata={"m": 1})
    client.append("e", "a.two", [2])
    for item, one in zip(client.state("e")["history"], client.events(), strict=True):
        equal((item["event_id"], item["type"], item["timestamp"], item["payload"]),
              (one["id"], one["event_type"], one["timestamp"], one["payload"]), "item")
        check(is_time(item["timestamp"]), "time")


def test_the_snapshot_always_equals_the_state():
    client, dice = fresh(), random.Random(9)
    payloads = [{"a": 1}, {"b": [1]}, {"a": None}, [1], 7, {"c": {"d": 1}}, None, {}]
    for number in range(100):
        client.post(
            API + "/events",
            event("e") | {
                "payload": dice.choice(payloads), "timestamp": instant(dice.randrange(9))
            },
        )
        if number % 10 == 0:
            equal(
                snapshot_of(client, "e")["snapshot"],
                client.state("e")["current_state"],
                f"after {number}",
            )
    equal(snapshot_of(client, "e")["snapshot"], fold(client.events(entity_id="e")), "at the end")


def test_a_state_with_many_keys_is_right():
    client = fresh()
    payload = {f"key-{n}": n for n in range(5000)}
    client.append("e", payload=payload)
    client.append("e", payload={"key-77": "new", "one more": 1})
    equal(client.state("e")["current_state"], payload | {"key-77": "new", "one more": 1}, "state")


def test_as_of_is_echoed_in_utc():
    client = fresh()
    client.append("e", timestamp="2024-01-01T00:00:00Z")
    state = client.state("e", as_of="2024-06-01T12:00:00+02:00")
    equal(state["as_of"], "2024-06-01T10:00:00Z", "as_of")


def test_wrong_bounds_of_time_travel_are_refused():
    client = fresh()
    client.append("e")
    for name, value in (
        ("as_of", "2025-01-01"), ("at_version", "-1"), ("at_version", "x"),
        ("as_of_position", "1.5"),
    ):
        body = refused(
            client.get(API + "/entities/e/state", **{name: value}), 400, "bad_parameter", name
        )
        equal(body.get("field"), name, "field")

# SPDX-License-Identifier: Apache-2.0
"""The wire contract: vectors 6.7, fields of 1.A and 1.B, encodings of 2, general rules of 0.1."""

import json

from harness import (
    API,
    JSON_TYPE,
    Server,
    check,
    equal,
    escape,
    event,
    fresh,
    instant,
    is_time,
    is_uuid,
    raw_exchange,
    refused,
    shared_server,
    to_json,
)
from streams import WebSocket

EVENT_FIELDS = [
    "id",
    "event_type",
    "entity_id",
    "tenant_id",
    "payload",
    "timestamp",
    "metadata",
    "version",
    "position",
    "recorded_at",
]
GET_PATHS = [
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    API + "/stats",
    API + "/events/query",
    API + "/entities",
    API + "/event-types",
    API + "/entities/e1/events",
    API + "/entities/e1/state",
    API + "/entities/e1/snapshot",
]


def two_events(client):
    """Vectors 1 and 2: the user is created and renamed."""
    created = client.append("u1", "user.created", {"n": 1, "a": {"x": 1}}, timestamp=instant(10))
    renamed = client.append(
        "u1", "user.renamed", {"n": 2, "a": {"y": 2}, "z": None}, timestamp=instant(20)
    )
    return created, renamed


# ---- The vectors


def test_vector_1_an_append_answers_id_time_position_and_version():
    client = fresh()
    answer = client.try_append(
        event_type="user.created", entity_id="u1", payload={"n": 1, "a": {"x": 1}}
    )
    equal(answer.status, 200, "status")
    equal(answer.headers["content-type"], JSON_TYPE, "content type")
    equal(set(answer.json), {"event_id", "timestamp", "position", "version"}, "fields")
    check(is_uuid(answer.json["event_id"]), "the id is a UUID")
    equal(answer.json["event_id"][14], "7", "UUID version of ids that the server makes")
    check(is_time(answer.json["timestamp"]), f"a time: {answer.json['timestamp']}")
    equal((answer.json["position"], answer.json["version"]), (1, 1), "position and version")


def test_vector_2_state_merges_keys_whole_and_keeps_nulls():
    client = fresh()
    _, renamed = two_events(client)
    state = client.state("u1")
    equal(state["current_state"], {"n": 2, "a": {"y": 2}, "z": None}, "state")
    equal(state["event_count"], 2, "event_count")
    equal(state["history"][0]["type"], "user.created", "first type")
    equal(state["as_of"], None, "as_of")
    equal(state["last_updated"], renamed["timestamp"], "last_updated")
    equal(state["entity_id"], "u1", "entity_id")


def test_vector_3_state_at_the_first_events_time_knows_only_that_event():
    client = fresh()
    created, _ = two_events(client)
    state = client.state("u1", as_of=created["timestamp"])
    equal(state["current_state"], {"n": 1, "a": {"x": 1}}, "state")
    equal(
        (state["event_count"], state["as_of"]), (1, created["timestamp"]), "event_count and as_of"
    )
    earlier = client.get(f"{API}/entities/u1/state", as_of=instant(9))
    equal(refused(earlier, 404, "entity_not_found")["error"], "Entity not found: u1", "message")


def test_vector_4_the_snapshot_route_shows_the_current_state():
    client = fresh()
    two_events(client)
    snapshot = client.get(f"{API}/entities/u1/snapshot").json
    equal(snapshot["entity_id"], "u1", "entity_id")
    equal(snapshot["from_projection"], "entity_snapshots", "from_projection")
    equal(snapshot["snapshot"], client.state("u1")["current_state"], "snapshot")
    refused(client.get(f"{API}/entities/nobody/snapshot"), 404, "entity_not_found", "nobody")


def test_vector_5_queries_filter_limit_and_include_their_time_bounds():
    client = fresh()
    created, renamed = two_events(client)
    equal(client.query(entity_id="u1", event_type="user.renamed")["count"], 1, "by type")
    equal(
        client.events(entity_id="u1", limit=1)[0]["id"],
        created["event_id"],
        "limit=1 is the oldest",
    )
    equal(client.query(entity_id="u1", limit=0)["count"], 0, "limit=0")
    at = renamed["timestamp"]
    equal(
        [e["id"] for e in client.events(since=at, until=at)], [renamed["event_id"]], "since=until"
    )


def test_vector_6_an_unknown_entity_has_no_events():
    answer = fresh().get(API + "/events/query", entity_id="nobody")
    equal((answer.status, answer.body), (200, b'{"events":[],"count":0}'), "answer")


def test_vector_7_wrong_requests_have_the_statuses_of_the_reference():
    client = fresh()
    upper = client.try_append(event_type="User.Created", entity_id="u1", payload={})
    equal(
        refused(upper, 400, "invalid_input")["error"],
        "Invalid input: Event type 'User.Created' must be lowercase with dots/underscores. "
        "Convention: namespace.entity.action",
        "message",
    )
    missing = client.try_append(event_type="a", entity_id="u1")
    refused(
        missing,
        422,
        "json_shape",
        "Failed to deserialize the JSON body into the target type",
        "payload",
    )
    equal(
        client.post(API + "/events", b'{"event_type":"a","entity_id":"u1","payload":null}').status,
        200,
        "null payload",
    )
    refused(
        client.post(API + "/events", b"{"),
        400,
        "json_syntax",
        "Failed to parse the request body as JSON",
    )
    untyped = client.request("POST", API + "/events", to_json(event()))
    refused(untyped, 415, "content_type", "Expected request with `Content-Type: application/json`")
    for name, value in (("limit", "-1"), ("since", "2025-01-01")):
        answer = client.get(API + "/events/query", **{name: value})
        refused(answer, 400, "bad_parameter", "Failed to deserialize query string", name)


def test_vector_16_a_websocket_frame_is_the_querys_event_and_messages_filter():
    client = fresh()
    with WebSocket(client.server, client.tenant) as stream:
        stream.settle()
        client.append("u1", "user.created", {"n": 1.50})
        frame = stream.message()
        body = client.get(API + "/events/query").body
        equal(frame, body[len(b'{"events":[') : -len(b'],"count":1}')], "the frame")
        stream.send_json({"entity_id": "u2"})
        stream.settle()
        client.append("u1", "user.created")
        client.append("u2", "user.created")
        equal(stream.event()["entity_id"], "u2", "the only frame")
        equal(stream.settle(), [], "further frames")


def test_vector_17_every_preflight_is_allowed():
    client = fresh()
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    for path in GET_PATHS + [
        API + "/events", API + "/events/batch", API + "/events/stream", "/nowhere"
    ]:
        answer = client.request("OPTIONS", path, None, headers)
        equal((answer.status, answer.body), (200, b""), f"OPTIONS {path}")
        for name in ("origin", "methods", "headers"):
            equal(answer.headers.get(f"access-control-allow-{name}"), "*", f"{path} allow-{name}")


def test_vector_18_stats_and_health_have_their_fields():
    client = fresh()
    two_events(client)
    stats = client.stats()
    for name in ("total_events", "total_entities", "total_event_types", "total_ingested"):
        check(
            isinstance(stats.get(name), int) and not isinstance(stats[name], bool),
            f"{name} in {stats}",
        )
    equal(
        (stats["total_events"], stats["total_entities"], stats["total_event_types"]),
        (2, 1, 2),
        "stats",
    )
    health = client.get("/health").json
    equal(set(health), {"status", "service", "version"}, "fields of health")
    equal((health["status"], health["service"]), ("healthy", "allsource-core"), "health")


# ---- Fields and encodings


def test_an_event_has_the_references_eight_fields_and_then_our_two():
    client = fresh()
    outcome = client.append("u1", "user.created", {"n": 1}, metadata={"trace": "x"})
    found = client.events()[0]
    equal(list(found), EVENT_FIELDS, "fields in order")
    equal(found["id"], outcome["event_id"], "id")
    equal((found["event_type"], found["entity_id"]), ("user.created", "u1"), "names")
    equal(found["tenant_id"], client.tenant, "tenant")
    equal((found["payload"], found["metadata"]), ({"n": 1}, {"trace": "x"}), "payload and metadata")
    equal((found["version"], found["position"]), (1, 1), "version and position")
    check(is_time(found["timestamp"]) and is_time(found["recorded_at"]), "times")
    equal(found["timestamp"], found["recorded_at"], "a time that the client did not say")


def test_the_default_tenant_is_called_default():
    with Server() as server:
        client = server.client()
        client.append("u1")
        equal(client.events()[0]["tenant_id"], "default", "tenant")


def test_metadata_is_null_when_absent_or_null():
    client = fresh()
    client.append("u1")
    client.append("u1", metadata=None)
    equal([found["metadata"] for found in client.events()], [None, None], "metadata")


def test_metadata_may_be_any_json():
    client = fresh()
    values = [1, "text", [1, 2], {"a": {}}, True]
    for value in values:
        client.append("u1", metadata=value)
    equal([found["metadata"] for found in client.events()], values, "metadata")


def test_unknown_fields_and_the_servers_own_are_ignored():
    client = fresh()
    client.append("u1", version=77, position=99, recorded_at="never", nonsense={"a": [1]})
    found = client.events()[0]
    equal((found["version"], found["position"]), (1, 1), "version and position")
    check(is_time(found["recorded_at"]), "recorded_at")


def test_optional_fields_may_be_null():
    client = fresh()
    body = event() | dict.fromkeys(["metadata", "id", "timestamp", "tenant_id", "expected_version"])
    equal(client.post(API + "/events", body).status, 200, "status")


def test_payload_text_is_kept_without_white_space():
    client = fresh()
    texts = [
        (b'{ "b" : 1 ,\n\t"a" : [ 1 , 2 ] }', b'{"b":1,"a":[1,2]}'),
        (b'{"n":1.10,"e":1E2,"m":-0,"big":123456789012345678901234567890}', None),
        (b'{"huge":1e400,"tiny":1e-400,"exact":9007199254740993}', None),
        (b'{"text":"a  b\\u00e9\\n\\/ \xc3\xa9\xf0\x9f\x98\x80 \x7f"}', None),
        (b'"text with  two spaces"', None),
        (b" null ", b"null"),
        (b"[ ]", b"[]"),
        (b'{"" : { } }', b'{"":{}}'),
        (b'{"a":"\\\\","b":"\\"" , "c":" \\\\\\" "}', b'{"a":"\\\\","b":"\\"","c":" \\\\\\" "}'),
    ]
    for sent, kept in texts:
        body = b'{"event_type":"a","entity_id":"u1","metadata":%s,"payload":%s}' % (sent, sent)
        equal(client.post(API + "/events", body).status, 200, f"status of {sent}")
        found = client.get(API + "/events/query", order="desc", limit=1).body
        check(b'"payload":' + (kept or sent) + b"," in found, f"payload {sent} in {found}")
        check(b'"metadata":' + (kept or sent) + b"," in found, f"metadata {sent} in {found}")


def test_payload_keeps_the_order_of_keys():
    client = fresh()
    keys = ["zebra", "apple", "_", "10", "9", "Z", "é"]
    client.append("u1", payload={key: 0 for key in keys})
    equal(list(client.events()[0]["payload"]), keys, "keys")


def test_of_a_doubled_key_the_last_counts_wherever_a_value_is_read():
    client = fresh()
    client.post(API + "/events", b'{"event_type":"a","entity_id":"u1","payload":{"k":1,"k":2}}')
    equal(client.state("u1")["current_state"], {"k": 2}, "state")


def test_a_doubled_field_of_the_request_is_refused():
    client = fresh()
    body = b'{"event_type":"a","event_type":"b","entity_id":"u1","payload":{}}'
    refused(client.post(API + "/events", body), 422, "json_shape", "event_type")
    equal(client.query()["count"], 0, "events")


def test_lone_surrogates_and_words_that_are_not_json_are_refused():
    client = fresh()
    for value in (
        b'"\\ud800"', b'"\\udc00\\ud800"', b"NaN", b"Infinity", b"01", b"1.", b".5", b"+1", b"'a'",
        b'"\x01"', b'"\xff"',
    ):
        body = b'{"event_type":"a","entity_id":"u1","payload":' + value + b"}"
        refused(client.post(API + "/events", body), 400, "json_syntax")
    equal(client.query()["count"], 0, "events")


def test_names_come_back_as_they_were_sent():
    client = fresh()
    for name in (
        'quote"d', "back\\slash", "ünïcødé", "日本", "a b", "a/b", "a%b", "a+b", "a?b#c", "<&>",
        "\U0001f600",
    ):
        client.append(name)
        equal(client.events(entity_id=name)[0]["entity_id"], name, "entity by parameter")
        equal(client.state(name)["entity_id"], name, "entity by path")


def test_timestamps_are_utc_with_no_digits_that_say_nothing():
    client = fresh()
    times = [
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"),
        ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20Z"),
        ("2023-11-14T22:13:20.001Z", "2023-11-14T22:13:20.001Z"),
        ("2023-11-14T22:13:20.12Z", "2023-11-14T22:13:20.120Z"),
        ("2023-11-14T22:13:20.000001Z", "2023-11-14T22:13:20.000001Z"),
        ("2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.123456Z"),
        ("2023-11-14T22:13:20.1234569999999Z", "2023-11-14T22:13:20.123456Z"),
        ("2023-11-14T22:13:20+02:00", "2023-11-14T20:13:20Z"),
        ("2023-11-14T22:13:20-23:59", "2023-11-15T22:12:20Z"),
        ("2023-11-14 22:13:20Z", "2023-11-14T22:13:20Z"),
        ("2023-11-14t22:13:20z", "2023-11-14T22:13:20Z"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
    ]
    for sent, kept in times:
        equal(client.append("u1", timestamp=sent)["timestamp"], kept, f"answer for {sent}")
        equal(client.events(order="desc", limit=1)[0]["timestamp"], kept, f"event of {sent}")
        equal(client.state("u1", as_of=sent)["as_of"], kept, f"as_of {sent}")


def test_texts_that_are_no_times_are_refused():
    client = fresh()
    client.append("u1")
    for text in (
        "2025-01-01", "2025-01-01T00:00:00", "", "1735689600", "2025-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z", "2025-01-01T24:00:00Z", "2025-01-01T00:60:00Z",
        "2025-01-01T00:00:00.Z", "now", "2025-01-01T00:00:00Zx",
    ):
        for name in ("since", "until", "as_of"):
            refused(client.get(API + "/events/query", **{name: text}), 400, "bad_parameter", name)
        refused(client.get(API + "/entities/u1/state", as_of=text), 400, "bad_parameter", "as_of")
        answer = client.try_append(**event(timestamp=text))
        check(answer.status in (400, 422), f"timestamp {text!r}: {answer}")
        check("timestamp" in refused(answer, answer.status, None)["error"], f"field in {answer}")
    equal(client.query()["count"], 1, "events")


def test_a_plus_in_a_query_string_is_a_space_and_2b_a_plus():
    client = fresh()
    client.append("a b")
    client.append("a+b")
    count = lambda text: client.get(API + "/events/query?" + text).json["count"]
    equal(count("entity_id=a+b"), 1, "plus")
    equal(
        client.get(API + "/events/query?entity_id=a+b").json["events"][0]["entity_id"],
        "a b",
        "plus",
    )
    equal(
        client.get(API + "/events/query?entity_id=a%2Bb").json["events"][0]["entity_id"],
        "a+b",
        "%2B",
    )
    equal(count("since=2020-01-01T02:00:00%2B02:00"), 2, "a time with an offset")
    refused(
        client.get(API + "/events/query?since=2020-01-01T02:00:00+02:00"),
        400,
        "bad_parameter",
        "since",
    )


def test_ids_are_accepted_in_every_spelling_and_given_in_one():
    client = fresh()
    plain = "0f8fad5b-d9cb-469f-a165-70867728950e"
    spellings = [
        plain, plain.upper(), plain.replace("-", ""), "urn:uuid:" + plain, "{" + plain + "}"
    ]
    equal(client.append("u1", id=spellings[1])["event_id"], plain, "the id as made")
    for spelling in spellings:
        equal(client.append("u1", id=spelling).get("duplicate"), True, f"{spelling} is the same id")
        found = client.get(f"{API}/events/{escape(spelling)}")
        equal((found.status, found.json["id"]), (200, plain), f"event {spelling}")


def test_one_event_is_got_by_its_id():
    client = fresh()
    outcome = client.append("u1", payload={"k": 1})
    answer = client.get(f"{API}/events/{outcome['event_id']}")
    equal(answer.json, client.events()[0], "event")
    equal(answer.headers["content-type"], JSON_TYPE, "content type")
    unknown = "00000000-0000-4000-8000-000000000000"
    refused(
        client.get(f"{API}/events/{unknown}"), 404, "event_not_found", "Event not found: ", unknown
    )
    refused(client.get(f"{API}/events/not-a-uuid"), 400, "bad_path", "Invalid URL")


def test_history_items_have_the_references_names():
    client = fresh()
    created, _ = two_events(client)
    item = client.state("u1")["history"][0]
    expected = {
        "event_id": created["event_id"],
        "type": "user.created",
        "timestamp": created["timestamp"],
        "payload": {"n": 1, "a": {"x": 1}},
    }
    equal({name: item.get(name) for name in expected}, expected, "history item")


# ---- General rules


def test_every_answer_carries_the_cors_headers():
    client = fresh()
    client.append("e1")
    answers = [client.get(path) for path in GET_PATHS]
    answers += [client.get("/nowhere"), client.try_append(), client.request("PUT", "/health")]
    for answer in answers:
        equal(answer.headers.get("access-control-allow-origin"), "*", f"allow-origin of {answer}")
        vary = answer.headers.get("vary", "").lower()
        for name in ("origin", "access-control-request-method", "access-control-request-headers"):
            check(name in vary, f"{name} in vary of {answer}")


def test_head_answers_like_get_without_the_body():
    client = fresh()
    client.append("e1")
    for path in GET_PATHS:
        head = client.request("HEAD", path)
        equal((head.status, head.body), (200, b""), f"HEAD {path}")
        equal(
            head.headers["content-type"],
            client.get(path).headers["content-type"],
            f"type of {path}",
        )
    equal(
        client.request("HEAD", API + "/entities/nobody/state").status,
        404,
        "HEAD of what is not there",
    )
    equal(client.get("/health").status, 200, "the connection goes on")


def test_a_wrong_method_is_405_and_says_which_are_right():
    client = fresh()
    cases = [
        ("DELETE", "/health", {"GET", "HEAD"}),
        ("GET", API + "/events", {"POST"}),
        ("GET", API + "/events/batch", {"POST"}),
        ("DELETE", API + "/events/query", {"GET", "HEAD", "POST"}),
        ("POST", API + "/stats", {"GET", "HEAD"}),
        ("PUT", API + "/entities/e1/state", {"GET", "HEAD"}),
        ("PATCH", API + "/entities", {"GET", "HEAD"}),
    ]
    for method, path, right in cases:
        answer = client.request(method, path, b"" if method in ("PUT", "POST", "PATCH") else None)
        refused(answer, 405, "method_not_allowed")
        allowed = {
            word.strip() for word in answer.headers.get("allow", "").split(",")
        } - {"OPTIONS"}
        equal(allowed, right, f"Allow of {method} {path}")


def test_an_unknown_path_is_404():
    client = fresh()
    paths = [
        "/", "/nowhere", "/api", "/api/v1", API + "/event", API + "/events/query/more", "/healthy",
        "//health",
    ]
    for path in paths:
        refused(client.get(path), 404, "route_not_found")


def test_a_trailing_slash_or_an_empty_segment_does_not_match():
    client = fresh()
    client.append("e1")
    for path in ("/health/", API + "/stats/", API + "/events/query/", API + "/entities/e1/state/",
                 API + "/entities//state", API + "//stats", "//" + API[1:] + "/stats"):
        equal(client.get(path).status, 404, path)
    equal(client.post(API + "/events/", event()).status, 404, "POST /events/")


def test_a_slash_may_be_escaped_into_a_path_parameter():
    client = fresh()
    client.append("orders/2024/7")
    equal(
        client.get(API + "/entities/orders%2F2024%2F7/state").json["entity_id"],
        "orders/2024/7",
        "entity",
    )
    equal(client.get(API + "/entities/orders%2f2024%2f7/events").json["count"], 1, "events")


def test_a_path_that_is_not_utf8_is_refused():
    client = fresh()
    for text in ("%FF", "%C3%28", "%E2%82", "%zz", "%4", "%ED%A0%80"):
        answer = client.get(f"{API}/entities/{text}/state")
        refused(answer, 400, "bad_path")


def test_a_query_string_that_is_not_utf8_is_refused():
    client = fresh()
    for text in ("entity_id=%FF", "entity_id=%C3%28"):
        refused(client.get(f"{API}/events/query?{text}"), 400, "bad_parameter")


def test_a_repeated_parameter_is_refused_but_event_type_is_any_of():
    client = fresh()
    for text in (
        "entity_id=a&entity_id=b", "limit=1&limit=1",
        "since=2020-01-01T00:00:00Z&since=2020-01-01T00:00:00Z",
    ):
        name = text.split("=")[0]
        refused(client.get(f"{API}/events/query?{text}"), 400, "bad_parameter", name)
    equal(
        client.get(f"{API}/events/query?event_type=a&event_type=b").status, 200, "event_type twice"
    )


def test_unknown_parameters_are_ignored():
    client = fresh()
    client.append("u1")
    equal(client.query(color="red", page="7")["count"], 1, "count")
    equal(client.get(API + "/events/query?color=red&color=blue&&x").status, 200, "status")


def test_an_empty_value_is_a_value():
    client = fresh()
    client.append("u1")
    equal(client.get(API + "/events/query?entity_id=").json["count"], 0, "entities called nothing")
    equal(client.get(API + "/events/query?event_type=").json["count"], 0, "types called nothing")
    for name in (
        "limit", "since", "until", "as_of", "offset", "after_position", "as_of_position", "order"
    ):
        refused(client.get(f"{API}/events/query?{name}="), 400, "bad_parameter", name)


def test_a_bearer_token_is_tolerated_and_ignored():
    client = fresh()
    client.headers["Authorization"] = "Bearer whatever"
    client.append("u1")
    equal(client.query()["count"], 1, "count")


def test_a_request_cannot_weaken_the_durability_of_the_server():
    client = fresh()
    before = client.metric("wal_sync_duration_seconds_count")
    answer = client.post(API + "/events", event(), {"X-Durability": "none"})
    equal(answer.status, 200, "status")
    check(client.metric("wal_sync_duration_seconds_count") > before, "the append was synced")


def test_json_content_types_with_parameters_and_suffixes_are_accepted():
    client = fresh()
    types = (
        "application/json", "application/json; charset=utf-8", "Application/JSON",
        "application/vnd.x+json", "application/json;a=b",
    )
    for content_type in types:
        answer = client.post(API + "/events", event(), {"Content-Type": content_type})
        equal(answer.status, 200, content_type)


def test_other_content_types_are_415():
    client = fresh()
    for path in ("/events", "/events/batch", "/events/query"):
        for content_type in (
            "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json", "", None
        ):
            answer = client.request(
                "POST", API + path, to_json(event()), {"Content-Type": content_type}
            )
            refused(answer, 415, "content_type")


def test_success_has_no_charset_and_no_server_header():
    answer = fresh().get("/health")
    equal(answer.headers["content-type"], "application/json", "content type")
    for name in ("server", "x-request-id", "etag", "cache-control"):
        check(name not in answer.headers, f"{name} in {answer.headers}")


def test_answers_are_compact_json():
    client = fresh()
    client.append("u1", payload={"a": 1})
    for path in (
        API + "/events/query", API + "/stats", "/health", API + "/entities/u1/state",
        API + "/nowhere",
    ):
        body = client.get(path).body
        equal(
            body.decode(),
            json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")),
            path,
        )


def test_metrics_are_prometheus_text():
    client = fresh()
    client.append("u1")
    answer = client.get("/metrics")
    equal(answer.headers["content-type"], "text/plain; version=0.0.4", "content type")
    seen, families = set(), []
    for line in answer.body.decode().splitlines():
        if line.startswith("# TYPE "):
            families.append(line.split()[2])
        elif not line.startswith("#"):
            series = line.rsplit(" ", 1)[0]
            check(series not in seen, f"{series} stands twice")
            check(series.startswith("allsource_"), f"prefix of {series}")
            seen.add(series)
            float(line.rsplit(" ", 1)[1])
    equal(families, sorted(set(families)), "families in order")
    check("allsource_events_ingested_total" in seen, "events_ingested_total")


def test_liveness_and_readiness_are_told_apart():
    client = fresh()
    for path in ("/health/live", "/health/ready"):
        answer = client.get(path)
        equal((answer.status, answer.headers["content-type"]), (200, JSON_TYPE), path)


def test_pipelined_requests_are_answered_in_order():
    client = fresh()
    parts = []
    for number in range(20):
        body = to_json(event("u1", payload={"n": number}))
        parts.append(
            f"POST {API}/events HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {client.tenant}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
    parts.append(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    received = raw_exchange(shared_server(), b"".join(parts), close_write=False)
    equal(received.count(b"HTTP/1.1 200 "), 21, "answers")
    equal([found["payload"]["n"] for found in client.events()], list(range(20)), "order")


def test_http_1_0_and_connection_close_are_served():
    for head in (
        b"GET /health HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ):
        received = raw_exchange(shared_server(), head, close_write=False)
        check(
            b" 200 " in received.split(b"\r\n")[0] and received.endswith(b"}"), f"answer {received}"
        )


def test_a_body_may_come_in_chunks():
    client = fresh()
    body = to_json(event("u1", payload={"text": "x" * 1000}))
    pieces = [body[i : i + 7] for i in range(0, len(body), 7)]
    answer = client.request("POST", API + "/events", pieces, {"Content-Type": JSON_TYPE})
    equal(answer.status, 200, f"status {answer}")
    equal(client.events()[0]["payload"]["text"], "x" * 1000, "payload")


def test_entities_and_types_are_listed_with_counts_and_last_positions():
    client = fresh()
    for entity, event_type in (("b", "x.one"), ("a", "x.two"), ("b", "y.one"), ("c", "x.one")):
        client.append(entity, event_type)
    for path, name, expected in (
        ("/entities", "entity_id", [("a", 1, 2), ("b", 2, 3), ("c", 1, 4)]),
        ("/event-types", "event_type", [("x.one", 2, 4), ("x.two", 1, 2), ("y.one", 1, 3)]),
    ):
        equal(names_of(client.get(API + path), name), expected, path)
        equal(names_of(client.get(API + path, prefix=expected[0][0][0]), name),
              [row for row in expected if row[0][0] == expected[0][0][0]], f"{path} by prefix")
        equal(
            names_of(client.get(API + path, prefix="zz"), name),
            [],
            f"{path} by a prefix nobody has",
        )
        equal(names_of(client.get(API + path, limit=2), name), expected[:2], f"{path} limit")
        equal(
            names_of(client.get(API + path, after=expected[0][0]), name),
            expected[1:],
            f"{path} after",
        )


def names_of(answer, name):
    equal(answer.status, 200, f"status {answer}")
    rows = next(value for value in answer.json.values() if isinstance(value, list))
    return [(row[name], row["event_count"], row["last_position"]) for row in rows]

# SPDX-License-Identifier: Apache-2.0
"""The registry of schemas: contract 1.F with section 11, enforcement, restarts, upcasting."""

import json
import os
import select
import threading
import uuid

from harness import (
    API,
    JSON_TYPE,
    NDJSON_TYPE,
    Server,
    Volley,
    check,
    equal,
    eventually,
    event,
    fresh,
    in_parallel,
    is_time,
    is_uuid,
    read_answer,
    refused,
    to_json,
    with_query,
)
from streams import EventSource, WebSocket

SCHEMAS = API + "/schemas"
USER = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
}


def put(client, path, value):
    return client.request("PUT", path, to_json(value), {"Content-Type": JSON_TYPE})


def try_register(client, subject, schema, **more):
    return client.post(SCHEMAS, {"subject": subject, "schema": schema, **more})


def register(client, subject, schema, **more):
    answer = try_register(client, subject, schema, **more)
    equal(answer.status, 200, f"status of a registration {answer}")
    return answer.json


def show(client, subject, **parameters):
    answer = client.get(f"{SCHEMAS}/{subject}", **parameters)
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def versions(client, subject):
    answer = client.get(f"{SCHEMAS}/{subject}/versions")
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def set_mode(client, subject, mode):
    answer = put(client, f"{SCHEMAS}/{subject}/compatibility", {"compatibility": mode})
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def set_enforcement(client, subject, enforce):
    answer = put(client, f"{SCHEMAS}/{subject}/enforcement", {"enforce": enforce})
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def validate(client, subject, payload, **more):
    answer = client.post(
        SCHEMAS + "/validate", {"subject": subject, "payload": payload, **more}
    )
    equal(answer.status, 200, f"status {answer}")
    return answer.json


# ---- Registering and reading


def test_a_registration_is_answered_as_the_contract_says():
    client = fresh()
    made = register(client, "user.created", USER, description="A user", tags=["t", "u"])
    check(is_uuid(made["schema_id"]) and is_time(made["created_at"]), f"answer {made}")
    equal((made["subject"], made["version"]), ("user.created", 1), "subject and version")
    found = show(client, "user.created")
    equal(found["id"], made["schema_id"], "id")
    equal(found["created_at"], made["created_at"], "created_at")
    equal(
        [found[key] for key in ("subject", "version", "schema", "description", "tags")],
        ["user.created", 1, USER, "A user", ["t", "u"]],
        "what was registered",
    )
    register(client, "a.plain.one", True)
    plain = show(client, "a.plain.one")
    equal((plain["description"], plain["tags"], plain["schema"]), (None, [], True), "a plain one")
    listed = client.get(SCHEMAS).json
    equal(listed, {"subjects": ["a.plain.one", "user.created"], "total": 2}, "list")


def test_the_schema_keeps_the_spelling_it_was_sent_with():
    client = fresh()
    text = b'{"subject":"x","schema":{ "minimum" : 1.50, "type":"number", "$comment":"\\u00e9/" }}'
    equal(client.post(SCHEMAS, text).status, 200, "status")
    body = client.get(SCHEMAS + "/x").body
    check(
        b'"schema":{"minimum":1.50,"type":"number","$comment":"\\u00e9/"}' in body,
        f"spelling in {body}",
    )


def test_versions_are_numbered_from_1_and_each_can_be_read_for_ever():
    client = fresh()
    set_mode(client, "v.x", "NONE")
    for number in range(1, 6):
        equal(register(client, "v.x", {"maximum": number})["version"], number, "version")
    equal(versions(client, "v.x"), {"subject": "v.x", "versions": [1, 2, 3, 4, 5]}, "versions")
    for number in range(1, 6):
        equal(show(client, "v.x", version=number)["schema"], {"maximum": number}, "schema")
    equal(show(client, "v.x")["version"], 5, "the latest")
    equal(len({show(client, "v.x", version=n)["id"] for n in range(1, 6)}), 5, "ids")


def test_what_is_not_there_is_a_validation_error_with_status_400():
    client = fresh()
    register(client, "user.created", USER)
    for path in ("/nobody", "/nobody/versions", "/nobody/upcasts"):
        refused(
            client.get(SCHEMAS + path), 400, "subject_not_found",
            "Validation error: Subject not found: nobody",
        )
    refused(
        client.get(SCHEMAS + "/user.created", version=7), 400, "schema_not_found",
        "Validation error: Schema version 7 not found for subject: user.created",
    )
    for body in ({"subject": "nobody", "payload": 1},):
        refused(client.post(SCHEMAS + "/validate", body), 400, "subject_not_found")
    refused(
        client.post(SCHEMAS + "/validate", {"subject": "user.created", "version": 2, "payload": 1}),
        400, "schema_not_found",
    )
    refused(client.get(SCHEMAS + "/user.created", version=0), 400, "schema_not_found")
    refused(
        client.post(SCHEMAS + "/validate", {"subject": "user.created", "version": 0, "payload": 1}),
        400, "schema_not_found",
    )
    refused(client.get(SCHEMAS + "/user.created", version="x"), 400, "bad_parameter")
    equal(client.get(SCHEMAS + "/validate").status, 405, "GET of validate")


def test_identical_content_gives_the_version_that_says_so_already():
    client = fresh()
    first = register(client, "x.y", {"type": "object", "maxProperties": 10, "minProperties": 1})
    text = (
        b'{"subject":"x.y","description":"later","schema":'
        b'{"minProperties":1.0,"maxProperties":1e1,"type":"obj\\u0065ct"}}'
    )
    again = client.post(SCHEMAS, text).json
    equal(again["schema_id"], first["schema_id"], "id")
    equal((again["version"], again["existing"]), (1, True), "version")
    equal(show(client, "x.y")["description"], None, "description")
    register(client, "x.y", {"type": "object", "minProperties": 0})
    back = register(client, "x.y", {"type": "object", "maxProperties": 10, "minProperties": 1})
    equal(back["version"], 1, "an earlier version, not a third")
    equal(versions(client, "x.y")["versions"], [1, 2], "versions")


def test_a_subject_is_the_name_of_an_event_type():
    client = fresh()
    for name in ("", "User.Created", "a-b", ".a", "a..b", "a" * 129, "a/b"):
        body = refused(try_register(client, name, {}), 400, "invalid_input", "event type")
        equal(body["field"], "subject", "field")
        refused(
            put(client, f"{SCHEMAS}/A-b/compatibility", {"compatibility": "NONE"}),
            400, "invalid_input",
        )
    register(client, "a" * 128, {})


def test_bad_bodies_are_refused_with_the_field():
    client = fresh()
    cases = [
        ({"schema": {}}, "subject"), ({"subject": "x"}, "schema"),
        ({"subject": 1, "schema": {}}, "subject"),
        ({"subject": "x", "schema": {}, "description": 1}, "description"),
        ({"subject": "x", "schema": {}, "tags": "t"}, "tags"),
        ({"subject": "x", "schema": {}, "compatibility": "full"}, "compatibility"),
        ({"subject": "x", "schema": {}, "enforce": "yes"}, "enforce"),
    ]
    for body, field in cases:
        equal(refused(client.post(SCHEMAS, body), 422, "json_shape")["field"], field, "field")
    refused(client.post(SCHEMAS, b'{"subject":"x","subject":"y","schema":1}'), 422, "json_shape")
    refused(client.post(SCHEMAS, b"[]"), 422, "json_shape")
    refused(client.post(SCHEMAS, b"{"), 400, "json_syntax")
    refused(client.request("POST", SCHEMAS, b"{}"), 415, "content_type")
    refused(try_register(client, "x", {}, tags=[1]), 400, "validation", "tags")
    refused(try_register(client, "x", {}, tags=["t" * 129]), 400, "validation", "tags")
    refused(try_register(client, "x", {}, tags=["t"] * 65), 413, "too_large", "tags: at most 64")
    refused(try_register(client, "x", {}, description="d" * 4097), 413, "too_large", "4096")
    register(client, "x", {}, description="d" * 4096, tags=["t" * 128] * 64)
    refused(try_register(client, "x", {"$comment": "c" * (1 << 20)}), 413, "too_large", "1048576")


def test_what_is_no_schema_is_refused_at_the_registration():
    client = fresh()
    for schema in (1, "x", [], {"type": "strnig"}, {"required": "a"}, {"$ref": "#/$defs/no"},
                   {"pattern": "("}, {"$ref": "https://example.com/x"}):
        refused(try_register(client, "x.y", schema), 400, "schema_invalid", "Validation error: ")
    equal(client.get(SCHEMAS).json["total"], 0, "subjects")


def test_a_refused_registration_makes_no_tenant():
    with Server("--max-tenants", "1") as server:
        for name in ("a", "b", "c"):
            client = server.client(name)
            refused(try_register(client, "x", {"type": 7}), 400, "schema_invalid")
            refused(try_register(client, "x", {"$ref": "y:1"}), 400, "schema_invalid")
            refused(client.post(SCHEMAS + "/x/compatibility/check", {"schema": {}}), 400,
                    "subject_not_found")
            client.get(SCHEMAS)
        register(server.client("d"), "x", {})
        refused(try_register(server.client("a"), "x", {}), 503, "tenant_limit")


def test_a_schema_may_refer_to_versions_of_other_subjects():
    client = fresh()
    register(client, "address", {"type": "object", "required": ["city"]})
    register(client, "order.placed", {"properties": {"to": {"$ref": "address:1"}}})
    good = validate(client, "order.placed", {"to": {"city": "x"}})
    equal((good["valid"], good["errors"]), (True, []), "good")
    bad = validate(client, "order.placed", {"to": {}})
    equal(bad["errors"], ["to.Missing required field: city"], "bad")
    refused(try_register(client, "x", {"$ref": "address:2"}), 400, "schema_invalid")
    refused(try_register(fresh(), "x", {"$ref": "address:1"}), 400, "schema_invalid")
    named = register(
        client, "named.one", {"$ref": "https://example.com/a"},
        references=[{"name": "https://example.com/a", "subject": "address", "version": 1}],
    )
    equal(named["version"], 1, "version")
    equal(validate(client, "named.one", {})["valid"], False, "through a named reference")


# ---- Validating


def test_validate_keeps_the_three_messages_of_the_reference():
    client = fresh()
    register(
        client, "s",
        {
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": "string"}, "c": {"required": ["d"]}},
        },
    )
    found = validate(client, "s", {"a": 1, "c": {}})
    equal(found["valid"], False, "valid")
    equal(found["schema_version"], 1, "schema_version")
    equal(
        sorted(found["errors"]),
        ["a.Type mismatch: expected string, got number", "c.Missing required field: d"],
        "errors",
    )
    equal(validate(client, "s", {})["errors"], ["Missing required field: a"], "errors")
    equal(
        validate(client, "s", {"a": "x"}), {"valid": True, "errors": [], "schema_version": 1},
        "the answer for a valid one",
    )


def test_every_error_says_where_it_is_in_payload_and_schema():
    client = fresh()
    register(client, "s", USER)
    found = validate(client, "s", {"name": 1, "age": -1})
    places = {(one["instance_location"], one["schema_location"]) for one in found["details"]}
    equal(
        places,
        {("/name", "/properties/name/type"), ("/age", "/properties/age/minimum")},
        "places",
    )
    equal(len(found["errors"]), 2, "errors")


def test_output_formats_of_the_specification():
    client = fresh()
    register(client, "s", USER)
    body = {"subject": "s", "payload": {"name": 1}}
    flag = client.post(SCHEMAS + "/validate", body, output="flag").json
    equal(flag, {"valid": False}, "flag")
    for output in ("basic", "detailed"):
        found = client.post(SCHEMAS + "/validate", body, output=output).json
        equal(found["valid"], False, "valid")
        check("/properties/name/type" in json.dumps(found["errors"]), f"{output}: {found}")
    refused(client.post(SCHEMAS + "/validate", body, output="x"), 400, "bad_parameter")


def test_a_payload_can_be_validated_by_any_version():
    client = fresh()
    set_mode(client, "s", "NONE")
    register(client, "s", {"type": "string"})
    register(client, "s", {"type": "integer"})
    equal(validate(client, "s", 1)["valid"], True, "latest")
    equal(validate(client, "s", 1, version=1)["valid"], False, "version 1")
    equal(validate(client, "s", 1, version=1)["schema_version"], 1, "schema_version")
    equal(validate(client, "s", None)["valid"], False, "a null is a payload")


# ---- Compatibility


def test_backward_is_the_default_and_means_that_the_new_one_accepts_what_the_old_accepted():
    client = fresh()
    register(client, "s", {})
    answer = try_register(client, "s", {"required": ["a"]})
    body = refused(
        answer, 400, "schema_incompatible",
        "Validation error: Schema compatibility check failed: ",
    )
    one = body["details"][0]
    equal((one["version"], one["direction"], one["kind"]), (1, "BACKWARD", "narrowed"), "detail")
    check(one["message"] in body["error"], "the message has the reason")
    equal(versions(client, "s")["versions"], [1], "versions")
    equal(set_mode(client, "s", "NONE"), {"subject": "s", "compatibility": "NONE"}, "mode")
    equal(register(client, "s", {"required": ["a"]})["version"], 2, "with NONE")


def test_the_seven_modes_are_taken_and_nothing_else():
    client = fresh()
    modes = ["NONE", "BACKWARD", "FORWARD", "FULL"]
    modes += [mode + "_TRANSITIVE" for mode in modes[1:]]
    for mode in modes:
        equal(set_mode(client, "never.registered", mode)["compatibility"], mode, "mode")
        shown = client.get(SCHEMAS + "/never.registered/compatibility").json
        equal(shown["compatibility"], mode, "shown")
    for bad in ("full", "", "X", 1, None):
        body = {"compatibility": bad}
        refused(put(client, f"{SCHEMAS}/s/compatibility", body), 422, "json_shape")
    equal(client.get(SCHEMAS).json["total"], 0, "a mode alone is no schema")


def test_transitive_looks_at_all_versions_and_plain_at_the_latest():
    narrow, middle, wide = {"maximum": 5}, {"maximum": 9}, {"maximum": 7}
    client = fresh()
    for mode, taken in (("FORWARD", True), ("FORWARD_TRANSITIVE", False)):
        subject = mode.lower().replace("_", ".")
        set_mode(client, subject, "NONE")
        register(client, subject, narrow)
        register(client, subject, middle)
        set_mode(client, subject, mode)
        answer = try_register(client, subject, wide)
        equal(answer.status, 200 if taken else 400, f"status with {mode} {answer}")
        if not taken:
            equal({one["version"] for one in answer.json["details"]}, {1}, "which one")


def test_check_is_a_registration_that_changes_nothing():
    client = fresh()
    register(client, "s", {"type": "object", "properties": {"a": {"type": "string"}}})
    path = SCHEMAS + "/s/compatibility/check"
    fine = client.post(path, {"schema": {"type": "object"}}).json
    equal(fine, {"subject": "s", "compatibility": "BACKWARD", "compatible": True, "details": []},
          "a compatible one")
    bad = client.post(path, {"schema": {"type": "array"}}).json
    equal(bad["compatible"], False, "compatible")
    check(bad["details"] and bad["details"][0]["message"], f"details {bad}")
    refused(client.post(path, {"schema": {"type": 1}}), 400, "schema_invalid")
    refused(client.post(path, {"schema": {}, "version": 9}), 400, "schema_not_found")
    refused(
        client.post(SCHEMAS + "/nobody/compatibility/check", {"schema": {}}), 400,
        "subject_not_found",
    )
    refused(client.post(path, {}), 422, "json_shape")
    equal(versions(client, "s")["versions"], [1], "versions")


def test_a_mode_and_enforcement_may_come_with_the_registration():
    client = fresh()
    register(client, "s", {"type": "string"}, compatibility="NONE", enforce=True)
    equal(register(client, "s", {"type": "integer"})["version"], 2, "version")
    shown = show(client, "s")
    equal((shown["compatibility"], shown["enforced"]), ("NONE", True), "what is set")
    refused(client.try_append(**event(event_type="s", payload={"a": 1})), 400, "validation")


# ---- Deprecation and time


def test_a_deprecated_version_is_out_of_use_and_still_there():
    client = fresh()
    set_mode(client, "s", "NONE")
    for number in (1, 2, 3):
        register(client, "s", {"maximum": number})
    answer = client.request("DELETE", SCHEMAS + "/s/versions/3")
    equal((answer.json["subject"], answer.json["version"]), ("s", 3), "answer")
    check(is_time(answer.json["deprecated_at"]), f"answer {answer}")
    equal(versions(client, "s"), {"subject": "s", "versions": [1, 2], "deprecated": [3]}, "versions")
    equal(show(client, "s")["version"], 2, "the latest")
    check(is_time(show(client, "s", version=3)["deprecated_at"]), "by its number")
    refused(client.request("DELETE", SCHEMAS + "/s/versions/3"), 400, "schema_not_found")
    refused(client.request("DELETE", SCHEMAS + "/s/versions/9"), 400, "schema_not_found")
    refused(client.request("DELETE", SCHEMAS + "/s/versions/x"), 400, "bad_path")
    equal(register(client, "s", {"maximum": 3})["version"], 4, "the same content again")
    for number in (1, 2, 4):
        client.request("DELETE", f"{SCHEMAS}/s/versions/{number}")
    refused(client.get(SCHEMAS + "/s"), 400, "subject_not_found")
    equal(client.get(SCHEMAS).json["subjects"], [], "subjects")
    equal(client.get(SCHEMAS, deprecated="true").json["subjects"], ["s"], "with deprecated ones")
    equal(show(client, "s", deprecated="true")["version"], 4, "the latest of the deprecated")
    equal(register(client, "s", {"type": "string"})["version"], 5, "numbers go on")


def test_schemas_can_be_asked_for_as_of_a_time():
    client = fresh()
    set_mode(client, "s", "NONE")
    times = [register(client, "s", {"maximum": n})["created_at"] for n in (1, 2, 3)]
    gone = client.request("DELETE", SCHEMAS + "/s/versions/3").json["deprecated_at"]
    check(len(set(times)) == 3 and times[2] < gone, "times that can be told apart")
    for number, time in enumerate(times, 1):
        equal(show(client, "s", as_of=time)["version"], number, f"as of {time}")
    equal(show(client, "s", as_of=gone)["version"], 2, "as of the deprecation")
    refused(client.get(SCHEMAS + "/s", as_of="2020-01-01T00:00:00Z"), 400, "subject_not_found")
    refused(client.get(SCHEMAS + "/s", as_of=times[0], version=2), 400, "schema_not_found")
    refused(client.get(SCHEMAS + "/s", as_of="yesterday"), 400, "bad_parameter")


# ---- Enforcement


def test_off_is_the_default_and_a_subject_may_say_otherwise():
    client = fresh()
    register(client, "user.created", USER)
    client.append("u1", "user.created", {"name": 1})
    check("schema_version" not in client.events()[0], "an unchecked event has no version")
    equal(
        set_enforcement(client, "user.created", True),
        {"subject": "user.created", "enforce": True, "enforced": True}, "enforcement",
    )
    body = refused(
        client.try_append(**event("u1", "user.created", {"name": 1, "age": -1})), 400, "validation",
        "Validation error: ",
    )
    equal((body["field"], body["index"], body["subject"], body["schema_version"]),
          ("payload", 0, "user.created", 1), "what is told")
    equal(len(body["errors"]), 2, f"errors {body}")
    client.append("u1", "user.created", {"name": "x"})
    client.append("u1", "user.renamed", {"name": 1})
    equal([one.get("schema_version") for one in client.events()], [None, 1, None], "versions")
    set_enforcement(client, "user.created", None)
    client.append("u1", "user.created", {"name": 1})
    for bad in ("x", 1):
        refused(put(client, SCHEMAS + "/s/enforcement", {"enforce": bad}), 422, "json_shape")
    refused(put(client, SCHEMAS + "/s/enforcement", {}), 422, "json_shape")


def test_a_batch_with_one_bad_payload_is_refused_whole_with_its_index():
    client = fresh()
    register(client, "user.created", USER, enforce=True)
    events = [event(f"u{n}", "user.created", {"name": "x"}) for n in range(10)]
    events[3] = event("u3", "other.type", {"name": 1})
    events[7] = event("u7", "user.created", {"nam": "x"})
    body = refused(client.try_batch(events), 400, "validation", "Missing required field: name")
    equal((body["index"], body["field"]), (7, "events[7].payload"), "which one")
    equal(body["details"][0]["schema_location"], "/required", "details")
    equal(client.query()["count"], 0, "events")
    events[7] = event("u7", "user.created", {"name": "y"})
    client.batch(events)
    found = [one.get("schema_version") for one in client.events()]
    equal(found, [1, 1, 1, None, 1, 1, 1, 1, 1, 1], "versions")


def test_strict_checks_every_subject_but_those_that_say_otherwise():
    with Server("--schema-enforcement", "strict") as server:
        client = server.client()
        register(client, "a.x", {"required": ["k"]})
        register(client, "b.x", {"required": ["k"]}, enforce=False)
        refused(client.try_append(**event("e", "a.x", {})), 400, "validation")
        client.append("e", "b.x", {})
        client.append("e", "c.x", {})
        client.append("e", "a.x", {"k": 1})
        equal(show(client, "a.x")["enforced"], True, "a")
        equal(show(client, "b.x")["enforced"], False, "b")
        server.restart(kill=True)
        client = server.client()
        refused(client.try_append(**event("e", "a.x", {})), 400, "validation")
        client.append("e", "b.x", {})


def test_formats_refuse_when_the_server_says_so():
    drafts = ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"]
    good, bad = {"when": "2026-11-27T07:51:19Z", "n": 1}, {"when": "yesterday", "n": 1}
    with Server("--schema-formats", "assert") as server:
        client = server.client()
        for number, draft in enumerate(drafts):
            name = f"f{number}"
            schema = {"$schema": draft, "properties": {"when": {"type": "string"}}}
            register(client, name, schema, enforce=True)
            client.append("e", name, bad)
            schema["properties"]["when"]["format"] = "date-time"
            narrowed = client.post("/api/v1/schemas", {"subject": name, "schema": schema})
            refused(narrowed, 400, "schema_incompatible")
            register(client, name, schema, compatibility="NONE")
            body = refused(client.try_append(**event("e", name, bad)), 400, "validation")
            equal(body["details"][0]["keyword"], "format", "keyword")
            client.append("e", name, good)
        server.restart(kill=True)
        refused(server.client().try_append(**event("e", "f0", bad)), 400, "validation")
    client = fresh()
    register(client, "f", {"properties": {"when": {"format": "date-time"}}}, enforce=True)
    client.append("e", "f", bad)


def test_events_carry_the_version_they_passed_and_keep_it():
    client = fresh()
    register(client, "s", {"required": ["a"]}, compatibility="NONE", enforce=True)
    client.append("e", "s", {"a": 1})
    register(client, "s", {"required": ["b"]})
    refused(client.try_append(**event("e", "s", {"a": 1})), 400, "validation")
    client.append("e", "s", {"b": 1})
    client.request("DELETE", SCHEMAS + "/s/versions/2")
    client.append("e", "s", {"a": 2})
    equal([one["schema_version"] for one in client.events()], [1, 2, 1], "versions")
    lines = client.all_events()
    equal([one["schema_version"] for one in lines], [1, 2, 1], "as lines")
    equal(client.get(f"{API}/events/{lines[1]['id']}").json["schema_version"], 2, "by id")


def test_a_repetition_of_an_event_is_a_success_under_a_later_version():
    client = fresh()
    register(client, "s", {"required": ["a"]}, enforce=True)
    identity = str(uuid.uuid4())
    first = client.append("e", "s", {"a": 1}, id=identity)
    register(client, "s", {})
    again = client.append("e", "s", {"a": 1}, id=identity)
    equal((again["position"], again["duplicate"]), (first["position"], True), "outcome")
    equal(client.events()[0]["schema_version"], 1, "the version of then")


def test_registering_never_stops_the_writers():
    client = fresh()
    register(client, "s", {"properties": {"n": {"type": "integer"}}}, compatibility="NONE",
             enforce=True)
    over = threading.Event()

    def work(index):
        if index == 0:
            with client.twin() as own:
                for number in range(60):
                    register(own, "s", {"properties": {"n": {"maximum": 1000 + number}}})
            over.set()
            return 0
        count = 0
        with client.twin() as own:
            while not over.is_set() or count == 0:
                own.append(f"e{index}", "s", {"n": count % 1000})
                count += 1
        return count

    counts = in_parallel(4, work)
    check(all(count > 0 for count in counts[1:]), f"appends {counts}")
    seen = [one["schema_version"] for one in client.all_events()]
    equal(len(seen), sum(counts), "events")
    check(set(seen) <= set(range(1, 62)), "versions")


def bomb(leaf):
    """Each definition refers twice to the next: comparing two of them takes all the steps there are."""
    definitions = {"d60": leaf}
    for number in range(60):
        target = {"$ref": f"#/$defs/d{number + 1}"}
        definitions[f"d{number}"] = {"anyOf": [target, {"title": "x", **target}]}
    return {"$ref": "#/$defs/d0", "$defs": definitions}


def begin_check(link, subject, schema):
    """Asks for a comparison and leaves the answer unread."""
    body = to_json({"schema": schema})
    headers = {"Content-Type": JSON_TYPE, "Content-Length": str(len(body))}
    path = f"{SCHEMAS}/{subject}/compatibility/check"
    link.socket.sendall(link.head("POST", path, headers) + body)


def is_answered(link):
    return bool(select.select([link.socket], [], [], 0)[0])


def test_a_comparison_that_takes_long_holds_up_nobody():
    with Server("--threads", "1") as server, server.client() as client:
        register(client, "s", bomb({"minimum": 1}), compatibility="FULL")
        with Volley(client, 1) as volley:
            link = volley.links[0]
            begin_check(link, "s", bomb({"minimum": 2}))
            equal(show(client, "s")["version"], 1, "version")
            equal(client.append("e", "s", 1)["version"], 1, "version")
            check(not is_answered(link), "the comparison was over first")


def test_a_stop_answers_those_whose_comparisons_wait():
    with Server("--threads", "1") as server, server.client() as client:
        register(client, "s", bomb({"minimum": 1}), compatibility="FULL")
        with Volley(client, 3) as volley:
            for link in volley.links:
                begin_check(link, "s", bomb({"minimum": 2}))
            show(client, "s")  # behind them
            server.stop()
            for link in volley.links:
                check(read_answer(link).status in (200, 503), "status")


def test_a_bounded_number_of_comparisons_may_wait():
    with Server("--threads", "1") as server, server.client() as client:
        register(client, "s", bomb({"minimum": 1}), compatibility="FULL")
        with Volley(client, 70) as volley:
            for link in volley.links:
                begin_check(link, "s", bomb({"minimum": 2}))
            last = read_answer(volley.links[-1])
            refused(last, 503, "queue_full", "waiting")
            check("retry-after" in last.headers, "no Retry-After")
            for link in volley.links:
                link.close()
        # Those who have gone are not worked for, so there is room when the one under way is over.
        body = {"schema": bomb({"minimum": 1})}
        eventually(lambda: client.post(f"{SCHEMAS}/s/compatibility/check", body).status == 200,
                   "room for a comparison", seconds=60)


def test_metrics_count_schemas_and_validations():
    with Server() as server:
        client = server.client()
        register(client, "s", {"required": ["a"]}, enforce=True)
        register(client, "s", {"required": ["a"]})
        client.batch([event("e", "s", {"a": n}) for n in range(5)])
        client.try_append(**event("e", "s", {"b": 1}))
        validate(client, "s", {"a": 1})
        equal(client.metric("schemas_registered_total"), 1, "registered")
        text = client.get("/metrics").body.decode()
        check('schema_validations_total{result="valid",subject="s"} 6' in text, "valid ones")
        check('schema_validations_total{result="invalid",subject="s"} 1' in text, "invalid ones")
        equal(client.metric("schema_validation_duration_seconds_count"), 3, "durations")


# ---- Settings are kept


def everything(client):
    paths = ["/schemas", "/schemas?deprecated=true"]
    for subject in client.get(SCHEMAS, deprecated="true").json["subjects"]:
        paths += [f"/schemas/{subject}{rest}" for rest in (
            "", "/versions", "/compatibility", "/enforcement", "/upcasts")]
        paths += [f"/schemas/{subject}?version={n}" for n in range(1, 6)]
    return {path: client.get(API + path).body for path in paths}


def fill(client):
    register(client, "a.x", USER, description="d\u00e9\"", tags=["t"], enforce=True)
    register(client, "a.x", {}, description="")
    register(client, "b.x", {"$ref": "a.x:1"}, compatibility="FULL_TRANSITIVE")
    register(client, "c.x", {"type": "string"})
    client.request("DELETE", SCHEMAS + "/c.x/versions/1")
    set_mode(client, "d.x", "NONE")
    put(client, SCHEMAS + "/a.x/upcasts", {"steps": [{"from": 1, "operations": [
        {"op": "rename", "path": "/name", "to": "n"}]}]})


def test_reference_defect_W17_schemas_survive_restarts_and_kill_9():
    with Server() as server:
        fill(server.client())
        fill(server.client("other"))
        before, other = everything(server.client()), everything(server.client("other"))
        for kill in (True, False, True):
            server.restart(kill=kill)
            equal(everything(server.client()), before, "what was set")
            equal(everything(server.client("other")), other, "what was set for another tenant")
        client = server.client()
        equal(register(client, "c.x", {"type": "string"})["version"], 2, "it goes on")
        refused(try_register(client, "b.x", {}), 400, "schema_incompatible")


def test_registrations_that_were_answered_are_there_after_kill_9():
    with Server() as server:
        answered = []

        def work(index):
            with server.client() as client:
                for number in range(200):
                    subject = f"s{index}.n{number}"
                    try:
                        answered.append((subject, register(client, subject, {})["schema_id"]))
                    except (OSError, AssertionError):
                        return
                    if index == 0 and number == 30:
                        server.process.kill()

        in_parallel(3, work)
        server.kill()
        server.start()
        client = server.client()
        check(len(answered) > 30, "registrations")
        for subject, identity in answered:
            equal(show(client, subject)["id"], identity, f"schema of {subject}")


def test_damaged_settings_stop_their_tenant_and_no_other():
    with Server() as server:
        for name in ("good", "bad"):
            register(server.client(name), "s", USER)
            server.client(name).append("e", "s", {"n": name})
        server.kill()
        folder = os.path.join(server.directory, "tenants", "bad", "settings")
        with open(os.path.join(folder, os.listdir(folder)[0]), "r+b") as log:
            log.seek(400)
            byte = log.read(1)
            log.seek(400)
            log.write(bytes([byte[0] ^ 1]))
        server.start()
        good, bad = server.client("good"), server.client("bad")
        equal(show(good, "s")["schema"], USER, "the good one")
        good.append("e", "s", {})
        refused(bad.get(SCHEMAS + "/s"), 500, "corrupt")
        refused(bad.try_append(**event("e", "s")), 500, "corrupt")
        refused(bad.get(API + "/events/query"), 500, "corrupt")


# ---- Upcasting


def upcasts(client, subject, *steps, **more):
    body = {"steps": [{"from": at, "operations": list(todo)} for at, todo in steps], **more}
    answer = put(client, f"{SCHEMAS}/{subject}/upcasts", body)
    equal(answer.status, 200, f"status {answer}")
    return answer.json


V1 = {"type": "object", "required": ["name", "price"]}
V2 = {
    "type": "object",
    "required": ["full_name", "price", "currency"],
    "properties": {"price": {"type": "string"}, "legacy": False},
}
V3 = {
    "type": "object",
    "required": ["who", "price"],
    "properties": {"who": {"type": "object", "required": ["full_name"]}},
}
FIRST = (
    {"op": "rename", "path": "/name", "to": "full_name"},
    {"op": "cast", "path": "/price", "to": "string"},
    {"op": "default", "path": "/currency", "value": "EUR"},
    {"op": "drop", "path": "/legacy"},
)
SECOND = ({"op": "move", "path": "/full_name", "to": "/who/full_name"},)


def grown(client):
    """A subject with three versions and an event of each."""
    register(client, "s", V1, compatibility="NONE", enforce=True)
    client.append("e", "s", {"name": "x", "price": 1.50, "legacy": True, "more": [1]})
    register(client, "s", V2)
    client.append("e", "s", {"full_name": "y", "price": "2", "currency": "CHF"})
    register(client, "s", V3)
    client.append("e", "s", {"who": {"full_name": "z"}, "price": 3})
    upcasts(client, "s", (1, FIRST), (2, SECOND))


def test_old_events_are_given_in_the_shape_of_a_later_version():
    client = fresh()
    grown(client)
    before = client.get(API + "/events/query").body
    found = client.events(schema_version="latest")
    equal(
        found[0]["payload"],
        {"price": "1.5", "more": [1], "currency": "EUR", "who": {"full_name": "x"}},
        "the oldest",
    )
    equal(found[1]["payload"], {"price": "2", "currency": "CHF", "who": {"full_name": "y"}}, "then")
    equal([one.get("upcast_from") for one in found], [1, 2, None], "where they come from")
    equal([one["schema_version"] for one in found], [3, 3, 3], "what they are")
    check(not any("upcast_error" in one for one in found), "no errors")
    two = client.events(schema_version=2)
    equal(two[0]["payload"]["full_name"], "x", "in version 2")
    equal(two[2]["payload"], {"who": {"full_name": "z"}, "price": 3}, "a later one stays")
    check("version 3" in two[2]["upcast_error"], f"its error {two[2]}")
    equal(client.get(API + "/events/query").body, before, "what is stored")


def test_every_read_of_events_upcasts():
    client = fresh()
    grown(client)
    path, latest = API + "/events/query", {"schema_version": "latest"}
    wanted = client.get(path, **latest).json["events"]
    equal(client.post(path, latest).json["events"], wanted, "POST")
    equal(client.get(API + "/entities/e/events", **latest).json["events"], wanted, "by entity")
    lines = client.get(path, {"Accept": NDJSON_TYPE}, **latest).lines
    equal(lines, wanted, "as lines")
    one = client.get(f"{API}/events/{wanted[0]['id']}", **latest).json
    equal(one, wanted[0], "by id")
    for bad in ("0", "x", "-1", "", "4294967296"):
        refused(client.get(with_query(path, {"schema_version": bad})), 400, "bad_parameter")


def test_streams_upcast_what_is_old_and_what_comes():
    client = fresh()
    grown(client)
    wanted = client.events(schema_version="latest")
    parameters = {"from_position": 0, "schema_version": "latest"}
    with WebSocket(client.server, client.tenant, **parameters) as stream:
        equal(stream.take(3), wanted, "frames")
        register(client, "s", {"required": ["who", "price"], "title": "later"})
        client.append("e", "s", {"who": {"full_name": "q"}, "price": 1})
        upcasts(client, "s", (3, [{"op": "drop", "path": "/price"}]))
        register(client, "s", {"required": ["who"]})
        client.append("e", "s", {"who": {"full_name": "r"}})
        found = stream.take(2)
        equal([one["payload"]["who"]["full_name"] for one in found], ["q", "r"], "live frames")
        equal(found[1]["schema_version"], 5, "the latest of then")
    with EventSource(client.server, client.tenant, **parameters) as source:
        found = [one for _, one in source.take(5)]
        equal([one.get("upcast_from") for one in found], [None, None, 3, 4, None], "events")
    for path in ("stream", "sse"):
        answer = client.get(f"{API}/events/{path}", schema_version="0")
        check(answer.status in (400, 426), f"a bad version {answer}")


def test_an_event_that_cannot_be_mapped_says_so_and_is_not_lost():
    client = fresh()
    register(client, "s", {}, compatibility="NONE", enforce=True)
    client.append("e", "s", {"n": "12"})
    client.append("e", "s", {"n": "twelve"})
    client.append("e", "s", [1])
    register(client, "s", {"type": "object", "properties": {"n": {"type": "integer"}}})
    upcasts(client, "s", (1, [{"op": "cast", "path": "/n", "to": "integer"}]))
    found = client.events(schema_version="latest")
    equal(found[0]["payload"], {"n": 12}, "one that can be")
    equal(found[1]["payload"], {"n": "twelve"}, "one that cannot")
    check("cast of /n" in found[1]["upcast_error"], f"why {found[1]}")
    equal((found[1]["schema_version"], "upcast_from" in found[1]), (1, False), "its version")
    equal(found[2]["payload"], [1], "one that does not fit")
    check("does not fit schema version 2" in found[2]["upcast_error"], f"why {found[2]}")


def test_unchecked_events_have_the_version_that_the_subject_says():
    client = fresh()
    client.append("e", "s", {"name": "x"})
    register(client, "s", {"required": ["name"]}, compatibility="NONE", enforce=True)
    register(client, "s", {"required": ["n"]})
    rename = [{"op": "rename", "path": "/name", "to": "n"}]
    upcasts(client, "s", (1, rename))
    equal(client.events(schema_version="latest")[0]["payload"], {"name": "x"}, "unknown")
    upcasts(client, "s", (1, rename), unversioned=1)
    found = client.events(schema_version="latest")[0]
    equal((found["payload"], found["upcast_from"]), ({"n": "x"}, 1), "told")


def test_paths_reach_into_arrays_and_escaped_names():
    client = fresh()
    register(client, "s", {}, compatibility="NONE", enforce=True)
    client.append("e", "s", {"items": [{"a": 1}, {"a": "2"}, 3], "x/y": {"~": 1}, "*": 1,
                             "list": [1, 2, 3]})
    register(client, "s", {"type": "object"})
    upcasts(client, "s", (1, [
        {"op": "cast", "path": "/items/*/a", "to": "string"},
        {"op": "rename", "path": "/items/*/a", "to": "b"},
        {"op": "default", "path": "/items/*/c", "value": {"d": None}},
        {"op": "drop", "path": "/x~1y/~0"},
        {"op": "drop", "path": "/list/1"},
        {"op": "move", "path": "/*", "to": "/deep/er/star"},
    ]))
    equal(
        client.events(schema_version="latest")[0]["payload"],
        {
            "items": [{"b": "1", "c": {"d": None}}, {"b": "2", "c": {"d": None}}, 3],
            "x/y": {}, "list": [1, 3], "deep": {"er": {"star": 1}},
        },
        "payload",
    )


def test_a_mapping_is_checked_when_it_is_set():
    client = fresh()
    register(client, "s", {})
    path = SCHEMAS + "/s/upcasts"
    equal(client.get(path).json, {"subject": "s", "upcasts": {"steps": []}}, "none yet")
    good = {"op": "drop", "path": "/a"}
    for steps, words in (
        ("x", "steps"), ([1], "steps[0]"), ([{"operations": []}], "from"),
        ([{"from": 0, "operations": []}], "from"), ([{"from": 1}], "operations"),
        ([{"from": 1, "operations": [good]}, {"from": 1, "operations": []}], "steps[1]"),
        ([{"from": 1, "operations": [good, {"op": "x", "path": "/a"}]}],
         "steps[0].operations[1]: `op` is one of"),
        ([{"from": 1, "operations": [{"op": "drop", "path": "a"}]}], "begins with '/'"),
        ([{"from": 1, "operations": [{"op": "drop", "path": "/a~2"}]}], "~0"),
        ([{"from": 1, "operations": [{"op": "drop", "path": "/a" * 17}]}], "too many segments"),
        ([{"from": 1, "operations": [{"op": "drop"}]}], "path"),
        ([{"from": 1, "operations": [{"op": "rename", "path": "/a"}]}], "to"),
        ([{"from": 1, "operations": [{"op": "default", "path": "/a"}]}], "value"),
        ([{"from": 1, "operations": [{"op": "cast", "path": "/a", "to": "date"}]}], "string"),
        ([{"from": 1, "operations": [{"op": "move", "path": "/a", "to": "/a/b"}]}], "itself"),
        ([{"from": 1, "operations": [good] * 101}], "at most 100"),
    ):
        refused(put(client, path, {"steps": steps}), 400, "validation", words)
    equal(put(client, path, {"steps": [{"from": 1, "operations": [good] * 100}]}).status, 200, "100")
    refused(put(client, SCHEMAS + "/no/upcasts", {"steps": []}), 400, "subject_not_found")
    big = {"steps": [{"from": 1, "operations": [{**good, "path": "/" + "a" * 66000}]}]}
    refused(put(client, path, big), 413, "too_large", "65536")
    put(client, path, {"steps": []})
    equal(client.get(path).json["upcasts"], {"steps": []}, "taken back")


# ---- The reference's defect


def test_reference_defect_W27_ingest_is_checked():
    client = fresh()
    register(client, "order.placed", {"required": ["id"]}, enforce=True)
    refused(client.try_append(**event("o", "order.placed", {})), 400, "validation")
    equal(client.query()["count"], 0, "events")


def test_reference_defect_W27_all_keywords_count():
    client = fresh()
    register(client, "s", {
        "properties": {
            "items": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
            "kind": {"enum": ["a", "b"]},
            "at": {"pattern": "^[0-9]+$"},
            "both": {"type": ["string", "null"]},
        },
        "additionalProperties": False,
    })
    equal(validate(client, "s", {"items": [1, 2], "kind": "a", "at": "1", "both": None})["valid"],
          True, "a good one")
    for bad in ({"items": ["x"]}, {"items": [1, 2, 3]}, {"kind": "c"}, {"at": "x"}, {"both": 1},
                {"other": 1}):
        equal(validate(client, "s", bad)["valid"], False, f"{bad}")


def test_reference_defect_W27_an_integer_is_an_integer():
    client = fresh()
    register(client, "s", {"type": "integer"})
    for good in (1, -5, 10 ** 30, 2.0):
        equal(validate(client, "s", good)["valid"], True, f"{good}")
    for bad in (1.5, "1", True):
        equal(validate(client, "s", bad)["valid"], False, f"{bad}")


def test_reference_defect_W27_compatibility_has_its_usual_direction_and_looks_at_types():
    client = fresh()
    register(client, "s", {"properties": {"a": {"type": "integer"}}, "required": ["a"]})
    refused(
        try_register(client, "s", {"properties": {"a": {"type": "string"}}, "required": ["a"]}),
        400, "schema_incompatible",
    )
    equal(register(client, "s", {"properties": {"a": {"type": "number"}}})["version"], 2,
          "a wider type, and no longer required")
    refused(
        try_register(client, "s", {"properties": {"a": {"type": "number"}}, "required": ["b"]}),
        400, "schema_incompatible",
    )


def test_reference_defect_W27_identical_registration_makes_no_version():
    client = fresh()
    for _ in range(3):
        equal(register(client, "s", USER)["version"], 1, "version")
    equal(versions(client, "s")["versions"], [1], "versions")


# ---- Tenants


def test_schemas_of_two_tenants_never_meet():
    with Server() as server:
        a, b = server.client("a"), server.client("b")
        register(a, "s", {"required": ["k"]}, enforce=True)
        b.append("e", "s", {})
        refused(b.get(SCHEMAS + "/s"), 400, "subject_not_found")
        register(b, "s", {"type": "string"})
        equal(show(a, "s")["schema"], {"required": ["k"]}, "the schema of a")
        none = server.client()
        none.tenant = None
        answer = none.post(SCHEMAS, {"subject": "t", "schema": {}, "tenant_id": "b"})
        equal(answer.status, 200, "a tenant named in the body")
        equal(none.get(SCHEMAS, tenant_id="b").json["subjects"], ["s", "t"], "subjects of b")
        equal(none.get(SCHEMAS).json["subjects"], [], "subjects of default")

# SPDX-License-Identifier: Apache-2.0
"""The door of Confluent's Schema Registry: paths, bodies and error numbers as its clients use them."""

import json

from harness import Server, check, equal, escape, event, fresh, refused, to_json

TYPE = "application/vnd.schemaregistry.v1+json"
ACCEPT = f"{TYPE}, application/vnd.schemaregistry+json, application/json"
USER = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def call(client, method, path, body=None, status=200):
    """As the usual clients send it. Gives the body of the answer."""
    headers = {"Accept": ACCEPT}
    if body is not None:
        headers["Content-Type"] = TYPE
        body = to_json(body)
    answer = client.request(method, path, body, headers)
    equal(answer.status, status, f"status of {method} {path}: {answer}")
    equal(answer.headers.get("content-type"), TYPE, "content type")
    return answer.json


def fails(client, method, path, code, body=None):
    found = call(client, method, path, body, code // 100 if code > 999 else code)
    equal(found["error_code"], code, f"error_code of {found}")
    check(isinstance(found["message"], str) and found["message"], "message")
    equal(set(found), {"error_code", "message"}, "fields")
    return found["message"]


def draft(schema, **more):
    return {"schema": json.dumps(schema), "schemaType": "JSON", **more}


def register(client, subject, schema, **more):
    path = f"/subjects/{escape(subject)}/versions"
    return call(client, "POST", path, draft(schema, **more))["id"]


def test_a_serializer_registers_looks_up_and_reads_back():
    client = fresh()
    equal(call(client, "GET", "/subjects"), [], "subjects")
    equal(register(client, "user.created", USER), 1, "id")
    equal(register(client, "user.created", USER), 1, "id of the same")
    equal(register(client, "orders-value", USER), 1, "the same content elsewhere")
    equal(register(client, "orders-value", {}), 2, "another content")
    found = call(client, "POST", "/subjects/orders-value", draft(USER))
    equal({key: found[key] for key in ("subject", "version", "id", "schemaType")},
          {"subject": "orders-value", "version": 1, "id": 1, "schemaType": "JSON"}, "look-up")
    equal(json.loads(found["schema"]), USER, "schema")
    by_id = call(client, "GET", "/schemas/ids/1")
    equal((by_id["schemaType"], json.loads(by_id["schema"])), ("JSON", USER), "by id")
    equal(call(client, "GET", "/schemas/ids/1/schema"), USER, "its schema")
    equal(
        call(client, "GET", "/schemas/ids/1/versions"),
        [{"subject": "orders-value", "version": 1}, {"subject": "user.created", "version": 1}],
        "who has it",
    )
    equal(call(client, "GET", "/schemas/ids/1/subjects"), ["orders-value", "user.created"], "names")
    equal(call(client, "GET", "/subjects"), ["orders-value", "user.created"], "subjects")
    equal(call(client, "GET", "/subjects?subjectPrefix=ord"), ["orders-value"], "by prefix")
    equal(call(client, "GET", "/schemas/types"), ["JSON"], "types")
    equal(call(client, "GET", "/mode"), {"mode": "READWRITE"}, "mode")


def test_versions_can_be_read_by_number_and_as_the_latest():
    client = fresh()
    register(client, "s", USER)
    register(client, "s", {})
    equal(call(client, "GET", "/subjects/s/versions"), [1, 2], "versions")
    for text, number in (("1", 1), ("2", 2), ("latest", 2), ("-1", 2)):
        found = call(client, "GET", f"/subjects/s/versions/{text}")
        equal((found["subject"], found["version"], found["id"]), ("s", number, number), text)
    equal(call(client, "GET", "/subjects/s/versions/1/schema"), USER, "the schema alone")
    fails(client, "GET", "/subjects/s/versions/3", 40402)
    for bad in ("0", "x", "-2", "2147483648", "1.0"):
        fails(client, "GET", f"/subjects/s/versions/{bad}", 42202)


def test_what_is_not_there_has_its_own_number():
    client = fresh()
    for method, path in (
        ("GET", "/subjects/no/versions"), ("GET", "/subjects/no/versions/1"),
        ("GET", "/subjects/no/versions/latest"), ("DELETE", "/subjects/no"),
        ("DELETE", "/subjects/no/versions/1"),
    ):
        check("'no'" in fails(client, method, path, 40401), "the subject's name")
    fails(client, "POST", "/subjects/no", 40401, draft({}))
    fails(client, "POST", "/compatibility/subjects/no/versions/latest", 40401, draft({}))
    for path in ("/schemas/ids/1", "/schemas/ids/x", "/schemas/ids/1/versions"):
        fails(client, "GET", path, 40403)
    register(client, "s", {})
    fails(client, "POST", "/subjects/s", 40403, draft(USER))
    fails(client, "DELETE", "/subjects/s/versions/9", 40402)
    fails(client, "POST", "/compatibility/subjects/s/versions/9", 40402, draft({}))


def test_what_is_no_json_schema_is_42201():
    client = fresh()
    path = "/subjects/s/versions"
    for body in (
        {"schema": '"string"'}, {"schema": "{}", "schemaType": "AVRO"},
        {"schema": "syntax", "schemaType": "PROTOBUF"}, {"schema": "{", "schemaType": "JSON"},
        {"schema": "", "schemaType": "JSON"}, {"schemaType": "JSON"},
        {"schema": {}, "schemaType": "JSON"}, draft({"type": "strnig"}),
        draft({}, references=[{"name": "x", "subject": "no", "version": 1}]),
        draft({}, references=[{"name": "x"}]),
    ):
        fails(client, "POST", path, 42201, body)
    headers = {"Content-Type": TYPE}
    answer = client.request("POST", path, b"{", headers)
    equal((answer.status, answer.json["error_code"]), (400, 400), "a body that is no JSON")
    equal(call(client, "GET", "/subjects"), [], "subjects")


def test_an_incompatible_schema_is_409():
    client = fresh()
    register(client, "s", {})
    message = fails(client, "POST", "/subjects/s/versions", 409, draft(USER))
    check('incompatible with an earlier schema for subject "s"' in message, message)
    path = "/compatibility/subjects/s/versions/latest"
    equal(call(client, "POST", path, draft(USER)), {"is_compatible": False}, "compatibility")
    found = call(client, "POST", path + "?verbose=true", draft(USER))
    check(found["messages"] and found["is_compatible"] is False, f"verbose {found}")
    for path in ("/compatibility/subjects/s/versions/1", "/compatibility/subjects/s/versions"):
        equal(call(client, "POST", path, draft({}))["is_compatible"], True, path)
    equal(call(client, "GET", "/subjects/s/versions"), [1], "versions")


def test_levels_are_set_for_all_and_for_one():
    client = fresh()
    equal(call(client, "GET", "/config"), {"compatibilityLevel": "BACKWARD"}, "the default")
    fails(client, "GET", "/config/s", 40408)
    equal(call(client, "GET", "/config/s?defaultToGlobal=true"),
          {"compatibilityLevel": "BACKWARD"}, "by default")
    equal(call(client, "PUT", "/config", {"compatibility": "FULL"}), {"compatibility": "FULL"}, "set")
    equal(call(client, "GET", "/config"), {"compatibilityLevel": "FULL"}, "for all")
    equal(call(client, "PUT", "/config/s", {"compatibility": "none"}), {"compatibility": "NONE"},
          "for one")
    equal(call(client, "GET", "/config/s"), {"compatibilityLevel": "NONE"}, "of one")
    register(client, "s", {"type": "string"})
    register(client, "s", {"type": "object"})
    equal(call(client, "DELETE", "/config/s"), {"compatibilityLevel": "NONE"}, "taken back")
    fails(client, "DELETE", "/config/s", 40408)
    fails(client, "POST", "/subjects/s/versions", 409, draft({"type": "array"}))
    for body in ({"compatibility": "X"}, {}, {"compatibility": 1}):
        fails(client, "PUT", "/config", 42203, body)
        fails(client, "PUT", "/config/s", 42203, body)


def test_deleting_takes_out_of_use_and_never_erases():
    client = fresh()
    call(client, "PUT", "/config", {"compatibility": "NONE"})
    for number in range(3):
        register(client, "s", {"maximum": number})
    equal(call(client, "DELETE", "/subjects/s/versions/2"), 2, "one version")
    equal(call(client, "GET", "/subjects/s/versions"), [1, 3], "versions")
    equal(call(client, "GET", "/subjects/s/versions?deleted=true"), [1, 2, 3], "with the deleted")
    fails(client, "GET", "/subjects/s/versions/2", 40402)
    equal(call(client, "GET", "/subjects/s/versions/2?deleted=true")["version"], 2, "a deleted one")
    fails(client, "DELETE", "/subjects/s/versions/2", 40402)
    equal(call(client, "DELETE", "/subjects/s/versions/latest"), 3, "the latest")
    for path in ("/subjects/s?permanent=true", "/subjects/s/versions/1?permanent=true"):
        fails(client, "DELETE", path, 42205)
    equal(call(client, "DELETE", "/subjects/s"), [1], "the rest")
    fails(client, "GET", "/subjects/s/versions", 40401)
    equal(call(client, "GET", "/subjects"), [], "subjects")
    equal(call(client, "GET", "/subjects?deleted=true"), ["s"], "with the deleted")
    equal(call(client, "GET", "/schemas/ids/2/schema"), {"maximum": 1}, "ids stay")
    equal(register(client, "s", {"maximum": 1}), 2, "the same content has its id")
    equal(call(client, "GET", "/subjects/s/versions"), [4], "under the next number")


def test_references_lead_to_other_subjects():
    client = fresh()
    register(client, "address-value", {"type": "object", "required": ["city"]})
    reference = {"name": "address.json", "subject": "address-value", "version": 1}
    schema = {"properties": {"to": {"$ref": "address.json"}}}
    fails(client, "POST", "/subjects/order/versions", 42201, draft(schema))
    register(client, "order", schema, references=[reference])
    found = call(client, "GET", "/subjects/order/versions/1")
    equal(found["references"], [reference], "references")
    answer = client.post(
        "/api/v1/schemas/validate", {"subject": "order", "payload": {"to": {}}}
    )
    equal(answer.json["errors"], ["to.Missing required field: city"], "through the reference")


def test_both_doors_lead_to_the_same_registry():
    client = fresh()
    register(client, "user.created", USER)
    found = client.get("/api/v1/schemas/user.created").json
    equal((found["version"], found["schema"], found["global_id"]), (1, USER, 1), "by the other door")
    client.request(
        "PUT", "/api/v1/schemas/user.created/enforcement", to_json({"enforce": True}),
        {"Content-Type": "application/json"},
    )
    refused(client.try_append(**event("u", "user.created", {})), 400, "validation")


def test_the_registry_of_this_door_survives_kill_9():
    with Server() as server:
        client = server.client()
        register(client, "a-value", USER)
        register(client, "b-value", USER)
        call(client, "PUT", "/config", {"compatibility": "FORWARD_TRANSITIVE"})
        call(client, "DELETE", "/subjects/b-value")
        server.restart(kill=True)
        client = server.client()
        equal(call(client, "GET", "/subjects"), ["a-value"], "subjects")
        equal(call(client, "GET", "/config"), {"compatibilityLevel": "FORWARD_TRANSITIVE"}, "level")
        equal(register(client, "c-value", USER), 1, "the id of the content")
        equal(register(client, "c-value", {"type": "object", **USER, "maxProperties": 3}), 2, "next")

# SPDX-License-Identifier: Apache-2.0
"""Non-interference: whatever tenant B does, every byte that tenant A reads stays the same."""

import re
import uuid

from harness import (
    API,
    NDJSON_TYPE,
    Server,
    check,
    equal,
    escape,
    event,
    instant,
    refused,
    slow,
    to_json,
)
from streams import EventSource, WebSocket

SHARED_ID = "11111111-2222-4333-8444-555555555555"
SECRET = "secret-of-b"
UNSTEADY = re.compile(rb',"(wal_bytes|wal_files|index_bytes)":\d+')  # marks by the clock, memory


def fill_a(client):
    for number in range(30):
        client.append(
            ["order-1", "order-2", "user-1"][number % 3],
            ["order.placed", "order.paid", "user.created"][number % 3],
            {"n": number, f"k{number % 4}": "a"},
            timestamp=instant(number * 10),
            metadata={"correlation_id": f"c{number}"} if number % 2 else None,
        )
    client.append("order-1", "order.placed", {"shared": "a"}, id=SHARED_ID, timestamp=instant(1000))
    equal(client.post(API + "/snapshots", {"entity_id": "order-1"}).status, 200, "a snapshot")


def variants():
    """Every GET of the server with many parameters."""
    paths = [API + "/stats"]
    bounds = [
        "", "&limit=5", "&limit=0", "&order=desc", "&order=desc&limit=3", "&offset=4&limit=4",
        "&since=" + instant(100), "&until=" + instant(150), "&as_of=" + instant(200),
        "&as_of_position=12", "&after_position=9", "&before_position=20", "&min_position=31",
        "&min_position=32&timeout_ms=1",
    ]
    names = [
        "", "entity_id=order-1", "entity_id=nobody", f"entity_id={SECRET}",
        "event_type=order.placed", "event_type=order.*",
        "event_type=order.paid&event_type=user.created", f"event_type={SECRET.replace('-', '.')}",
        "entity_id=user-1&event_type=user.created",
    ]
    paths += [f"{API}/events/query?{name}{bound}" for name in names for bound in bounds]
    paths += [f"{API}/entities/order-1/events?x{bound}" for bound in bounds]
    paths += [
        f"{API}/entities/{entity}/state?x{bound}"
        for entity in ("order-1", "user-1", "nobody", SECRET)
        for bound in (
            "", "&as_of=" + instant(105), "&as_of_position=15", "&at_version=3", "&history=none",
            "&history=all",
        )
    ]
    paths += [
        f"{API}/entities/{entity}/snapshot" for entity in ("order-1", "user-1", "nobody", SECRET)
    ]
    paths += [f"{API}/snapshots{rest}" for rest in ("", "?entity_id=order-1", "?limit=1")]
    paths += [f"{API}/snapshots/{entity}/latest" for entity in ("order-1", "user-1", SECRET)]
    paths += [
        f"{API}/{kind}?{rest}"
        for kind in ("entities", "event-types")
        for rest in (
            "", "limit=2", "prefix=order", "prefix=secret", "after=order-1", "prefix=u&limit=1"
        )
    ]
    paths += [
        f"{API}/events/{SHARED_ID}", f"{API}/events/{uuid.UUID(int=5)}", API + "/events/nonsense",
        f"{API}/events/query?schema_version=latest", f"{API}/events/{SHARED_ID}?schema_version=1",
        "/health", "/health/live", "/health/ready", "/nowhere", API + "/events/query?limit=x",
        API + "/events/query?since=x",
    ]
    return paths


def schema_variants():
    """Every GET of the registry, by both doors."""
    subjects = ("order.placed", "user.created", SECRET.replace("-", "."))
    paths = [API + "/schemas", API + "/schemas?deprecated=true", "/subjects", "/config", "/mode",
             "/subjects?deleted=true", "/subjects?subjectPrefix=secret", "/schemas/types"]
    for subject in subjects:
        paths += [f"{API}/schemas/{subject}{rest}" for rest in (
            "", "?version=1", "?version=2", "?as_of=" + instant(10), "/versions", "/compatibility",
            "/enforcement", "/upcasts",
        )]
        paths += [f"/subjects/{subject}/versions{rest}" for rest in (
            "", "/1", "/latest", "/latest/schema", "/2/schema",
        )]
        paths.append("/config/" + subject)
    for number in (1, 2, 3):
        paths += [f"/schemas/ids/{number}{rest}" for rest in ("", "/schema", "/versions", "/subjects")]
    return paths


def set_schemas(client, mark):
    for subject, enforce in (("order.placed", None), ("user.created", True)):
        body = {"subject": subject, "schema": {"$comment": mark}, "description": mark,
                "enforce": enforce, "compatibility": "FULL"}
        equal(client.post(API + "/schemas", body).status, 200, "status of a registration")


def change_schemas(client):
    """What B can do to a registry: the same subjects, others, levels, mappings, deprecation."""
    set_schemas(client, SECRET)
    own = SECRET.replace("-", ".")
    client.post(API + "/schemas", {"subject": own, "schema": False, "enforce": True})
    client.post("/subjects/b-value/versions", {"schema": "{}", "schemaType": "JSON"})
    for path, body in (
        ("/config", {"compatibility": "NONE"}), ("/config/order.placed", {"compatibility": "NONE"}),
        (API + "/schemas/order.placed/enforcement", {"enforce": True}),
        (API + "/schemas/order.placed/upcasts", {"unversioned": 1, "steps": []}),
    ):
        answer = client.request("PUT", path, to_json(body), {"Content-Type": "application/json"})
        equal(answer.status, 200, f"status of {path}")
    client.post(API + "/schemas", {"subject": "order.placed", "schema": False})
    client.request("DELETE", API + "/schemas/user.created/versions/1")
    refused(client.try_append(**event("x", "order.placed")), 400, "validation")


def read_all(client):
    """What tenant A can read: statuses, content types and bytes of every variant."""
    seen = {}
    for path in variants() + schema_variants():
        streamed = "/events/query?" in path or "/events?" in path
        for headers in ({}, {"Accept": NDJSON_TYPE}) if streamed else ({},):
            answer = client.request("GET", path, None, headers)
            body = UNSTEADY.sub(b"", answer.body)
            seen[path, *headers] = (answer.status, answer.headers.get("content-type"), body)
    with WebSocket(client.server, client.tenant, from_position=0) as stream:
        seen["websocket"] = [stream.message() for _ in range(31)]
        equal(stream.settle(), [], "frames behind the last event of A")
    with EventSource(client.server, client.tenant, from_position=0) as source:
        seen["sse"] = source.take(31)
    return seen


def act_as_b(client):
    """Everything that B can do: the same names, ids and times, and some of its own."""
    client.append("order-1", "order.placed", {"shared": "b"}, id=SHARED_ID)
    client.append(SECRET, SECRET.replace("-", "."), {SECRET: SECRET}, timestamp=instant(1))
    client.batch(
        [event("user-1", "order.paid", {"n": n}, timestamp=instant(n)) for n in range(200)]
    )
    for number in range(50):
        client.append(f"order-{number}", "order.placed", {"n": number})
    refused(client.try_append(**event("order-1", expected_version=0)), 409, "version_conflict")
    refused(client.try_append(**event(id=SHARED_ID)), 409, "id_conflict")
    refused(client.try_append(**event("Bad", "Bad")), 400, "invalid_input")
    for entity in ("order-1", "user-1", SECRET):
        equal(client.post(API + "/snapshots", {"entity_id": entity}).status, 200, "a snapshot")
    equal(client.request("DELETE", API + "/snapshots/order-1").status, 200, "deleted")
    client.query()
    client.state("order-1")


def check_unchanged(before, after):
    equal(set(after), set(before), "what was read")
    for key, value in before.items():
        equal(after[key], value, f"answer to {key}")


@slow
def test_nothing_that_b_does_changes_a_byte_that_a_reads():
    with Server() as server:
        a, b = server.client("tenant-a"), server.client("tenant-b")
        fill_a(a)
        set_schemas(a, "of a")
        before = read_all(a)
        act_as_b(b)
        change_schemas(b)
        with WebSocket(server, "tenant-a") as live:
            live.settle()
            act_as_b(server.client("tenant-c"))
            change_schemas(server.client("tenant-c"))
            equal(live.settle(), [], "frames of A while C appends")
        after = read_all(a)
        check_unchanged(before, after)
        for key, value in after.items():
            if SECRET not in str(key) and SECRET.replace("-", ".") not in str(key):
                check(
                    SECRET not in str(value) and "tenant-b" not in str(value), f"B shows in {key}"
                )
        server.restart()
        check_unchanged(before, read_all(server.client("tenant-a")))


def test_positions_versions_and_conflicts_of_a_do_not_depend_on_b():
    with Server() as server:
        a, b = server.client("tenant-a"), server.client("tenant-b")
        for number in range(20):
            b.batch([event("order-1") for _ in range(7)])
            outcome = a.append("order-1", expected_version=number)
            equal((outcome["position"], outcome["version"]), (number + 1, number + 1), "outcome")
        body = refused(
            a.try_append(**event("order-1", expected_version=18)), 409, "version_conflict"
        )
        equal(body["actual_version"], 20, "actual_version")
        ids = {one["id"] for one in b.events()}
        check(not any(identity in str(body) for identity in ids), "ids of B in a conflict of A")
        condition = {
            "events": [event("x")], "conditions": [{"entity_id": "order-9", "after_position": 0}]
        }
        b.append("order-9")
        equal(a.try_batch(condition).status, 200, "a condition of A that B would break")


def test_an_id_of_b_is_unknown_to_a():
    with Server() as server:
        a, b = server.client("tenant-a"), server.client("tenant-b")
        a.append("x")
        identity = b.append("y")["event_id"]
        unknown = str(uuid.UUID(int=7))
        one, other = a.get(f"{API}/events/{identity}"), a.get(f"{API}/events/{unknown}")
        equal(one.status, 404, "status")
        equal(
            one.body.replace(identity.encode(), unknown.encode()),
            other.body,
            "the answer for an id nobody has",
        )


def test_metrics_name_no_tenant_and_no_entity():
    with Server() as server:
        server.client("tenant-b").append(SECRET, "some.type", {"p": SECRET})
        text = server.client().get("/metrics").body.decode()
        check(SECRET not in text and "tenant-b" not in text, "names of a tenant in /metrics")


def test_the_tenants_name_cannot_leave_the_data_directory():
    with Server() as server:
        client = server.client()
        client.tenant = None
        for name in ("..", "../x", "/etc", "a/../b", ".", "%2e%2e", "a\\b", "con\u0000"):
            answer = client.get(f"{API}/stats?tenant_id={escape(name)}")
            refused(answer, 400, "invalid_input", "Tenant ID")
            refused(client.try_append(**event(tenant_id=name)), 400, "invalid_input", "Tenant ID")


def test_names_that_differ_only_in_case_or_form_are_different_tenants():
    with Server() as server:
        names = ["abc", "ABC", "Abc", "é", "É", "a_b", "a-b"]
        client = server.client()
        for count, name in enumerate(names, 1):
            for _ in range(count):
                client.append("e", tenant_id=name)
        server.restart()
        client = server.client()
        for count, name in enumerate(names, 1):
            equal(client.query(tenant_id=name)["count"], count, f"events of {name}")


def test_a_damaged_tenant_leaves_the_others_alone():
    with Server() as server:
        for name in ("good", "bad"):
            server.client(name).batch([event(payload={"n": n}) for n in range(50)])
        before = server.client("good").get(API + "/events/query").body
        path = server.log_files("bad")[-1]
        server.kill()
        with open(path, "r+b") as log:
            content = log.read().rstrip(b"\0")
            log.seek(300)
            log.write(bytes([content[300] ^ 1]))
            log.seek(len(content) // 2)
            log.write(bytes([content[len(content) // 2] ^ 1]))
        server.start()
        good, bad = server.client("good"), server.client("bad")
        equal(good.get(API + "/events/query").body, before, "events of the good one")
        equal(good.append("e1")["position"], 51, "an append to the good one")
        answer = bad.get(API + "/events/query")
        check(answer.status == 500 or answer.json["count"] == 0, f"the damaged one: {answer}")

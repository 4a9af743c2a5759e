# SPDX-License-Identifier: Apache-2.0
"""Snapshots: saved folds, by hand and in the background, over restarts, kills and deletion."""

import os
import random
import shutil

from harness import (
    API,
    Server,
    check,
    equal,
    escape,
    event,
    eventually,
    fresh,
    in_parallel,
    instant,
    is_time,
    is_uuid,
    refused,
    slow,
)

SNAPSHOTS = API + "/snapshots"


def make(client, entity):
    answer = client.post(SNAPSHOTS, {"entity_id": entity})
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def listed(client, entity=None, **parameters):
    if entity is not None:
        parameters["entity_id"] = entity
    answer = client.get(SNAPSHOTS, **parameters)
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def latest(client, entity):
    return client.get(f"{SNAPSHOTS}/{escape(entity)}/latest")


def counts(client, entity):
    return [one["event_count"] for one in listed(client, entity)["snapshots"]]


def delete(client, entity):
    answer = client.request("DELETE", f"{SNAPSHOTS}/{escape(entity)}")
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def fill(client, entity, count, first=0):
    client.batch([
        event(entity, payload={f"k{n % 5}": n, "n": n}) for n in range(first, first + count)
    ])


def wait_for(client, entity, expected):
    eventually(lambda: counts(client, entity) == expected, f"snapshots {expected} of {entity}")


def snapshot_folder(server, tenant="default"):
    return os.path.join(server.directory, "tenants", tenant, "snapshots")


def bounds_of(dice, count):
    return dice.choice([
        {}, {"as_of": instant(dice.randrange(-5, 1010))}, {"at_version": dice.randrange(1, 90)},
        {"as_of_position": dice.randrange(1, count + 5)},
        {"as_of": instant(dice.randrange(1000)), "at_version": dice.randrange(1, 90)},
    ])


def test_vector_10_the_ids_of_post_list_and_latest_are_equal():
    client = fresh()
    client.append("u1", "user.created", {"n": 1, "a": {"x": 1}}, timestamp=instant(5))
    client.append("u1", "user.renamed", {"n": 2, "z": None}, timestamp=instant(7))
    made = make(client, "u1")
    equal(
        list(made), ["snapshot_id", "entity_id", "created_at", "event_count", "size_bytes"], "fields"
    )
    found = latest(client, "u1").json
    equal(
        list(found)[:8], [
            "snapshot_id", "entity_id", "created_at", "as_of", "event_count", "size_bytes",
            "snapshot_type", "version"
        ], "fields of the latest"
    )
    equal(found["snapshot_id"], made["snapshot_id"], "id of the latest")
    equal(found["state"], {"n": 2, "a": {"x": 1}, "z": None}, "state")
    equal(found["size_bytes"], len('{"n":2,"a":{"x":1},"z":null}'), "size_bytes")
    equal(found["as_of"], instant(7), "as_of")
    equal((found["event_count"], found["snapshot_type"]), (2, "manual"), "count and type")
    check(is_uuid(made["snapshot_id"]) and is_time(made["created_at"]), "form")
    answer = listed(client, "u1")
    equal(answer["total"], 1, "total")
    one = answer["snapshots"][0]
    equal(one["id"], made["snapshot_id"], "id in the list")
    check("snapshot_id" not in one and "state" not in one, "fields of a list")


def test_what_has_no_events_has_no_snapshots():
    client = fresh()
    refused(
        client.post(SNAPSHOTS, {"entity_id": "none"}), 404, "entity_not_found",
        "Entity not found: none"
    )
    client.append("e")
    refused(client.post(SNAPSHOTS, {"entity_id": "none"}), 404, "entity_not_found")
    refused(latest(client, "e"), 404, "not_found")
    equal(listed(client, "none"), {"snapshots": [], "total": 0}, "list")
    equal(delete(client, "e"), {"entity_id": "e", "deleted": 0}, "deleted")


def test_a_bad_request_for_a_snapshot_names_the_field():
    client = fresh()
    equal(refused(client.post(SNAPSHOTS, {}), 422, "json_shape")["field"], "entity_id", "field")
    refused(client.post(SNAPSHOTS, {"entity_id": 5}), 422, "json_shape")
    refused(client.post(SNAPSHOTS, b"{"), 400, "json_syntax")
    refused(client.get(SNAPSHOTS, limit=0), 400, "bad_parameter")
    refused(client.get(SNAPSHOTS, limit=1001), 400, "bad_parameter")
    refused(client.get(SNAPSHOTS, limit="x"), 400, "bad_parameter")


def test_250_events_give_automatic_snapshots_at_100_and_200():
    client = fresh()
    fill(client, "e", 250)
    wait_for(client, "e", [200, 100])
    kinds = {one["snapshot_type"] for one in listed(client, "e")["snapshots"]}
    equal(kinds, {"automatic"}, "types")  # W23: the reference calls them manual
    equal(latest(client, "e").json["state"]["n"], 199, "state at 200")
    equal(client.state("e")["event_count"], 250, "event_count")
    equal(len(client.state("e")["history"]), 250, "history")


def test_an_entity_keeps_its_newest_ten():
    client = fresh()
    fill(client, "e", 1500)
    wait_for(client, "e", list(range(1500, 500, -100)))


def test_automatic_snapshots_can_be_off_and_their_thresholds_set():
    with Server("--auto-snapshot", "off") as server:
        client = server.client()
        fill(client, "e", 250)
        make(client, "e")
        equal(counts(client, "e"), [250], "snapshots")
    with Server("--snapshot-events", "7", "--snapshots-per-entity", "3") as server:
        client = server.client()
        fill(client, "e", 50)
        wait_for(client, "e", [49, 42, 35])


def test_w22_a_late_event_behind_a_snapshot_is_in_the_state():
    client = fresh()
    client.append("e", payload={"b": 1}, timestamp=instant(1000))
    make(client, "e")
    client.append("e", payload={"a": 1}, timestamp=instant(1))
    equal(client.state("e")["current_state"], {"b": 1, "a": 1}, "state")
    equal(client.state("e", as_of=instant(500))["current_state"], {"a": 1}, "state as of then")
    make(client, "e")
    equal(client.state("e", as_of=instant(500))["current_state"], {"a": 1}, "after another one")


def test_w23_a_snapshot_of_an_unchanged_entity_is_the_new_one_and_stays():
    client = fresh()
    client.append("e", timestamp=instant(3))
    ids = [make(client, "e")["snapshot_id"] for _ in range(12)]
    equal(latest(client, "e").json["snapshot_id"], ids[-1], "latest")
    equal([one["id"] for one in listed(client, "e")["snapshots"]], ids[:1:-1], "the newest ten")


def test_w23_snapshots_under_concurrent_appends_are_whole():
    client = fresh()

    def work(index):
        with client.twin() as own:
            for number in range(60):
                own.append("hot", payload={f"w{index}": number})
                if number % 10 == 0:
                    make(own, "hot")

    in_parallel(4, work)
    equal(client.state("hot")["current_state"], {f"w{n}": 59 for n in range(4)}, "state")
    for one in listed(client, "hot")["snapshots"]:
        equal(one["event_count"], one["version"], "every event up to its version")


def test_states_of_every_bound_agree_with_a_server_without_snapshots():
    dice = random.Random(7)
    with Server("--snapshot-events", "5", "--snapshots-per-entity", "4") as with_them, Server(
        "--auto-snapshot", "off"
    ) as without:
        clients = [with_them.client(), without.client()]
        for number in range(300):
            one = event(
                dice.choice("abc"), payload={dice.choice("klmn"): number},
                timestamp=instant(dice.randrange(1000)), id=f"{number:032x}"
            )
            for client in clients:
                client.append(one["entity_id"], one["event_type"], one["payload"],
                              timestamp=one["timestamp"], id=one["id"])
            if number % 50 == 0:
                make(clients[0], one["entity_id"])
        for _ in range(200):
            path = f"{API}/entities/{dice.choice('abcd')}/state"
            bounds = bounds_of(dice, 300)
            answers = [client.get(path, **bounds) for client in clients]
            equal(answers[0].status, answers[1].status, f"status of {path} {bounds}")
            equal(answers[0].body, answers[1].body, f"{path} {bounds}")


def test_w17_snapshots_survive_a_restart():
    with Server() as server:
        client = server.client()
        fill(client, "e", 250)
        wait_for(client, "e", [200, 100])
        made = make(client, "e")
        before = listed(client, "e"), client.get(API + "/entities/e/state").body
        server.restart()
        client = server.client()
        equal(listed(client, "e"), before[0], "snapshots")
        equal(latest(client, "e").json["snapshot_id"], made["snapshot_id"], "latest")
        equal(client.get(API + "/entities/e/state").body, before[1], "state")


def test_the_directory_of_snapshots_may_be_deleted():
    with Server() as server:
        client = server.client()
        for entity in ("e", "f"):
            fill(client, entity, 130)
            make(client, entity)
        before = [client.get(f"{API}/entities/{name}/state").body for name in "ef"]
        server.stop()
        check(os.listdir(snapshot_folder(server)), "there are snapshots")
        shutil.rmtree(snapshot_folder(server))
        server.start()
        client = server.client()
        equal(listed(client), {"snapshots": [], "total": 0}, "snapshots")
        after = [client.get(f"{API}/entities/{name}/state").body for name in "ef"]
        equal(after, before, "states")
        make(client, "e")
        equal(counts(client, "e"), [130], "a new one")


def test_damaged_snapshots_change_no_state():
    dice = random.Random(3)
    with Server() as server:
        client = server.client()
        fill(client, "e", 130)
        make(client, "e")
        before = client.get(API + "/entities/e/state").body
        server.stop()
        folder = snapshot_folder(server)
        path = os.path.join(folder, sorted(os.listdir(folder))[-1])
        with open(path, "rb") as file:
            good = file.read()
        for _ in range(12):
            bad = bytearray(good[:dice.randrange(len(good) // 2, len(good) + 1)])
            bad[dice.randrange(len(bad))] ^= 1 << dice.randrange(8)
            with open(path, "wb") as file:
                file.write(bad)
            server.start()
            equal(server.client().get(API + "/entities/e/state").body, before, "state")
            server.stop()
            with open(path, "wb") as file:
                file.write(good)
        server.start()


@slow
def test_after_kills_under_load_every_state_is_that_of_its_events():
    dice = random.Random(11)
    with Server("--snapshot-events", "3", "--snapshots-per-entity", "2", "--durability",
                "none") as server:
        for round_number in range(6):
            client = server.client()
            for number in range(dice.randrange(50, 200)):
                client.append(
                    f"e{dice.randrange(4)}",
                    payload={f"k{dice.randrange(9)}": [round_number, number]},
                    timestamp=instant(dice.randrange(1000))
                )
            server.kill()
            server.check_log()
            server.start()
            client = server.client()
            for index in range(4):
                events = client.events(entity_id=f"e{index}")
                state = {}
                for one in events:
                    state.update(one["payload"])
                if events:
                    equal(client.state(f"e{index}")["current_state"], state, "state")
                for one in listed(client, f"e{index}")["snapshots"]:
                    check(one["version"] <= len(events), "a snapshot that is ahead of the log")


def test_deleted_snapshots_are_gone_and_the_state_is_not():
    with Server() as server:
        client = server.client()
        for entity in ("e", "f"):
            fill(client, entity, 20)
            make(client, entity)
        before = client.get(API + "/entities/e/state").body
        equal(delete(client, "e"), {"entity_id": "e", "deleted": 1}, "deleted")
        for _ in range(2):
            equal(counts(client, "e"), [], "snapshots of e")
            equal(counts(client, "f"), [20], "snapshots of f")
            equal(client.get(API + "/entities/e/state").body, before, "state")
            server.restart()
            client = server.client()


def test_pages_of_all_snapshots_hold_each_once():
    client = fresh()
    for number in range(25):
        client.append(f"e{number}")
        for _ in range(2):
            make(client, f"e{number}")
    found, after = [], {}
    while True:
        page = listed(client, limit=7, **after)
        equal(page["total"], len(page["snapshots"]), "total")
        check(len(page["snapshots"]) <= 7 + 9, "the size of a page")
        found += [one["id"] for one in page["snapshots"]]
        if "next_after" not in page:
            break
        after = {"after": page["next_after"]}
    equal((len(found), len(set(found))), (50, 50), "snapshots on all pages")


def test_snapshots_of_two_tenants_never_meet():
    with Server() as server:
        a, b = server.client("tenant-a"), server.client("tenant-b")
        a.append("e", payload={"of": "a"})
        b.append("e", payload={"of": "b"})
        b.append("only-b", payload={"of": "b"})
        ours = make(a, "e")
        before = [a.get(SNAPSHOTS).body, latest(a, "e").body]
        make(b, "e")
        make(b, "only-b")
        fill(b, "e", 300)
        equal([a.get(SNAPSHOTS).body, latest(a, "e").body], before, "what A reads")
        refused(a.post(SNAPSHOTS, {"entity_id": "only-b"}), 404, "entity_not_found")
        refused(latest(a, "only-b"), 404, "not_found")
        equal(delete(b, "e")["deleted"] >= 1, True, "B deletes its own")
        equal(latest(a, "e").json["snapshot_id"], ours["snapshot_id"], "A keeps its own")
        equal(latest(b, "only-b").json["state"], {"of": "b"}, "B keeps the other")


def test_the_body_and_the_header_name_the_tenant_of_a_snapshot():
    with Server() as server:
        client = server.client()
        client.append("e", payload={"t": "x"}, tenant_id="x")
        answer = client.post(SNAPSHOTS, {"entity_id": "e", "tenant_id": "x"})
        equal(answer.status, 200, f"status {answer}")
        equal(listed(client, "e", tenant_id="x")["total"], 1, "of x")
        equal(listed(client, "e")["total"], 0, "of the default tenant")


def test_the_metrics_count_snapshots():
    with Server() as server:
        client = server.client()
        fill(client, "e", 100)
        wait_for(client, "e", [100])
        make(client, "e")
        equal(client.metric("snapshots_created_total"), 2, "created")
        equal(client.metric("snapshots_total"), 2, "there")
        equal(client.metric("snapshot_creation_duration_seconds_count"), 2, "timed")

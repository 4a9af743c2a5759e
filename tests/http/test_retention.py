# SPDX-License-Identifier: Apache-2.0
"""Retention: what no rule keeps goes from sealed files, and all that is left is what it was."""

import os
import subprocess
import tempfile
import threading

from harness import (
    API,
    Server,
    check,
    equal,
    event,
    eventually,
    fresh,
    refused,
    server_path,
    slow,
    to_json,
)
from sealed import BATCH, TEXT, files, seal_batches, sealing
from streams import EventSource

RULES = API + "/retention"
RUN = API + "/retention/run"
REMOVED = [
    "events_removed", "files_rewritten", "files_removed", "bytes_before", "bytes_after",
    "duration_ms"
]
TYPES = ["log.debug", "log.info", "order.paid", "order.sent"]


def batch(number):
    return [
        event(f"e{n % 7}", TYPES[n % 4], {"n": n, "text": TEXT})
        for n in range(number * BATCH, (number + 1) * BATCH)
    ]


def seal(client, batches):
    seal_batches(client, batches, batch, "log.debug")


def put(client, rules):
    return client.request(
        "PUT", RULES, to_json({"rules": rules}), {"Content-Type": "application/json"}
    )


def keep(client, *rules):
    answer = put(client, list(rules))
    equal(answer.status, 200, f"status {answer}")
    equal(answer.json["rules"], list(rules), "rules")


def run(client):
    answer = client.post(RUN, b"")
    equal(answer.status, 200, f"status {answer}")
    equal(list(answer.json), REMOVED, "fields")
    return answer.json


def left(before, newest):
    """Of all events those that a rule leaves which keeps so many of each type; all is sealed but
    the last one."""
    sealed, stays = before[:-1], {before[-1]["position"]}
    for kind in TYPES:
        of_type = [one["position"] for one in before if one["event_type"] == kind]
        stays.update(of_type[-newest:])
        stays.add(max(one["position"] for one in sealed if one["event_type"] == kind))
    for number in range(7):
        stays.add(max(one["position"] for one in sealed if one["entity_id"] == f"e{number}"))
    return [one for one in before if one["position"] in stays]


def verify(directory):
    program = os.path.join(os.path.dirname(server_path()), "allsource")
    if not os.path.exists(program):
        return
    done = subprocess.run([program, "verify", "--data-dir", directory], capture_output=True, text=True)
    equal(done.returncode, 0, f"verify: {done.stdout} {done.stderr}")


# ---- Rules


def test_without_rules_all_is_kept():
    client = fresh()
    client.append()
    told = client.get(RULES).json
    equal(list(told), ["rules", "interval_seconds", "stats"], "fields")
    equal((told["rules"], told["interval_seconds"]), ([], 3600), "rules")
    equal(told["stats"]["events_removed_ever"], 0, "removed")
    equal(run(client), dict.fromkeys(REMOVED, 0) | {"duration_ms": 0}, "a run")


def test_rules_are_one_document_that_survives_a_restart():
    with Server() as server:
        client = server.client("keeper")
        first = {"event_type": "log.*", "max_age_seconds": 86400}
        keep(client, first)
        second = {"event_type": "*", "max_count": 10, "max_bytes": 10**12}
        keep(client, first, second)
        server.restart(kill=True)
        equal(server.client("keeper").get(RULES).json["rules"], [first, second], "rules")
        equal(server.client("other").get(RULES).json["rules"], [], "of another tenant")
        keep(server.client("keeper"))


def test_what_is_wrong_with_a_rule_is_named():
    client = fresh()
    for rules, words in (
        ([{"event_type": "a", "max_count": 0}], "rules[0].max_count: 0, a whole number from 1 to"),
        ([{"event_type": "a", "max_count": 1.5}], "rules[0].max_count: 1.5"),
        ([{"event_type": "a", "max_bytes": "1"}], "rules[0].max_bytes"),
        ([{"event_type": "a", "max_age_seconds": -1}], "rules[0].max_age_seconds: -1"),
        ([{"event_type": "a", "max_age_seconds": 10**12}], "to 3155760000"),
        ([{"event_type": "a"}, {"max_count": 1}], "rules[1].event_type: it is missing"),
        ([{"event_type": 7}], "rules[0].event_type: a text is wanted"),
        ([{"event_type": "a*b"}], "rules[0].event_type"),
        ([{"event_type": ""}], "rules[0].event_type"),
        ([{"event_type": "a"}, {"event_type": "a"}], "rules[1].event_type: rules[0] is for 'a'"),
        ([{"event_type": "a", "keep": 1}], "rules[0].keep: there is no such field"),
        ([7], "rules[0]: an object is wanted"),
        ({}, "rules: an array is wanted"),
    ):
        answer = put(client, rules)
        refused(answer, 400, "invalid_input")
        check(words in answer.json["error"], f"{words}: {answer.json['error']}")
    refused(put(client, [{"event_type": f"t{n}"} for n in range(257)]), 413, "too_large")
    equal(client.get(RULES).json["rules"], [], "rules afterwards")


# ---- What goes and what stays


def test_what_is_left_is_what_it_was():
    with sealing() as server:
        client = server.client()
        seal(client, 12)
        before, state = client.all_events(), client.state("e3")
        keep(client, {"event_type": "*", "max_count": 40})
        wanted = left(before, 40)
        names = files(server)
        told = run(client)
        equal(told["events_removed"], len(before) - len(wanted), "events_removed")
        equal(told["files_removed"], len(names) - len(files(server)), "files_removed")
        check(told["files_removed"] > 4 and told["files_rewritten"] > 0, told)
        equal(client.metric("retention_events_removed_total"), told["events_removed"], "metric")
        for again in range(2):
            equal(client.all_events(), wanted, "events")
            equal(client.state("e3")["version"], state["version"], "version of the state")
            stats = client.stats()
            equal(
                (stats["total_events"], stats["position"], stats["total_entities"]),
                (len(wanted), len(before), 8), "counts"
            )
            middle = len(wanted) // 2
            last = wanted[middle]["position"]
            for query, found in (
                ("", [len(wanted), len(before)]),
                (f"where position <= {last}", [middle + 1, last]),
            ):
                words = f"select count(*) as n, max(position) as p from events {query}"
                answer = client.post(API + "/sql", {"query": words})
                if answer.status != 501:
                    equal((answer.status, answer.json["rows"][0]), (200, found), f"SQL {words}")
            summary = client.get(API + "/analytics/summary").json
            equal(summary["total_events"], len(wanted), "analytics")
            equal(run(client)["events_removed"], 0, "once more")
            told = client.get(RULES).json["stats"]
            equal(told["events_removed_ever"], len(before) - len(wanted), "ever")
            server.restart(kill=again == 0)
            client = server.client()
        server.stop()
        verify(server.directory)
        server.start()


def test_versions_are_judged_exactly_and_removed_ids_are_not_known():
    with sealing() as server:
        client = server.client()
        seal(client, 8)
        before = client.all_events()
        keep(client, {"event_type": "*", "max_count": 4})
        run(client)
        first = before[0]
        version = max(one["version"] for one in before if one["entity_id"] == "e0")
        refused(client.try_append(
            entity_id="e0", event_type="order.paid", payload={}, expected_version=version - 1
        ), 409, "version_conflict")
        same = {key: first[key] for key in ("id", "entity_id", "event_type", "payload")}
        answer = client.try_append(**same, expected_version=version)
        equal(answer.status, 200, f"status {answer}")
        new = client.all_events()[-1]
        equal((new["position"], new["version"]), (len(before) + 1, version + 1), "the next")


def test_a_rule_for_one_type_leaves_the_others():
    with sealing() as server:
        client = server.client()
        seal(client, 8)
        before = client.all_events()
        keep(client, {"event_type": "log.*", "max_count": 1}, {"event_type": "log.info"})
        run(client)
        counts = {
            one["event_type"]: one["event_count"]
            for one in client.get(API + "/event-types").json["event_types"]
        }
        for kind in TYPES[1:]:
            equal(counts[kind], sum(one["event_type"] == kind for one in before), kind)
        check(1 <= counts["log.debug"] <= 9, counts)


def test_by_itself_it_looks_each_interval():
    with sealing("--retention-interval", "1") as server:
        client = server.client()
        seal(client, 8)
        keep(client, {"event_type": "*", "max_age_seconds": 1})
        eventually(lambda: client.get(RULES).json["stats"]["events_removed"] > 300, "removed")
        positions = client.positions()
        equal(positions[-1], 8 * BATCH + 1, "the last position")


def test_a_snapshot_that_holds_what_is_gone_is_forgotten():
    with sealing("--auto-snapshot", "off") as server:
        client = server.client()
        seal(client, 8)
        kinds = {f"e{n}": {"entity_id": f"e{n}"} for n in range(7)}
        for one in kinds.values():
            equal(client.post(API + "/snapshots", one).status, 200, "snapshot")
        keep(client, {"event_type": "order.*", "max_count": 10})
        run(client)
        for name in kinds:
            answer = client.get(f"{API}/snapshots/{name}/latest")
            equal(answer.status, 404, f"snapshot of {name}")
        state = client.state("e0")
        equal(state["event_count"], len(client.events(entity_id="e0")), "events in the state")


def test_a_follower_goes_on_over_what_is_gone():
    with sealing() as server:
        client = server.client()
        seal(client, 8)
        keep(client, {"event_type": "*", "max_count": 5})
        run(client)
        wanted = client.positions()
        check(len(wanted) < 50, wanted)
        with EventSource(server, from_position=0) as stream:
            found = [one["position"] for _, one in stream.take(len(wanted))]
        equal(found, wanted, "positions")


@slow
def test_a_kill_in_the_middle_leaves_each_file_old_or_new():
    with sealing() as server:
        for attempt in range(4):
            client = server.client()
            seal(client, 8)
            before = client.all_events()
            keep(client, {"event_type": "*", "max_count": 30 + 10 * (4 - attempt)})

            def ask():
                try:
                    server.client().post(RUN, b"")
                except (OSError, ValueError, AssertionError):
                    pass  # the kill came first

            asking = threading.Thread(target=ask)
            asking.start()
            if attempt:
                asking.join(0.002 * attempt)
            server.restart(kill=True)
            asking.join()
            client = server.client()
            after = client.all_events()
            of_position = {one["position"]: one for one in before}
            check(all(of_position[one["position"]] == one for one in after), "what is left")
            equal(after[-1], before[-1], "the last one")
            versions = {}
            for one in before:
                versions[one["entity_id"]] = one["version"]
            for name, version in versions.items():
                equal(client.state(name)["version"], version, f"version of {name}")
            run(client)
        server.stop()
        verify(server.directory)
        server.start()


def test_a_backup_of_what_is_left_is_restored():
    with sealing() as server, tempfile.TemporaryDirectory() as parent:
        client = server.client()
        seal(client, 8)
        keep(client, {"event_type": "*", "max_count": 5})
        run(client)
        wanted = client.all_events()
        rules = client.get(RULES).json["rules"]
        equal(client.post(API + "/backups", {"name": "b"}).status, 202, "backup")
        path = API + "/backups/b"
        eventually(lambda: client.get(path).json["state"] != "running", "the backup")
        equal(client.get(path).json["state"], "complete", "state")
        program = os.path.join(os.path.dirname(server_path()), "allsource")
        if not os.path.exists(program):
            return
        target = os.path.join(parent, "restored")
        source = os.path.join(server.directory, "backups", "b")
        done = subprocess.run(
            [program, "restore", source, "--data-dir", target], capture_output=True, text=True
        )
        equal(done.returncode, 0, f"restore: {done.stdout} {done.stderr}")
        with Server(directory=target) as other:
            equal(other.client().all_events(), wanted, "events")
            equal(other.client().get(RULES).json["rules"], rules, "rules")

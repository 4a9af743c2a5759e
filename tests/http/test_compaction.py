# SPDX-License-Identifier: Apache-2.0
"""Compaction: sealed files become few, nothing that can be read changes, and the reference's
defects in it, and in what it builds upon, are not here."""

import os
import threading

from harness import (
    API,
    Server,
    check,
    equal,
    event,
    eventually,
    fresh,
    instant,
    refused,
    slow,
)
from sealed import BATCH, TEXT, files, seal_batches, sealing, wait_sealed

TRIGGER = API + "/compaction/trigger"
STATS = API + "/compaction/stats"
COMPACTED = [
    "files_compacted", "bytes_before", "bytes_after", "events_compacted", "duration_ms",
    "files_created"
]


def batch(number):
    return [
        event(f"e{n % 13}", f"type.t{n % 3}", {"n": n, "text": TEXT},
              timestamp=instant(n * 7919 % 5000 + n % 8 * 0.123457), metadata={"trace": n})
        for n in range(number * BATCH, (number + 1) * BATCH)
    ]


def seal(client, batches):
    seal_batches(client, batches, batch)


def seal_large(client, batches):
    """Files that do not pack well, so that merging them slowly takes long."""
    for number in range(batches):
        client.batch([
            event(f"e{n}", payload={"text": os.urandom(300).hex()}) for n in range(200)
        ], ack="summary")
        wait_sealed(client, 200 * (number - 2))


def size_of(paths):
    return sum(os.path.getsize(path) for path in paths)


def trigger(client, **parameters):
    answer = client.post(TRIGGER, b"", **parameters)
    equal(answer.status, 200, f"status {answer}")
    equal(list(answer.json), COMPACTED, "fields")
    return answer.json


def stats(client):
    answer = client.get(STATS)
    equal(answer.status, 200, f"status {answer}")
    return answer.json


def everything(client):
    """What readers see, byte by byte, by several ways."""
    return [
        client.get(API + "/events/query").body,
        client.get(API + "/events/query", entity_id="e3", order="desc").body,
        client.get(API + "/events/query", event_type="type.t1", limit=70, offset=11).body,
        client.get(API + "/events/query", as_of=instant(2500)).body,
        client.get(API + "/entities/e5/state", history="all").body,
        client.get(API + "/event-types").body,
    ]


def damage(path, at=300):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(b"rot")


# ---- The endpoints


def test_where_nothing_is_sealed_all_is_zero():
    client = fresh()
    client.append()
    equal(trigger(client), dict.fromkeys(COMPACTED, 0), "answer")
    answer = stats(client)
    equal(list(answer), ["stats", "config", "progress"], "parts")
    equal(
        answer["stats"],
        dict.fromkeys([
            "total_compactions", "total_files_compacted", "total_bytes_before",
            "total_bytes_after", "total_events_compacted", "last_compaction_duration_ms",
            "space_saved_bytes", "failures", "unreadable_files"
        ], 0), "stats"
    )
    equal(
        answer["config"], {
            "min_files_to_compact": 3, "target_file_size": 134217728, "max_file_size": 268435456,
            "small_file_threshold": 10485760, "compaction_interval_seconds": 3600,
            "auto_compact": True, "strategy": "sizebased", "age_seconds": 86400,
            "bytes_per_second": 67108864
        }, "config"
    )
    equal(
        answer["progress"],
        {"running": False, "bytes_done": 0, "bytes_total": 0, "waiting": 0}, "progress"
    )


def test_the_trigger_merges_small_files_and_says_what_it_did():
    with sealing() as server:
        client = server.client()
        seal(client, 10)
        server.restart()
        client = server.client()
        before, seen = files(server), everything(client)
        taken = size_of(before)
        answer = trigger(client)
        after = files(server)
        equal(len(after), 1, "files afterwards")
        equal(answer["files_compacted"], len(before), "files_compacted")
        equal((answer["bytes_before"], answer["bytes_after"]), (taken, size_of(after)), "bytes")
        equal(answer["events_compacted"], client.metric("storage_sealed_events"), "events")
        equal(everything(client), seen, "what readers see")
        told = stats(client)["stats"]
        equal(told["total_compactions"], 1, "total_compactions")
        equal(told["total_files_compacted"], len(before), "total_files_compacted")
        equal(told["space_saved_bytes"], taken - size_of(after), "space_saved_bytes")
        equal(client.metric("compactions_total"), 1, "metric")
        equal(client.metric("compaction_files_merged"), len(before), "metric of files")
        equal(client.metric("compaction_bytes_saved"), taken - size_of(after), "metric of bytes")
        equal(client.metric("compaction_duration_seconds_count"), 1, "metric of durations")
        equal(trigger(client), dict.fromkeys(COMPACTED, 0) | {"duration_ms": 0}, "once more")
        server.restart(kill=True)
        equal(everything(server.client()), seen, "what readers see after a kill")


def test_each_strategy_takes_what_it_says():
    for strategy, merged in (("countbased", True), ("fullcompaction", True), ("timebased", False),
                             ("sizebased", True), ("usual", True)):
        with sealing("--compact-age", "1000") as server:
            client = server.client()
            seal(client, 6)
            seen = everything(client)
            equal(trigger(client, strategy=strategy)["files_compacted"] > 0, merged, strategy)
            equal(everything(client), seen, f"what readers see after {strategy}")


def test_files_that_are_too_few_are_left_alone_but_by_full_compaction():
    with sealing("--compact-files", "50") as server:
        client = server.client()
        seal(client, 6)
        for strategy in ("usual", "countbased", "timebased"):
            equal(trigger(client, strategy=strategy)["files_compacted"], 0, strategy)
        equal(trigger(client, strategy="fullcompaction")["files_compacted"], 6, "full")


def test_a_strategy_that_does_not_exist_is_refused():
    answer = fresh().post(TRIGGER, b"", strategy="bestbased")
    refused(answer, 400, "bad_parameter")
    check("strategy" in answer.json["error"] and "fullcompaction" in answer.json["error"], answer)


def test_tenants_are_compacted_by_themselves():
    with sealing() as server:
        one, other = server.client("one"), server.client("other")
        seal(one, 8)
        seal(other, 8)
        before = len(files(server, "other"))
        check(trigger(one)["files_compacted"] > 0, "files")
        equal((len(files(server, "one")), len(files(server, "other"))), (1, before), "files")
        equal(stats(other)["stats"]["total_compactions"], 0, "compactions of the other")
        check(trigger(one, tenant_id="ignored")["files_compacted"] >= 0, "the header wins")


def test_bad_options_are_refused_by_name():
    for options, words in ((("--compact-strategy", "best"), "--compact-strategy"),
                           (("--auto-compact", "maybe"), "--auto-compact"),
                           (("--compact-files", "1"), "--compact-files")):
        try:
            Server(*options).discard()
        except AssertionError as error:
            check(words in str(error), f"{options}: {error}")
        else:
            raise AssertionError(f"{options} was accepted")


# ---- By itself


@slow
def test_files_stay_few_by_themselves():
    with Server("--seal-bytes", "4k") as server:
        client = server.client()
        seal(client, 40)
        eventually(lambda: len(files(server)) <= 10, "few files")
        answer = stats(client)
        check(answer["config"]["auto_compact"], "automatic")
        check(answer["stats"]["total_files_compacted"] >= 25, answer)
        equal(client.positions(), list(range(1, 40 * BATCH + 2)), "positions")


@slow
def test_progress_is_seen_and_who_waits_hurries_it():
    with Server("--seal-bytes", "64k", "--auto-compact", "off") as server:
        client = server.client()
        seal_large(client, 40)
        server.options = ("--compact-rate", "1k")
        server.restart()
        client = server.client()
        seen = eventually(
            lambda: (told := stats(client)["progress"])["running"] and told, "a merge under way"
        )
        check(0 < seen["bytes_done"] < seen["bytes_total"], seen)
        check(trigger(client)["files_compacted"] >= 0, "asked")
        check(stats(client)["stats"]["total_compactions"] > 0, "merged")


def test_the_server_stops_while_a_merge_is_slow():
    with Server("--seal-bytes", "64k", "--auto-compact", "off") as server:
        client = server.client()
        seal_large(client, 20)
        server.options = ("--compact-rate", "1k")
        server.restart()
        client = server.client()
        eventually(lambda: stats(client)["progress"]["running"], "a merge under way")
        server.restart()  # in time, with exit code 0
        equal(len(server.client().all_events()), 4000, "events")


@slow
def test_kills_while_files_are_merged_lose_and_double_nothing():
    with Server("--seal-bytes", "4k", "--compact-files", "2") as server:
        acknowledged = merges = 0
        for session in range(8):
            client = server.client()
            for number in range(6 + 3 * session):
                client.batch(batch(number), ack="summary")
                acknowledged += BATCH
            merges += stats(client)["stats"]["total_compactions"]
            server.restart(kill=True)
            client = server.client()
            equal(client.positions(), list(range(1, acknowledged + 1)), f"session {session}")
            equal(client.stats()["total_events"], acknowledged, "total_events")
        check(merges > 2, f"only {merges} merges")
        server.stop()
        names = os.listdir(os.path.dirname(files(server)[0]))
        equal([name for name in names if name.endswith(".new")], [], "files left behind")
        equal(len(files(server)), len(files(server, kind="idx")), "indexes")


def test_a_seal_that_fails_is_told_and_everything_is_served_from_the_log():
    with sealing() as server:
        client = server.client()
        client.append("first")
        with open(os.path.join(server.directory, "tenants", "default", "segments"), "w"):
            pass  # no directory can be made where a file is
        for number in range(3):
            client.batch(batch(number), ack="summary")
        eventually(lambda: client.metric("seal_failures_total") > 0, "a failure that is counted")
        eventually(lambda: "not sealed" in server.log_text(), "a line in the log")
        equal(client.positions(), list(range(1, 3 * BATCH + 2)), "positions")
        equal(client.metric("storage_sealed_events"), 0, "sealed events")


# ---- The reference's defects


def test_reference_defect_W12_a_truncated_file_is_told_and_costs_no_other():
    with sealing() as server:
        client = server.client()
        seal(client, 8)
        server.stop()
        broken = files(server)[3]
        os.truncate(broken, os.path.getsize(broken) // 2)
        before = files(server)
        server.start()
        client = server.client()
        equal(client.positions(before_position=100), list(range(1, 100)), "files before it")
        check(client.positions(after_position=300), "files behind it")
        refused(client.get(API + "/events/query", after_position=149, limit=10), 500, "corrupt")
        equal(client.metric("disk_read_errors_total"), 1, "metric")
        equal(client.append()["position"], 8 * BATCH + 2, "appends go on")
        refused(client.post(TRIGGER, b""), 500, "corrupt")
        check(set(before) <= set(files(server)), "nothing is deleted")
        check(not [name for name in os.listdir(os.path.dirname(broken)) if ".new" in name], "names")


def test_reference_defect_W13_tenant_time_and_version_survive():
    with sealing() as server:
        client = server.client("acme")
        seal(client, 6)
        seen = everything(client)
        check(trigger(client)["files_compacted"] > 0, "files")
        server.restart()
        client = server.client("acme")
        equal(everything(client), seen, "what readers see")
        events = client.all_events(entity_id="e1")
        equal([one["version"] for one in events], list(range(1, len(events) + 1)), "versions")
        equal({one["tenant_id"] for one in events}, {"acme"}, "tenant")
        check(any(one["timestamp"].split(".")[1] not in ("000000Z", "000Z") for one in events),
              "fractions of seconds")
        equal(server.client().stats()["total_events"], 0, "events of the default tenant")


def test_reference_defect_W14_each_event_is_in_the_output_once():
    with sealing() as server:
        client = server.client()
        seal(client, 9)
        answer = trigger(client)
        equal((answer["files_compacted"], answer["events_compacted"]), (9, 9 * BATCH), "merged")
        server.restart()
        client = server.client()
        equal(client.positions(), list(range(1, 9 * BATCH + 2)), "positions")
        equal(client.stats()["total_events"], 9 * BATCH + 1, "total_events")
        equal(len({one["id"] for one in client.all_events()}), 9 * BATCH + 1, "ids")


def test_reference_defects_R3_and_W15_nothing_is_deleted_when_an_input_is_damaged():
    with sealing() as server:
        client = server.client()
        seal(client, 10)
        server.restart()
        before = files(server) + files(server, kind="idx")
        broken = files(server)[4]
        damage(broken)
        client = server.client()
        answer = client.post(TRIGGER, b"")
        refused(answer, 500, "corrupt", "Storage error: ")
        equal(answer.json["files_compacted"], 0, "files_compacted")
        equal(files(server) + files(server, kind="idx"), before, "files")
        equal(client.metric("compaction_failures_total"), 1, "metric")
        eventually(lambda: "not compacted" in server.log_text(), "a line in the log")
        told = stats(client)["stats"]
        equal((told["failures"], told["unreadable_files"]), (1, 1), "failures")
        taken = size_of(files(server))
        answer = trigger(client)
        after = files(server)
        equal((len(after), broken in after), (3, True), "files afterwards")
        equal(taken - size_of(after), answer["bytes_before"] - answer["bytes_after"], "saved")
        check(answer["bytes_after"] > 0, "the size of what was made is true")


def test_reference_defect_R4_order_is_by_position_whatever_the_clocks_say():
    with sealing() as server:
        client = server.client()
        backwards = lambda number: [
            event(f"e{n % 3}", payload={"n": n, "text": TEXT}, timestamp=instant(4000 - n))
            for n in range(number * BATCH, (number + 1) * BATCH)
        ]
        seal_batches(client, 6, backwards)
        check(trigger(client)["files_compacted"] == 6, "files")
        server.restart()
        found = server.client().all_events()
        equal([one["position"] for one in found], list(range(1, 6 * BATCH + 2)), "positions")
        equal([one["payload"].get("n") for one in found[:-1]], list(range(6 * BATCH)), "events")


@slow
def test_reference_defect_W16_it_runs_by_itself_beside_writers_and_readers():
    with Server("--seal-bytes", "4k") as server:
        over, wrong = threading.Event(), []

        def read():
            client, count = server.client(), 0
            while not over.is_set():
                positions = client.positions()
                if positions != list(range(1, len(positions) + 1)) or len(positions) < count:
                    wrong.append(positions)
                count = len(positions)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            client = server.client()
            seal(client, 30)
            eventually(lambda: stats(client)["stats"]["total_compactions"] >= 3, "compactions")
        finally:
            over.set()
            reader.join()
        check(not wrong, f"{len(wrong)} wrong answers, the first {wrong[:1]}")
        equal(client.stats()["total_events"], 30 * BATCH + 1, "total_events")


def test_reference_defect_W17_what_is_set_is_there_after_a_restart():
    with sealing() as server:
        client = server.client()
        seal(client, 6)
        answer = client.post(API + "/schemas", {"subject": "type.t1", "schema": {"type": "object"}})
        equal(answer.status, 200, f"status {answer}")
        equal(client.post(API + "/snapshots", {"entity_id": "e5"}).status, 200, "snapshot")
        trigger(client)
        kept = [API + "/schemas/type.t1", API + "/snapshots/e5/latest"]
        before = [client.get(path).body for path in kept]
        server.restart()
        equal([server.client().get(path).body for path in kept], before, "after a restart")


def test_reference_defect_W18_sigterm_keeps_what_is_sealed_and_what_is_not():
    with sealing() as server:
        client = server.client()
        seal(client, 5)
        trigger(client)
        for number in range(7):
            client.append("last", payload={"n": number})
        server.restart()
        client = server.client()
        equal(client.positions(), list(range(1, 5 * BATCH + 9)), "positions")
        equal(client.state("last")["current_state"], {"n": 6}, "state")

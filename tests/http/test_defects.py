# SPDX-License-Identifier: Apache-2.0
"""The reference's defects, by their numbers in its list of weaknesses: none of them is here.

Those of speed and memory are proven by counting, or by ratios within one run, never by a clock
that another machine would read differently.
"""

import hashlib
import os
import random
import time
import uuid

from harness import (
    API,
    Server,
    Volley,
    alone,
    check,
    equal,
    event,
    fresh,
    in_parallel,
    instant,
    refuse_sanitizers,
    refused,
    slow,
    to_json,
)
from sealed import BATCH, files, numbered, seal_batches, sealing
from test_crash import Damaged, content_length, read_at, refuses, write_at


def fill(client, count, **how):
    events = [event(f"e{n % 10}", payload={"n": n}, **how) for n in range(count)]
    for start in range(0, count, 5000):
        client.batch(events[start : start + 5000], ack="summary")


def all_bytes(server):
    return server.client().get(API + "/events/query").body


# ---- Durability


def test_reference_defect_R1_nothing_is_lost_at_the_second_restart():
    with Server() as server:
        for number in range(30):
            server.client().append("e1", payload={"n": number})
        before = all_bytes(server)
        for restart in range(4):
            server.restart(kill=restart < 2)
            equal(all_bytes(server), before, f"events after restart {restart + 1}")


def test_reference_defect_R2_older_history_is_there_after_a_crash():
    with Server("--wal-file-bytes", "4k") as server:
        for session in range(4):
            fill(server.client(), 50)
            server.restart(kill=session % 2 == 0)
            equal(
                server.client().query()["count"],
                50 * (session + 1),
                f"events after session {session + 1}",
            )


def test_reference_defect_R5_a_flipped_digit_of_a_payload_is_detected():
    with Damaged() as damaged:
        path = damaged.log_file()
        with open(path, "rb") as log:
            offset = log.read().index(b'"number":11,') + len(b'"number":1')
        write_at(path, offset, b"2")
        refuses(damaged, path)


def test_reference_defect_R8_a_bad_record_in_the_middle_is_never_skipped():
    with Damaged() as damaged:
        path = damaged.log_file()
        end = content_length(path)
        for part in (4, 3, 2):
            offset = end // part
            old = read_at(path, offset, 8)
            write_at(path, offset, b"\xff" * 8)
            refuses(damaged, path)
            write_at(path, offset, old)


def test_reference_defect_W1_a_server_without_options_keeps_everything():
    with Server() as server:
        fill(server.client(), 100)
        before = all_bytes(server)
        server.restart(kill=True)
        equal(all_bytes(server), before, "events")


def test_reference_defects_W2_and_W3_what_was_recovered_is_sealed_and_read_with_what_was_sealed():
    with sealing() as server:
        for session in range(4):  # the log's end of each session is sealed in the next one
            client = server.client()
            seal_batches(client, 3, numbered)
            check(len(server.log_files()) <= 2, "the log was let go")
            server.restart(kill=session % 2 == 0)
        found = server.client().all_events()
        equal([one["position"] for one in found], list(range(1, 4 * (3 * BATCH + 1) + 1)), "positions")
        equal(len({one["id"] for one in found}), len(found), "ids")


def test_reference_defects_R6_and_W4_files_of_one_second_have_names_of_their_own():
    with sealing() as server:
        client, batches = server.client(), 0
        while len(files(server)) < 20 and batches < 1000:
            client.batch(numbered(batches), ack="summary")
            batches += 1
        server.stop()
        names = [os.path.basename(path).split("-") for path in files(server)]
        check(len(names) >= 20, f"{len(names)} files")
        following = 1
        for first, last, _ in names:  # names say which positions are in them, one behind the other
            equal(int(first, 16), following, "the first position of a file")
            following = int(last, 16) + 1
        server.start()
        equal(server.client().positions(), list(range(1, batches * BATCH + 1)), "positions")


def test_reference_defect_W5_no_log_file_is_deleted_while_it_is_needed():
    with Server("--wal-file-bytes", "4k") as server:
        fill(server.client(), 100)
        for number in range(100):
            server.client().append("e", payload={"n": number, "pad": "x" * 500})
        check(len(server.log_files()) > 10, f"{len(server.log_files())} log files")
        before = all_bytes(server)
        server.restart(kill=True)
        equal(all_bytes(server), before, "events of more than 10 log files")


def test_reference_defect_W6_after_a_restart_the_newest_log_file_goes_on_and_order_is_kept():
    def digests(server):
        return {
            path: hashlib.sha256(open(path, "rb").read()).digest() for path in server.log_files()
        }

    with Server("--wal-file-bytes", "4k") as server:
        fill(server.client(), 20)
        for number in range(20):
            server.client().append("e", payload={"n": number, "pad": "x" * 400})
        before = all_bytes(server)
        server.restart(kill=True)
        equal(all_bytes(server), before, "events after the restart")
        old = digests(server)
        check(len(old) >= 3, f"{len(old)} log files")
        for number in range(3):
            equal(
                server.client().append("e")["position"], 41 + number, "position after the restart"
            )
        new = digests(server)
        changed = [path for path in old if new.get(path) != old[path]]
        check(set(changed) <= {max(old)}, f"old log files were written to: {changed}")
        server.restart(kill=True)
        equal(server.client().positions(), list(range(1, 44)), "order after the second restart")


def test_reference_defect_W7_what_is_acknowledged_after_a_torn_tail_is_readable():
    with Damaged(count=2) as damaged:
        end = content_length(damaged.log_file())
        write_at(damaged.log_file(), (end + 7) // 8 * 8, os.urandom(99) + b"\x01")
        with damaged.start() as server:
            for number in (3, 4):
                equal(server.client().append("e")["position"], number, "position")
            server.restart(kill=True)
            equal(server.client().positions(), [1, 2, 3, 4], "positions")


def test_reference_defect_W8_the_checksum_covers_every_byte_of_an_event():
    with Damaged(count=12) as damaged:
        path = damaged.log_file()
        with open(path, "rb") as log:
            content = log.read()
        begin = content.index(b'{"number":3,')
        end = content.index(b'{"number":4,')
        dice = random.Random(8)
        for offset in sorted(dice.sample(range(begin, end), 15)):
            write_at(path, offset, bytes([content[offset] ^ 1 << dice.randrange(8)]))
            refuses(damaged, path)
            write_at(path, offset, content[offset : offset + 1])


def test_reference_defect_W9_damage_neither_makes_holes_nor_starts_the_store_empty():
    with Damaged() as damaged:
        path = damaged.log_file()
        write_at(path, content_length(path) // 2, b"\xff\xfe\xff")
        refuses(damaged, path)
        refuses(damaged, path)


def volley_of_appends(volley, number):
    bodies = [event(f"v{index}", payload={"n": number}) for index in range(len(volley))]
    equal({answer.status for answer in volley.post(API + "/events", bodies)}, {200}, "statuses")


@alone
def test_reference_defect_W10_appends_that_wait_together_share_one_sync():
    with Server() as server, Volley(server.client(), 32) as volley:
        client = server.client()
        before = client.metric("wal_sync_duration_seconds_count")
        for number in range(30):
            volley_of_appends(volley, number)
        syncs = client.metric("wal_sync_duration_seconds_count") - before
        check(syncs >= 30, f"{syncs} syncs for 30 volleys, each answered before the next")
        check(syncs <= 32 * 30 * 0.6, f"{syncs} syncs for {32 * 30} appends")


@slow
def test_reference_defect_W11_the_order_on_disk_is_the_order_that_was_answered():
    with Server("--wal-file-bytes", "64k") as server:
        client = server.client()

        def write(index):
            link = client.twin()
            return [
                link.append(f"e{index % 4}", payload={"w": index, "n": n})["position"]
                for n in range(100)
            ]

        positions = in_parallel(16, write)
        for own in positions:
            equal(own, sorted(own), "positions of one writer")
        equal(sorted(sum(positions, [])), list(range(1, 1601)), "positions of all")
        before = all_bytes(server)
        server.restart(kill=True)
        equal(all_bytes(server), before, "events after the restart")


# ---- Correctness


def test_reference_defect_W19_an_append_that_fails_leaves_no_trace_in_any_index():
    with Server() as server:
        client = server.client()
        client.append("e", "a.one")
        taken = str(uuid.uuid4())
        client.append("e", "a.one", id=taken)
        failures = [
            [event("victim", "ghost.type"), event("e", "a.one", expected_version=77)],
            [event("victim", "ghost.type"), event("victim", "ghost.type", id=taken)],
            [event("victim", "ghost.type"), event("", "ghost.type")],
            {
                "events": [event("victim", "ghost.type")],
                "conditions": [{"entity_id": "e", "after_position": 0}],
            },
        ]
        for failure in failures:
            check(client.try_batch(failure).status in (400, 409), f"{failure}")
        client.append("other", "a.two")
        for _ in range(2):
            client = server.client()
            equal(client.query(entity_id="victim")["count"], 0, "events of the victim")
            equal(client.query(event_type="ghost.type")["count"], 0, "events of its type")
            equal(client.get(API + "/entities/victim/state").status, 404, "state of the victim")
            names = client.get(API + "/entities").body + client.get(API + "/event-types").body
            check(b"victim" not in names and b"ghost" not in names, f"names {names}")
            equal([one["entity_id"] for one in client.events()], ["e", "e", "other"], "events")
            server.restart(kill=True)
        equal(server.client().append("victim")["version"], 1, "the victim's first version")


def test_reference_defect_W21_time_bounds_and_tenants_hold_without_entity_or_type():
    client = fresh()
    for number in range(10):
        client.append(f"e{number}", f"t.n{number}", timestamp=instant(number))
    equal(client.query(since="2999-01-01T00:00:00Z")["count"], 0, "since tomorrow")
    equal(client.positions(since=instant(3), until=instant(5)), [4, 5, 6], "since and until")
    equal(client.positions(as_of=instant(1)), [1, 2], "as_of")
    plain = client.server.client()
    equal(plain.query(tenant_id=client.tenant)["count"], 10, "tenant_id of a query")
    equal(plain.query(tenant_id=client.tenant + "x")["count"], 0, "another tenant_id")


def test_reference_defect_W22_a_late_event_is_never_lost_from_state():
    client = fresh()
    for number in range(300):
        client.append("e", payload={"b": number}, timestamp=instant(1000 + number))
    client.append("e", payload={"a": 1}, timestamp=instant(5))
    state = client.state("e")["current_state"]
    equal(state, {"b": 299, "a": 1}, "state")
    equal(client.get(API + "/entities/e/snapshot").json["snapshot"], state, "snapshot")


def test_reference_defect_W24_analytics_count_everything_once_and_are_bounded():
    client = fresh()
    analytics = API + "/analytics/"
    for month in range(1, 13):
        for number in range(4):
            client.append(f"e{month}-{number}", "a", timestamp=f"2025-{month:02}-28T12:00:00Z")
    since, until = "2025-01-01T00:00:00Z", "2025-12-31T00:00:00Z"
    answer = client.get(analytics + "frequency", since=since, until=until, window="month").json
    equal(
        [(bucket["timestamp"], bucket["count"]) for bucket in answer["buckets"]],
        [(f"2025-{month:02}-01T00:00:00Z", 4) for month in range(1, 13)],
        "months of the calendar",
    )
    late = client.get(analytics + "frequency", since="2025-07-01T00:00:00Z", until=until,
                      window="day").json
    equal(late["total_events"], 24, "the total without entity or type")
    equal(sum(bucket["count"] for bucket in late["buckets"]), 24, "is the sum of the buckets")
    summary = client.get(analytics + "summary").json
    equal((summary["unique_entities"], len(summary["top_entities"])), (48, 10), "unique entities")
    refused(
        client.get(analytics + "frequency", since="0001-01-01T00:00:00Z", window="minute"),
        400, "invalid_query", "buckets",
    )
    pairs = {"event_type_a": "a", "time_window_seconds": 10}
    itself = client.get(analytics + "correlation", event_type_b="a", **pairs).json
    equal((itself["correlated_pairs"], itself["correlation_percentage"]), (0, 0.0), "self-pairs")
    client.batch([event("one", "b" if n % 2 else "a", timestamp=since) for n in range(100)])
    crowd = client.get(analytics + "correlation", event_type_b="b", entity_id="one", **pairs).json
    equal((crowd["correlated_pairs"], crowd["correlation_percentage"]), (2500, 100.0), "percentage")


@alone
def test_reference_defect_W37_correlation_does_not_look_at_every_pair():
    refuse_sanitizers()
    with Server("--ephemeral") as server:
        few, many = server.client("few"), server.client("many")
        for client, count in ((few, 2000), (many, 100_000)):
            for first in range(0, 2 * count, 50_000):
                last = min(first + 50_000, 2 * count)
                client.batch([event("one", "b" if n % 2 else "a", timestamp=instant(n / 1000))
                              for n in range(first, last)], ack="summary")

        def correlate(client, pairs):
            answer = client.get(API + "/analytics/correlation", event_type_a="a", event_type_b="b",
                                time_window_seconds=1000)
            equal(answer.json["correlated_pairs"], pairs, "pairs")

        ratio = best_of(5, lambda: correlate(many, 100_000**2)) / best_of(
            10, lambda: correlate(few, 2000**2))
        check(ratio < 500, f"50 times the events, 2500 times the pairs: {ratio:.0f} times as long")


def test_reference_defect_W29_versions_idempotency_and_batches_exist():
    client = fresh()
    equal([client.append("e")["version"] for _ in range(3)], [1, 2, 3], "versions of an entity")
    refused(client.try_append(**event("e", expected_version=2)), 409, "version_conflict")
    retried = event("f", id=str(uuid.uuid4()))
    for _ in range(3):
        client.try_append(**retried)
    equal(client.query(entity_id="f")["count"], 1, "events of a request that was retried")
    equal(client.batch([event("g"), event("g")])["count"], 2, "a batch")


# ---- Speed and memory, by shape


def best_of(times, work):
    """The least of several durations: what the work costs when nothing else disturbs."""
    least = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - began)
    return least


@slow
@alone
def test_reference_defect_W32_many_writers_are_not_slower_than_one():
    refuse_sanitizers()
    with Server() as server:
        one, many = Volley(server.client(), 1), Volley(server.client(), 16)

        def run(volley, rounds):
            return lambda: [volley_of_appends(volley, number) for number in range(rounds)]

        single = best_of(3, run(one, 320)) / 320
        joint = best_of(3, run(many, 20)) / 320
        check(
            joint < single,
            f"an append of 16 together took {joint * 1e6:.0f} us, one alone {single * 1e6:.0f} us",
        )


@slow
@alone
def test_reference_defect_W33_a_hot_entity_is_written_as_fast_as_many():
    refuse_sanitizers()
    with Server() as server:
        hot, spread = server.client("hot"), server.client("spread")
        hot_bodies, spread_bodies = [], []
        for start in range(0, 20_000, 1000):
            numbers = range(start, start + 1000)
            hot_bodies.append(to_json([event("hot", payload={"n": n}) for n in numbers]))
            spread_bodies.append(to_json([event(f"e{n}", payload={"n": n}) for n in numbers]))
        durations = {hot: [], spread: []}
        for pair in zip(hot_bodies, spread_bodies):
            for client, body in zip((hot, spread), pair):
                began = time.perf_counter()
                equal(client.post(API + "/events/batch", body, ack="summary").status, 200, "status")
                durations[client].append(time.perf_counter() - began)
        ratio = sum(durations[hot]) / sum(durations[spread])
        check(
            ratio < 3,
            f"20,000 events of one entity took {ratio:.2f} times as long as of 20,000 entities",
        )
        growth = sum(sorted(durations[hot][-8:])[:4]) / sum(sorted(durations[hot][:8])[:4])
        check(
            growth < 4,
            f"the last events of the hot entity took {growth:.2f} times as long as the first",
        )


def fill_types(client, count):
    for start in range(0, count, 10_000):
        client.batch(
            [
                event(f"e{n % 1000}", "hot.type", {"n": n})
                for n in range(start, min(count, start + 10_000))
            ],
            ack="summary",
        )


@slow
@alone
def test_reference_defect_W34_a_limited_query_does_not_pay_for_all_matches():
    refuse_sanitizers()
    with Server() as server:
        few, many = server.client("few"), server.client("many")
        fill_types(few, 1000)
        fill_types(many, 100_000)
        for parameters in (
            {"event_type": "hot.type"}, {"event_type": "hot.type", "order": "desc"},
            {"event_type": "hot.*"}, {"entity_id": "e7"},
        ):
            def run(client, parameters=parameters):
                return lambda: equal(client.query(limit=1, **parameters)["count"], 1, "count")

            ratio = best_of(30, run(many)) / best_of(30, run(few))
            check(
                ratio < 20,
                f"{parameters} limit=1: {ratio:.1f} times as long with 100 times the matches",
            )
            ratio = best_of(10, lambda p=parameters: many.query(limit=100, **p)) / best_of(
                10, lambda p=parameters: few.query(limit=100, **p))
            check(
                ratio < 20,
                f"{parameters} limit=100: {ratio:.1f} times as long with 100 times the matches",
            )


@slow
@alone
def test_reference_defect_W35_a_scan_copies_nothing_and_stalls_no_writer():
    refuse_sanitizers()
    with Server() as server:
        few, many = server.client("few"), server.client("many")
        fill_types(few, 1000)
        fill_types(many, 100_000)
        ratio = best_of(20, lambda: many.query(limit=10)) / best_of(20, lambda: few.query(limit=10))
        check(
            ratio < 20,
            f"a scan with limit=10 took {ratio:.1f} times as long over 100 times the events",
        )
        before = server.private_bytes()
        readers = [many.twin() for _ in range(4)]
        scans = [reader.pieces(API + "/events/query") for reader in readers]
        for scan in scans:
            next(scan)
        grown = server.private_bytes() - before
        check(grown < 16 << 20, f"4 scans under way cost {grown} bytes")
        for number in range(100):
            equal(many.append("late")["version"], number + 1, "an append while scans are under way")
        for scan in scans:
            content = b"".join(scan)
            check(content.endswith(b'],"count":100000}'), f"end of a scan {content[-40:]}")


@slow
@alone
def test_reference_defect_W36_events_are_not_kept_in_private_memory():
    refuse_sanitizers()
    with Server() as server:
        client = server.client()
        padding = "x" * 300
        total, half = 400_000, 0  # so that the working memory of sealing is in both halves
        for start in range(0, total, 5000):
            client.batch(
                [
                    event(f"e{n % 500}", f"t.n{n % 10}", {"n": n, "p": padding})
                    for n in range(start, start + 5000)
                ],
                ack="summary",
            )
            if start + 5000 == total // 2:
                half = server.private_bytes()
        each = (server.private_bytes() - half) / (total / 2)
        check(each < 150, f"{each:.0f} bytes of private memory an event of 400 bytes")

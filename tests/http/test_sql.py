# SPDX-License-Identifier: Apache-2.0
"""POST /api/v1/sql: what it answers, what it refuses, what bounds it, and that it costs nobody else."""

import csv
import io
import os
import re
import signal
import threading

import arrow_stream
from harness import (
    API,
    NDJSON_TYPE,
    Server,
    Skip,
    check,
    equal,
    event,
    eventually,
    fresh,
    fresh_tenant,
    instant,
    refuse_sanitizers,
    server_path,
    slow,
)

HOSTILE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sql", "hostile.txt"
)
CSV_TYPE = "text/csv"


def need_worker():
    if not os.path.exists(os.path.join(os.path.dirname(server_path()), "allsource-sql")):
        raise Skip("this build has no allsource-sql")


def sql(client, query, accept="application/json", **parameters):
    return client.post(API + "/sql", {"query": query, **parameters}, {"Accept": accept})


def rows(client, query, **parameters):
    answer = sql(client, query, **parameters)
    equal(answer.status, 200, f"status of {query!r}: {answer.body[:300]}")
    equal(answer.json["row_count"], len(answer.json["rows"]), "row_count")
    return answer.json["rows"]


def refused_sql(client, query, status, code, **parameters):
    answer = sql(client, query, **parameters)
    equal((answer.status, answer.json["code"]), (status, code), f"{query!r}: {answer.body[:300]}")
    return answer.json


def fill(client, count=30):
    batch = [
        event(
            f"order-{number % 3}",
            ["order.placed", "order.paid"][number % 2],
            {"n": number, "text": "a text that is longer than twelve bytes"},
            timestamp=instant(number * 10),
            metadata={"correlation_id": f"c{number}"} if number % 2 else None,
        )
        for number in range(count)
    ]
    equal(client.try_batch(batch).status, 200, "status of the batch")


def test_every_column_is_what_the_events_endpoint_says():
    need_worker()
    client = fresh()
    fill(client)
    answer = sql(client, "SELECT * FROM events ORDER BY position").json
    names = [column["name"] for column in answer["columns"]]
    equal(
        names,
        ["position", "entity_id", "version", "event_type", "id", "timestamp", "recorded_at",
         "payload", "metadata", "schema_version"],
        "columns",
    )
    events = client.get(API + "/events/query").json["events"]
    equal(len(answer["rows"]), len(events), "rows")
    for row, known in zip(answer["rows"], events):
        row = dict(zip(names, row))
        for name in set(names) - {"schema_version"}:
            equal(row[name], known[name], f"{name} of position {known['position']}")
    equal(answer["position"], 30, "position")


def test_counts_groups_and_json_paths():
    need_worker()
    client = fresh()
    fill(client)
    equal(rows(client, "SELECT count(*) FROM events"), [[30]], "count")
    equal(
        rows(client, "SELECT event_type, count(*), sum((payload->>'n')::INT) FROM events "
                     "GROUP BY 1 ORDER BY 1"),
        [["order.paid", 15, 225], ["order.placed", 15, 210]],
        "groups",
    )
    equal(
        rows(client, "SELECT entity_id, version, event_count, first_position, last_position, "
                     "last_event_type FROM entities ORDER BY 1"),
        [["order-0", 10, 10, 1, 28, "order.paid"], ["order-1", 10, 10, 2, 29, "order.placed"],
         ["order-2", 10, 10, 3, 30, "order.paid"]],
        "entities",
    )
    equal(
        rows(client, "WITH a AS (SELECT * FROM events WHERE version = 1) "
                     "SELECT a.entity_id, e.version FROM a JOIN events e USING (entity_id) "
                     "WHERE e.version = 10 ORDER BY 1"),
        [["order-0", 10], ["order-1", 10], ["order-2", 10]],
        "a join of events with itself",
    )


def test_what_was_appended_before_the_question_is_in_the_answer():
    need_worker()
    client = fresh()
    for number in range(1, 40):
        client.append("e1", "test.event", {"n": number})
        equal(
            rows(client, "SELECT max(position), max((payload->>'n')::INT) FROM events"),
            [[number, number]],
            "the newest",
        )


def test_time_travel_by_position_and_by_time():
    need_worker()
    client = fresh()
    fill(client)
    for position in (1, 7, 30, 99):
        equal(
            rows(client, "SELECT count(*), max(position) FROM events", as_of_position=position),
            [[min(position, 30), min(position, 30)]],
            f"as_of_position {position}",
        )
    equal(
        rows(client, "SELECT count(*) FROM events", as_of=instant(95)), [[10]], "as_of a time"
    )
    equal(
        rows(client, "SELECT max(event_count) FROM entities", as_of=instant(95)),
        [[4]],
        "entities as of a time",
    )
    answer = sql(client, "SELECT 1", as_of_position=7).json
    equal(answer["position"], 7, "the position that was asked for")
    equal(sql(client, "SELECT 1").json["position"], 30, "the position that was pinned")
    answer = client.post(API + "/sql", {"query": "SELECT 1", "min_position": 31, "timeout_ms": 20})
    equal(answer.status, 504, "a position that does not come")


def test_conditions_at_the_top_bound_what_is_looked_at():
    need_worker()
    client = fresh()
    fill(client)
    reads = {
        "SELECT * FROM events ORDER BY position DESC LIMIT 5": (5, 5),
        "SELECT position FROM events e ORDER BY e.position DESC LIMIT 3 OFFSET 2": (5, 3),
        "SELECT position AS p, -position AS q FROM events ORDER BY position DESC LIMIT 2": (2, 2),
        "SELECT count(*) FROM events WHERE position > 25": (5, 1),
        "SELECT * FROM events WHERE position BETWEEN 20 AND 22 AND version > 0": (11, 3),
        "SELECT * FROM events WHERE 28 <= position": (3, 3),
        "SELECT * FROM events WHERE position = 30": (1, 1),
        # These look the same and are not.
        "SELECT -position AS position FROM events ORDER BY position DESC LIMIT 5": (30, 5),
        "SELECT * REPLACE (-position AS position) FROM events ORDER BY position DESC LIMIT 5":
            (30, 5),
        "SELECT * FROM events WHERE version < 2 ORDER BY position DESC LIMIT 5": (30, 3),
        "SELECT DISTINCT entity_id, position FROM events ORDER BY position DESC LIMIT 5": (30, 5),
        "SELECT position, row_number() OVER () FROM events ORDER BY position DESC LIMIT 5": (30, 5),
        "SELECT unnest([1, 2]), position FROM events ORDER BY position DESC LIMIT 5": (30, 5),
        "SELECT max(position) FROM events GROUP BY entity_id ORDER BY 1 DESC LIMIT 5": (30, 3),
        "SELECT * FROM events WHERE position > 25 OR version = 1": (30, 8),
        "SELECT a.position FROM events a, events b WHERE a.position > 25 AND b.position = 1":
            (60, 5),
        "SELECT 1 AS position FROM events WHERE position = 30": (1, 1),
    }
    for query, (most, count) in reads.items():
        answer = sql(client, query).json
        equal(answer.get("row_count"), count, f"rows of {query}: {answer}")
        looked = answer["scanned"]["tail_events"]
        check(looked <= 30 * query.count("events") and (most == 30 or looked <= max(most, 30)),
              f"{query} looked at {looked}")
    # One batch is read whole; where events are batches of their own, the bound is exact.
    client = fresh()
    for number in range(40):
        client.append(f"e{number % 4}", "test.event", {"n": number})
    answer = sql(client, "SELECT position FROM events ORDER BY position DESC LIMIT 3").json
    equal(answer["rows"], [[40], [39], [38]], "the newest")
    equal(answer["scanned"]["tail_events"], 3, "events looked at")
    answer = sql(client, "SELECT count(*) FROM events WHERE position > 35").json
    equal((answer["rows"], answer["scanned"]["tail_events"]), ([[5]], 5), "a bound on position")
    answer = sql(client, "SELECT position FROM events WHERE entity_id = 'e1' ORDER BY 1").json
    equal(answer["rows"], [[n] for n in range(2, 41, 4)], "one entity")
    answer = sql(client, "SELECT count(*) FROM events WHERE entity_id = 'e1' OR entity_id = 'e2'")
    equal(answer.json["rows"], [[20]], "two entities")
    answer = sql(client, "SELECT 'e1' AS entity_id FROM events WHERE entity_id = 'e2'")
    equal(answer.json["row_count"], 10, "a column goes before an alias")


def test_other_formats_hold_the_same():
    need_worker()
    client = fresh()
    fill(client, 6)
    query = ("SELECT position, entity_id, payload, metadata, 'a \"b\", c' AS text, NULL AS none, "
             "'' AS empty, timestamp, 1.50::DECIMAL(9,2) AS price, [1,2] AS list FROM events "
             "ORDER BY position")
    answer = sql(client, query, NDJSON_TYPE)
    equal(answer.headers["content-type"], NDJSON_TYPE, "type")
    lines = answer.lines
    equal(len(lines), 6, "lines")
    equal(lines[0]["payload"]["n"], 0, "JSON in a line")
    equal(lines[1]["list"], [1, 2], "a list in a line")
    answer = sql(client, query, CSV_TYPE)
    equal(answer.headers["content-type"], CSV_TYPE, "type")
    table = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    equal(table[0], list(lines[0]), "names")
    equal(table[1][4:7], ['a "b", c', "", ""], "quotes")
    check(b',,"",' in answer.body, "NULL is nothing, and an empty text is not")
    equal(table[1][8], "1.50", "a decimal")
    equal(table[2][7], instant(10), "a moment")


def test_an_arrow_stream_holds_the_same():
    need_worker()
    client = fresh()
    fill(client)
    accept = "application/vnd.apache.arrow.stream"
    answer = sql(client, "SELECT position, entity_id, id, timestamp, metadata, schema_version "
                         "FROM events ORDER BY position", accept)
    equal(answer.headers["content-type"], accept, "type")
    names, table = arrow_stream.read(answer.body)
    equal(names, ["position", "entity_id", "id", "timestamp", "metadata", "schema_version"],
          "names")
    events = client.get(API + "/events/query").json["events"]
    equal(len(table), len(events), "rows")
    for row, known in zip(table, events):
        equal(row[:2], [known["position"], known["entity_id"]], "position and entity")
        equal(row[2].hex(), known["id"].replace("-", ""), "id")
        equal(row[4] is None, known["metadata"] is None, "metadata")
    names, table = arrow_stream.read(
        sql(client, "SELECT range, range || 'x' AS t FROM range(20000)", accept, limit=12345).body
    )
    equal(table, [[n, f"{n}x"] for n in range(12345)], "rows up to the limit")
    names, table = arrow_stream.read(sql(client, "SELECT 1 AS a WHERE false", accept).body)
    equal((names, table), (["a"], []), "no rows")


def test_values_of_every_type_are_put_exactly():
    need_worker()
    client = fresh()
    values = [
        ("true", True), ("255::UTINYINT", 255), ("(-128)::TINYINT", -128),
        ("18446744073709551615::UBIGINT", 18446744073709551615),
        ("(-9223372036854775808)::BIGINT", -9223372036854775808),
        ("170141183460469231731687303715884105727::HUGEINT",
         170141183460469231731687303715884105727),
        ("(-1.05)::DECIMAL(5,2)", -1.05), ("0.001::DECIMAL(38,10)", 0.001), ("1e300", 1e300),
        ("'nan'::DOUBLE", "NaN"), ("'-inf'::DOUBLE", "-Infinity"), ("'a\"\\b'", 'a"\\b'),
        ("DATE '2024-02-29'", "2024-02-29"), ("TIME '12:34:56.5'", "12:34:56.500000"),
        ("TIMESTAMP '2024-02-29 12:34:56.789'", "2024-02-29T12:34:56.789"),
        ("TIMESTAMPTZ '2024-02-29 12:34:56+01'", "2024-02-29T11:34:56Z"),
        ("INTERVAL '1 month 2 days 3.5 seconds'", "P1M2DT3.500000S"),
        ("'0192aa00-0000-7000-8000-000000000000'::UUID", "0192aa00-0000-7000-8000-000000000000"),
        ("'ab'::BLOB", "6162"), ("NULL", None), ("[1, NULL, 3]", [1, None, 3]),
        ("{'a': 1, 'b': [true]}", {"a": 1, "b": [True]}), ("MAP {'k': 1.5}", {"k": 1.5}),
        ("MAP {1: 'x'}", [{"key": 1, "value": "x"}]), ("'{\"x\": 1}'::JSON", {"x": 1}),
        ("[[1], []]", [[1], []]), ("'infinity'::TIMESTAMPTZ", "infinity"),
        ("[1, 2]::INT[2]", [1, 2]), ("'é😀'", "é😀"), ("'1969-12-31 23:59:59.5'::TIMESTAMPTZ",
                                                      "1969-12-31T23:59:59.500Z"),
    ]
    row = rows(client, "SELECT " + ", ".join(text for text, _ in values))[0]
    for (text, expected), value in zip(values, row):
        equal(value, expected, text)


def test_a_long_answer_is_streamed_and_a_short_one_has_a_length():
    need_worker()
    client = fresh()
    answer = sql(client, "SELECT range, 'some text to fill it' FROM range(300000)", NDJSON_TYPE)
    equal(answer.headers.get("transfer-encoding"), "chunked", "framing")
    equal(answer.body.count(b"\n"), 300000, "lines")
    check("content-length" in sql(client, "SELECT 1").headers, "a short answer has a length")


def test_limits_are_told_in_the_answer_or_as_an_error():
    need_worker()
    with Server("--sql-rows-max", "1000") as server, server.client() as client:
        answer = sql(client, "SELECT * FROM range(50)", limit=10).json
        equal((answer["row_count"], answer["truncated"]), (10, True), "cut by limit")
        answer = sql(client, "SELECT * FROM range(10)", limit=10).json
        equal((answer["row_count"], answer["truncated"]), (10, False), "not cut by limit")
        answer = sql(client, "SELECT * FROM range(5000)").json
        equal((answer["row_count"], answer["truncated"]), (1000, True), "cut by the server")
        equal(sql(client, "SELECT * FROM range(50)", CSV_TYPE, limit=10).body.count(b"\n"), 11,
              "lines of CSV with a limit")
        answer = sql(client, "SELECT * FROM range(5000)", CSV_TYPE)
        equal((answer.status, answer.json["code"]), (413, "too_large"), "CSV cannot say it is cut")
        flaw = sql(client, "SELECT 1", limit=1001)
        check(flaw.status in (400, 422) and flaw.json["limit"] == 1000, f"limit too large: {flaw}")


def test_what_is_wrong_with_a_request_is_named():
    need_worker()
    client = fresh()
    refused_sql(client, "", 400, "invalid_query")
    equal(client.post(API + "/sql", {}).json["field"], "query", "field")
    answer = refused_sql(client, "SELECT '" + "x" * 70000 + "'", 413, "too_large")
    equal((answer["field"], answer["limit"]), ("query", 65536), "the limit")
    refused_sql(client, "SELECT 'a\0b'", 400, "invalid_query")
    refused_sql(client, "SELECT " + "abs(" * 1500 + "1" + ")" * 1500, 400, "invalid_query")
    refused_sql(client, "SELECT " + "1+" * 20000 + "1", 400, "invalid_query")
    check("nosuch" in refused_sql(client, "SELECT nosuch FROM events", 400, "invalid_query")["error"],
          "the column is named")
    for count in range(100, 130):  # words are cut, but not within a character
        for pad in ("", "x"):
            refused_sql(client, f'SELECT "{pad}{"é" * count}" FROM events', 400, "invalid_query")
            refused_sql(client, f'SELECT "{pad}{"é" * count}"(1)', 400, "invalid_query")
    equal(client.get(API + "/sql").status, 405, "GET")
    answer = client.request("POST", API + "/sql", b"SELECT 1", {"Content-Type": "text/plain"})
    equal(answer.status, 415, "a body that is no JSON")


def hostile():
    with open(HOSTILE, encoding="utf-8") as lines:
        for line in lines:
            if line[0] in "!~":
                yield line[0], line[2:].rstrip("\n").replace("\\n", "\n")


def secret_files(client):
    """A second tenant with something that must never be seen."""
    client.append("secret-entity", "secret.type", {"secret": "attack-at-dawn"})


@slow
def test_hostile_queries_are_refused_and_the_server_is_well_after_each():
    need_worker()
    refused_queries = [query for mark, query in hostile() if mark == "!"]
    check(len(refused_queries) > 200, "there are enough of them")
    with Server() as server, server.client() as client, server.client(fresh_tenant()) as other:
        fill(client)
        secret_files(other)
        for query in refused_queries:
            answer = sql(client, query)
            equal((answer.status, answer.json["code"]), (400, "invalid_query"), f"{query!r}")
            check(b"dawn" not in answer.body and b"root:" not in answer.body, f"{query!r} leaks")
        equal(rows(client, "SELECT count(*) FROM events"), [[30]], "the events are there")
        equal(rows(other, "SELECT count(*) FROM events"), [[1]], "the other's event is there")


def bounded(client, queries):
    for query in queries:
        answer = sql(client, query)
        check(
            answer.status == 200
            or (answer.status, answer.json["code"])
            in ((400, "invalid_query"), (413, "too_large"), (504, "timeout"),
                (500, "worker_died")),
            f"{query!r}: {answer}",
        )
        check(b"dawn" not in answer.body and b"root:" not in answer.body, f"{query!r} leaks")
        equal(rows(client, "SELECT 1 + 1"), [[2]], f"the query after {query!r}")
        check(client.healthy(), f"the server after {query!r}")


def test_hostile_work_is_bounded_first_half():
    bounded_half(0)


@slow
def test_hostile_work_is_bounded_second_half():
    bounded_half(1)


def bounded_half(half):
    need_worker()
    queries = [query for mark, query in hostile() if mark == "~"][half::2]
    options = ("--sql-timeout", "700", "--sql-memory-bytes", "128m")
    with Server(*options) as server, server.client() as client:
        with server.client(fresh_tenant()) as other:
            secret_files(other)
        fill(client)
        bounded(client, queries)


def test_a_tenant_sees_its_own_events_only():
    need_worker()
    one, two = fresh(), fresh()
    fill(one, 5)
    two.append("only", "only.type", {"mine": 1})
    for _ in range(3):  # the workers change hands
        equal(rows(one, "SELECT count(*) FROM events"), [[5]], "events of one")
        equal(rows(two, "SELECT entity_id FROM events"), [["only"]], "events of two")
    equal(rows(fresh(), "SELECT count(*) FROM events"), [[0]], "events of nobody")


def workers_of(server):
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        parent = int(text.rsplit(")", 1)[1].split()[1])
        if parent == server.process.pid and "allsource-sql" in text:
            found.append(int(name))
    return found


def test_every_answer_is_over_one_position_while_others_append():
    need_worker()
    with Server("--wal-file-bytes", "64k") as server:
        stop = threading.Event()
        failures = []

        def append():
            with server.client() as writer:
                number = 0
                while not stop.is_set():
                    number += 1
                    one = event(f"e{number % 9}", "test.event", {"n": number})
                    answer = writer.try_batch([one] * (number % 7 + 1))
                    if answer.status != 200:
                        failures.append(answer)

        threads = [threading.Thread(target=append) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            with server.client() as client:
                last = 0
                for _ in range(60):
                    answer = sql(client, "SELECT count(*), min(position), max(position), "
                                         "count(DISTINCT position), sum(version) FROM events").json
                    position = answer["position"]
                    check(position >= last, "positions go up")
                    last = position
                    if position:
                        equal(answer["rows"][0][:4], [position, 1, position, position],
                              f"at position {position}")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        equal(failures, [], "appends")
        check(last > 100, "there was something to see")


def test_a_worker_is_confined():
    need_worker()
    refuse_sanitizers()
    with Server("--sql-memory-bytes", "128m") as server, server.client() as client:
        fill(client)
        rows(client, "SELECT count(*) FROM events")
        pid = workers_of(server)[0]
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            text = status.read()
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2"):
            check(line in text, f"{line!r} in {text}")
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            limit = {line[:25].strip(): line[26:].split()[0] for line in limits}
        equal(limit["Max file size"], "0", "bytes it may write into files")
        check(int(limit["Max data size"]) <= 640 << 20, "memory")
        check(int(limit["Max cpu time"]) < 1000, "CPU time")


ENDLESS = "SELECT sum(a.range * b.range * c.range) FROM range(1000000) a, range(1000000) b, " \
          "range(1000000) c"


def begin(client, query):
    """Sends a query and does not wait for its answer."""
    client.connect()
    body = b'{"query":"' + query.encode() + b'"}'
    head = client.head("POST", API + "/sql",
                       {"Content-Type": "application/json", "Content-Length": str(len(body))})
    client.socket.sendall(head + body)


def test_a_worker_that_dies_costs_its_own_query_and_nothing_else():
    need_worker()
    with Server() as server, server.client() as client:
        fill(client)
        begin(client, ENDLESS)
        pid = eventually(lambda: workers_of(server), "a worker")[0]
        os.kill(pid, signal.SIGKILL)
        answer = client.stream.readline()
        check(b" 500 " in answer, f"status {answer!r}")
        client.close()
        equal(rows(client, "SELECT count(*) FROM events"), [[30]], "the next query")


def test_a_client_that_goes_away_ends_its_query():
    need_worker()
    with Server("--sql-workers", "1") as server, server.client() as client:
        fill(client)
        begin(client, ENDLESS)
        eventually(lambda: workers_of(server), "a worker")
        client.close()
        equal(rows(client, "SELECT count(*) FROM events", timeout_ms=20000), [[30]],
              "the query behind it")
        metrics = client.get("/metrics").body
        check(b'allsource_sql_queries_total{result="ok"} 1' in metrics, "the metric")


def test_more_queries_than_may_wait_are_refused_at_once():
    need_worker()
    with Server("--sql-workers", "1", "--sql-timeout", "20000") as server:
        clients = [server.client() for _ in range(34)]
        for client in clients[:33]:
            begin(client, ENDLESS)
        with server.client() as client:
            eventually(
                lambda: b"allsource_sql_queries_waiting 32" in client.get("/metrics").body,
                "a full line",
            )
            answer = sql(client, "SELECT 1")
            equal((answer.status, answer.json["code"]), (503, "queue_full"), "one too many")
            check("retry-after" in answer.headers, "when to come again")
        for client in clients:
            client.close()
        with server.client() as client:
            equal(rows(client, "SELECT 1", timeout_ms=15000), [[1]], "when they have gone")


def test_a_reader_that_is_slow_holds_the_worker_back_and_not_the_memory():
    need_worker()
    with Server("--sql-rows-max", "100000000") as server, server.client() as client:
        before = server.private_bytes()
        begin(client, "SELECT range, 'text that takes some room' FROM range(10000000)")
        eventually(lambda: client.socket.recv(1 << 16), "the first bytes")
        eventually(lambda: workers_of(server), "a worker")
        for _ in range(20):
            client.socket.recv(1 << 16)
        check(server.private_bytes() - before < 64 << 20, "memory of a slow reader")
        client.close()


def test_a_query_that_is_late_is_told_how_long_it_may_take():
    need_worker()
    client = fresh()
    answer = refused_sql(client, ENDLESS, 504, "timeout", timeout_ms=150)
    check("150 ms" in answer["error"], "the limit is named")


def test_without_workers_sql_is_not_implemented_and_the_rest_is():
    with Server("--sql-workers", "0") as server, server.client() as client:
        fill(client, 3)
        refused_sql(client, "SELECT 1", 501, "unsupported")
    with Server("--sql-program", "/nonexistent/allsource-sql") as server:
        with server.client() as client:
            fill(client, 3)
            answer = refused_sql(client, "SELECT 1", 501, "unsupported")
            check("libduckdb" in answer["error"], "what to install is said")
            equal(client.get(API + "/events/query").json["count"], 3, "the rest works")


def test_metrics_count_queries_by_how_they_ended():
    need_worker()
    with Server() as server, server.client() as client:
        sql(client, "SELECT 1")
        sql(client, "SELECT nosuch")
        text = client.get("/metrics").body.decode()
        for line in ('allsource_sql_queries_total{result="ok"} 1',
                     'allsource_sql_queries_total{result="invalid_query"} 1',
                     "allsource_sql_workers 1", "allsource_sql_workers_started_total 1",
                     "allsource_sql_query_duration_seconds_count 2"):
            check(re.search("^" + re.escape(line) + "$", text, re.M), f"no line {line}")

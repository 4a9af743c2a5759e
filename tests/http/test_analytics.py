# SPDX-License-Identifier: Apache-2.0
"""Frequency, summary and correlation: against models, at their bounds, and asked wrongly."""

import collections
import datetime
import json
import random

from harness import (
    API,
    Server,
    check,
    equal,
    event,
    eventually,
    fresh,
    instant,
    is_time,
    refused,
)

ANALYTICS = API + "/analytics/"
BEGIN = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def ask(client, what, **parameters):
    answer = client.get(ANALYTICS + what, **parameters)
    equal(answer.status, 200, f"status of {what} {parameters} {answer}")
    return answer.json


def text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def floor(moment, window):
    if window == "month":
        return moment.replace(day=1, hour=0, minute=0, second=0)
    if window == "week":
        moment -= datetime.timedelta(days=moment.weekday())
    moment = moment.replace(second=0)
    if window != "minute":
        moment = moment.replace(minute=0)
    return moment if window in ("minute", "hour") else moment.replace(hour=0)


def after(moment, window):
    if window == "month":
        return (moment + datetime.timedelta(days=31)).replace(day=1)
    seconds = {"minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}[window]
    return moment + datetime.timedelta(seconds=seconds)


def fill(client, count, seconds, seed=1, entities=12, types=4):
    """Random events of the first `seconds` of 2024; gives them as (moment, entity, type)."""
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        moment = BEGIN + datetime.timedelta(seconds=dice.randrange(seconds))
        made.append((moment, f"e{dice.randrange(entities)}", f"type.t{dice.randrange(types)}"))
    client.batch([event(who, kind, timestamp=text(moment)) for moment, who, kind in made])
    return made


# ---- Frequency


def model_frequency(made, since, until, window):
    counts = collections.defaultdict(collections.Counter)
    for moment, _, kind in made:
        if since <= moment <= until:
            counts[floor(moment, window)][kind] += 1
    buckets, moment = [], floor(since, window)
    while counts and moment <= until:
        kinds = counts.get(moment, {})
        buckets.append({
            "timestamp": text(moment),
            "count": sum(kinds.values()),
            "event_types": dict(kinds),
        })
        moment = after(moment, window)
    return buckets


def test_frequency_is_that_of_a_loop_over_all_events_in_every_window():
    spans = {"minute": 4000, "hour": 90000, "day": 40 * 86400, "week": 90 * 86400,
             "month": 800 * 86400}
    for seed, (window, seconds) in enumerate(spans.items()):
        client = fresh()
        made = fill(client, 400, seconds, seed)
        since = BEGIN + datetime.timedelta(seconds=seconds // 5)
        until = BEGIN + datetime.timedelta(seconds=seconds * 4 // 5)
        for parameters, wanted in (
            ({}, made),
            ({"event_type": "type.t1"}, [one for one in made if one[2] == "type.t1"]),
            ({"event_type": ["type.t0", "type.t2*"]},
             [one for one in made if one[2] in ("type.t0", "type.t2")]),
            ({"entity_id": "e3"}, [one for one in made if one[1] == "e3"]),
            ({"entity_id": "e3", "event_type": "type.t1"},
             [one for one in made if one[1:] == ("e3", "type.t1")]),
        ):
            answer = ask(client, "frequency", since=text(since), until=text(until), window=window,
                         **parameters)
            buckets = model_frequency(wanted, since, until, window)
            equal(answer["buckets"], buckets, f"buckets by {window} {parameters}")
            equal(answer["total_events"], sum(bucket["count"] for bucket in buckets), "total")
            equal(answer["window"], window, "window")
            equal(answer["time_range"], {"from": text(since), "to": text(until)}, "range")


def test_frequency_has_the_fields_of_the_contract_and_ends_now():
    client = fresh()
    client.append("u1", "user.created")
    answer = ask(client, "frequency", since="2026-01-01T00:00:00Z", window="month")
    equal(list(answer), ["buckets", "total_events", "window", "time_range", "position"], "fields")
    equal(list(answer["buckets"][0]), ["timestamp", "count", "event_types"], "of a bucket")
    equal(answer["time_range"]["from"], "2026-01-01T00:00:00Z", "from")
    check(is_time(answer["time_range"]["to"]), "until is now")
    equal(answer["buckets"][-1]["event_types"], {"user.created": 1}, "the last bucket is now")
    client.append("u1", "user.renamed", timestamp="2999-01-01T00:00:00Z")
    equal(ask(client, "frequency", since="2026-01-01T00:00:00Z", window="month")["total_events"],
          1, "without the future")


def test_frequency_without_events_has_no_buckets():
    client = fresh()
    for name in (None, "e1"):
        answer = ask(client, "frequency", since=instant(0), until=instant(5), window="minute",
                     entity_id=name)
        equal((answer["buckets"], answer["total_events"]), ([], 0), "nothing")
    fill(client, 10, 100)
    answer = ask(client, "frequency", since=instant(5), until=instant(0), window="minute")
    equal((answer["buckets"], answer["total_events"]), ([], 0), "until before since")


def test_frequency_takes_the_most_buckets_there_may_be_and_refuses_one_more():
    client = fresh()
    client.append("e", timestamp=instant(0))
    most = 50_000
    last = most * 60 - 1
    answer = client.get(ANALYTICS + "frequency", since=instant(0), until=instant(last),
                        window="minute")
    equal((answer.status, len(answer.json["buckets"])), (200, most), "buckets")
    equal(answer.json["buckets"][-1]["timestamp"], instant(last - 59), "the last one")
    body = refused(client.get(ANALYTICS + "frequency", since=instant(0), until=instant(last + 1),
                              window="minute"), 400, "invalid_query", "50001 buckets", "50000")
    equal((body["field"], body["limit"]), ("window", most), "what is wrong")


def test_frequency_counts_in_the_first_and_the_last_year_that_can_be_written():
    client = fresh()
    first, last = "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"
    client.append("e", timestamp=first)
    client.append("e", timestamp=last)
    for window in ("minute", "hour", "day", "week", "month"):
        answer = ask(client, "frequency", since=first, until="0000-01-02T00:00:00Z", window=window)
        equal(answer["buckets"][0]["timestamp"], first, f"the first {window}")
        answer = ask(client, "frequency", since="9999-12-31T00:00:00Z", until=last, window=window)
        equal(answer["buckets"][-1]["count"], 1, f"the last {window}")


def test_a_frequency_of_many_types_is_streamed_whole():
    client = fresh()
    kinds = [f"type.n{number:05}" for number in range(20_000)]
    client.batch([event("e", kind, timestamp=instant(0)) for kind in kinds])
    answer = client.get(ANALYTICS + "frequency", since=instant(0), until=instant(9), window="week")
    check(len(answer.body) > 300_000, f"{len(answer.body)} bytes")
    equal(answer.json["buckets"][0]["event_types"], {kind: 1 for kind in kinds}, "types")
    equal(list(answer.json["buckets"][0]["event_types"]), kinds, "in order")
    head = client.request("HEAD", ANALYTICS + "frequency?since=2024-01-01T00:00:00Z&window=month")
    equal((head.status, head.body), (200, b""), "HEAD")
    equal(client.query(limit=1)["count"], 1, "the connection goes on")


# ---- Summary


def model_top(counter, key, total):
    top = sorted(counter.items(), key=lambda one: (-one[1], one[0]))[:10]
    return [{key: name, "count": count, "percentage": count / total * 100} for name, count in top]


def test_summary_is_that_of_a_loop_over_all_events():
    client = fresh()
    made = fill(client, 3000, 50 * 86400, entities=137, types=21)
    for since, until, kind in ((0, 50, None), (10, 20, None), (0, 50, "type.t3"), (7, 7.5, "type.t9")):
        begin, end = (BEGIN + datetime.timedelta(days=days) for days in (since, until))
        wanted = [one for one in made
                  if begin <= one[0] <= end and (kind is None or one[2] == kind)]
        answer = ask(client, "summary", since=text(begin), until=text(end), event_type=kind)
        total, moments = len(wanted), [one[0] for one in wanted]
        who, what = (collections.Counter(one[n] for one in wanted) for n in (1, 2))
        span = {"from": text(min(moments)), "to": text(max(moments))}
        equal(answer, {
            "total_events": total,
            "unique_entities": len(who),
            "unique_event_types": len(what),
            "time_range": span,
            "events_per_day": total / max(1, (max(moments) - min(moments)).days),
            "top_event_types": model_top(what, "event_type", total),
            "top_entities": model_top(who, "entity_id", total),
            "first_event": span["from"],
            "last_event": span["to"],
            "exact": True,
            "position": 3000,
        }, "summary")


def test_summary_of_nothing_is_the_error_of_the_contract():
    client = fresh()
    client.append("e1", "t")
    for parameters in ({"entity_id": "nobody"}, {"event_type": "nothing"}, {"until": instant(0)}):
        body = refused(client.get(ANALYTICS + "summary", **parameters), 400, "validation")
        equal(body["error"], "Validation error: No events found for the specified criteria", "words")


def test_summary_beyond_the_names_it_may_hold_says_what_is_an_estimate():
    with Server("--ephemeral", "--analytics-exact-names", "100") as server:
        client = server.client()
        client.batch([event(f"e{n}" if n % 2 else "busy", f"t{n % 3}") for n in range(20_000)])
        answer = ask(client, "summary")
        equal((answer["exact"], answer["total_events"]), (False, 20_000), "exact")
        equal(answer["approximate"], ["unique_entities", "top_entities"], "estimates")
        equal(answer["standard_error_percent"], 0.8125, "standard error")
        check(abs(answer["unique_entities"] - 10_001) < 500, f"{answer['unique_entities']} entities")
        equal(answer["top_entities"][0],
              {"entity_id": "busy", "count": 10_000, "percentage": 50.0}, "what is frequent is exact")
        for other in answer["top_entities"][1:]:
            check(other["count"] <= 1 <= other["count"] + other.get("count_error_max", 0),
                  f"{other}")
        equal((answer["unique_event_types"], answer["top_event_types"][0]["count"]), (3, 6667),
              "types are exact")


# ---- Correlation


def model_correlation(made, a, b, within):
    sides = [[one for one in made if one[2] == kind] for kind in (a, b)]
    pairs, paired = [], 0
    for i, (at, who, _) in enumerate(sides[0]):
        near = [(at, other[0], who, int(abs((at - other[0]).total_seconds())))
                for k, other in enumerate(sides[1]) if other[1] == who and (a != b or k != i)]
        near = [pair for pair in near if pair[3] <= within]
        paired += bool(near)
        pairs += near
    if a == b:
        ordered = sorted(pairs, key=lambda pair: (min(pair[:2]), max(pair[:2]), pair[2]))
        pairs = [(min(p[:2]), max(p[:2]), p[2], p[3]) for p in ordered[::2]]
    pairs.sort(key=lambda pair: pair[:3])
    return {
        "event_type_a": a,
        "event_type_b": b,
        "total_a": len(sides[0]),
        "total_b": len(sides[1]),
        "correlated_pairs": len(pairs),
        "correlation_percentage": paired / len(sides[0]) * 100 if sides[0] else 0.0,
        "avg_time_between_seconds": sum(p[3] for p in pairs) / len(pairs) if pairs else 0.0,
        "examples": [{
            "entity_id": p[2],
            "event_a_timestamp": text(p[0]),
            "event_b_timestamp": text(p[1]),
            "time_between_seconds": p[3],
        } for p in pairs[:5]],
        "correlated_a": paired,
        "position": len(made),
    }


def test_correlation_is_that_of_a_loop_over_all_pairs():
    client = fresh()
    made = fill(client, 900, 3000, entities=9)
    for a, b, within in (
        ("type.t0", "type.t1", 30), ("type.t1", "type.t0", 0), ("type.t2", "type.t2", 60),
        ("type.t0", "type.t3", 100_000), ("type.t0", "absent", 60), ("absent", "type.t0", 60),
        ("none", "none", 5),
    ):
        answer = ask(client, "correlation", event_type_a=a, event_type_b=b,
                     time_window_seconds=within)
        equal(answer, model_correlation(made, a, b, within), f"{a} and {b} within {within} s")


def test_correlation_truncates_the_time_between_to_whole_seconds():
    client = fresh()
    for number, apart in enumerate((1.999999, 2.0, 2.999999)):
        client.append(f"e{number}", "a", timestamp=instant(10))
        client.append(f"e{number}", "b", timestamp=instant(10 + apart))
        client.append(f"e{number}", "c", timestamp=instant(10 - apart))
    for other in ("b", "c"):
        for within, pairs in ((0, 0), (1, 1), (2, 3)):
            answer = ask(client, "correlation", event_type_a="a", event_type_b=other,
                         time_window_seconds=within)
            equal(answer["correlated_pairs"], pairs, f"pairs with {other} within {within} s")
        equal(answer["avg_time_between_seconds"], 5 / 3, "1, 2 and 2 seconds")


def test_correlation_has_time_bounds_and_an_entity():
    client = fresh()
    for number in range(10):
        client.append(f"e{number % 2}", "a", timestamp=instant(number * 100))
        client.append(f"e{number % 2}", "b", timestamp=instant(number * 100 + 1))
    question = {"event_type_a": "a", "event_type_b": "b", "time_window_seconds": 5}
    equal(ask(client, "correlation", **question)["correlated_pairs"], 10, "all")
    equal(ask(client, "correlation", entity_id="e1", **question)["correlated_pairs"], 5, "e1")
    bounded = ask(client, "correlation", since=instant(100), until=instant(300), **question)
    equal([bounded[key] for key in ("total_a", "total_b", "correlated_pairs")], [3, 2, 2], "bounded")


# ---- Asked wrongly


def test_missing_and_bad_parameters_are_named():
    client = fresh()
    good = {
        "frequency": {"since": instant(0), "window": "day"},
        "summary": {},
        "correlation": {"event_type_a": "a", "event_type_b": "b", "time_window_seconds": "60"},
    }
    for what, parameters in good.items():
        for missing in parameters:
            rest = {name: value for name, value in parameters.items() if name != missing}
            body = refused(client.get(ANALYTICS + what, **rest), 400, "bad_parameter", missing)
            equal(body["field"], missing, "field")
        for name, value in (
            ("since", ""), ("since", "2024-01-01"), ("since", "1704067200"), ("until", "soon"),
            ("until", "2024-13-01T00:00:00Z"), ("since", [instant(0), instant(1)]),
            ("entity_id", ["a", "b"]), ("event_type", ["t"] * 65), ("min_position", "-1"),
            ("timeout_ms", "x"),
        ):
            body = refused(client.get(ANALYTICS + what, **{**parameters, name: value}), 400,
                           "bad_parameter", name)
            equal(body["field"], name, f"field of {what} with {name}={value}")
        refused(client.server.client().get(ANALYTICS + what, **parameters, tenant_id="a/b"), 400, "invalid_input")
        equal(client.post(ANALYTICS + what, {}).status, 405, "POST")
    for window in ("", "Day", "year", "days", "3600"):
        refused(client.get(ANALYTICS + "frequency", since=instant(0), window=window), 400,
                "bad_parameter", "window", "minute, hour, day, week, month")
    for seconds in ("-1", "1.5", "", "1e3", "9223372036854775808", "a"):
        refused(client.get(ANALYTICS + "correlation", event_type_a="a", event_type_b="b",
                           time_window_seconds=seconds), 400, "bad_parameter", "time_window_seconds")
    equal(ask(client, "correlation", event_type_a="a", event_type_b="b",
              time_window_seconds=2**63 - 1)["correlated_pairs"], 0, "the greatest window")


def test_names_that_need_escaping_come_back_as_they_are():
    client = fresh()
    name = 'größe "\\ / é'
    client.append(name, "t", timestamp=instant(0))
    client.append(name, "u", timestamp=instant(0))
    equal(ask(client, "summary")["top_entities"][0]["entity_id"], name, "summary")
    answer = ask(client, "correlation", event_type_a="t", event_type_b="u", time_window_seconds=1)
    equal(answer["examples"][0]["entity_id"], name, "correlation")
    strange = ask(client, "correlation", event_type_a='"\n', event_type_b="*", time_window_seconds=1)
    equal((strange["event_type_a"], strange["total_b"]), ('"\n', 0), "the types as they were asked")


def test_an_analysis_waits_for_min_position_and_keeps_to_its_tenant():
    client = fresh()
    other = fresh()
    other.append("x", "t")
    refused(client.get(ANALYTICS + "summary", min_position=1, timeout_ms=1), 504, "timeout")
    client.append("e", "t")
    equal(ask(client, "summary", min_position=1)["total_events"], 1, "of its own")
    equal(ask(client.server.client(), "summary", tenant_id=other.tenant)["top_entities"][0]["entity_id"],
          "x", "tenant_id")


def test_clients_that_go_away_end_their_analyses():
    with Server("--ephemeral", "--analytics-threads", "1") as server:
        client = server.client()
        for first in range(0, 200_000, 50_000):
            client.batch([event(f"e{n}") for n in range(first, first + 50_000)], ack="summary")
        others = [server.client() for _ in range(30)]
        for other in others:
            other.connect()
            other.socket.sendall(other.head("GET", ANALYTICS + "summary", {}))
        eventually(lambda: client.metric("analyses_under_way") > 9, "some are under way")
        for other in others:
            other.close()
        eventually(lambda: client.metric("analyses_under_way") == 0, "all have ended")
        metrics = client.get("/metrics").body.decode()
        check('allsource_analyses_total{kind="summary",result="not_ready"}' in metrics,
              "those that were given up")
        equal(ask(client, "summary")["total_events"], 200_000, "the next one")
        for _ in range(5):  # ended by the stop, if they are still under way
            other = server.client()
            other.connect()
            other.socket.sendall(other.head("GET", ANALYTICS + "summary", {}))


def test_analyses_do_not_hold_writers_up():
    with Server("--ephemeral") as server:
        client = server.client()
        client.batch([event(f"e{n}") for n in range(50_000)], ack="summary")
        readers = [server.client() for _ in range(8)]
        for reader in readers:
            reader.connect()
            reader.socket.sendall(reader.head("GET", ANALYTICS + "summary", {}))
        for number in range(200):
            equal(client.append("late")["version"], number + 1, "an append meanwhile")
        for reader in readers:
            status = reader.stream.readline()
            check(b" 200 " in status, f"status {status!r}")
            reader.close()
        equal(json.loads(client.get(ANALYTICS + "summary").body)["total_events"], 50_200, "all")


def test_analyses_of_sealed_history_and_its_tail_are_those_of_a_loop_over_all():
    with Server("--ephemeral", "--seal-bytes", "4k") as server:
        client = server.client()
        made = []
        for part in range(12):
            made += fill(client, 150, 40 * 86400, seed=part)
        eventually(lambda: client.metric("storage_sealed_events") > 1000, "sealed files")
        made += fill(client, 7, 40 * 86400, seed=99)
        since, until = BEGIN, BEGIN + datetime.timedelta(days=41)
        answer = ask(client, "frequency", since=text(since), until=text(until), window="day")
        equal(answer["buckets"], model_frequency(made, since, until, "day"), "buckets")
        summary = ask(client, "summary")
        equal(summary["total_events"], len(made), "events")
        equal(summary["top_entities"],
              model_top(collections.Counter(one[1] for one in made), "entity_id", len(made)), "top")
        for entity in (None, "e3"):
            of = [one for one in made if entity in (None, one[1])]
            answer = ask(client, "correlation", event_type_a="type.t0", event_type_b="type.t1",
                         time_window_seconds=600, entity_id=entity)
            equal(answer, {**model_correlation(of, "type.t0", "type.t1", 600),
                           "position": len(made)}, f"correlation of {entity}")

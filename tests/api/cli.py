#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program `allsource` as a person or a script meets it, against its own server.

  tests/api/cli.py [--programs build/release] [name ...]

The last line is 'N passed, N failed'.
"""
import argparse
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SLICE = os.path.join(ROOT, "examples", "flights.ndjson")
PROGRAM = None


class Server:
    """A server on a directory; it may be stopped and started again on the same port."""

    def __init__(self, directory):
        self.directory = directory
        self.address = "127.0.0.1:0"
        self.process = None
        self.start()

    def start(self, *options):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--data-dir", self.directory, "--listen", self.address, *options],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r'msg="listening" address=(\S+)', line)
            if found:
                self.address = found.group(1)
                return
        raise AssertionError("the server did not start")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.stderr.close()
        return self.process.wait(20)

    def environment(self):
        return {**os.environ, "ALLSOURCE_URL": "http://" + self.address}


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def run(server, *words, stdin="", environment=None):
    environment = environment or (server.environment() if server else dict(os.environ))
    done = subprocess.run([PROGRAM, *words], input=stdin, capture_output=True, text=True,
                          env=environment, timeout=60)
    return Result(done.returncode, done.stdout, done.stderr)


def metrics_of(server):
    with urllib.request.urlopen(f"http://{server.address}/metrics") as answer:
        return answer.read()


def on_terminal(server, *words):
    """What the program prints when its output is a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen([PROGRAM, *words], stdout=slave, stderr=slave,
                               stdin=subprocess.DEVNULL, env=server.environment())
    os.close(slave)
    text = b""
    try:
        while piece := os.read(master, 65536):
            text += piece
    except OSError:  # the terminal hung up: the program has ended
        pass
    os.close(master)
    process.wait(60)
    return text.decode().replace("\r\n", "\n")


def event(entity, payload, kind="t.u", **more):
    return json.dumps({"event_type": kind, "entity_id": entity, "payload": payload, **more}) + "\n"


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


def equal(expected, actual):
    check(expected == actual, "expected", repr(expected), "got", repr(actual))


# ---- The tests: each gets a server on an empty directory.

def test_a_file_is_appended_and_comes_back(server):
    done = run(server, "append", "--json", "--batch", "100", SLICE)
    equal(0, done.code)
    summary = done.lines[0]
    equal((250, 3, 1, 250, 251), tuple(summary[key] for key in (
        "appended", "batches", "first_position", "last_position", "next_line")))
    with open(SLICE) as file:
        sent = [json.loads(line) for line in file]
    got = run(server, "query").lines
    equal([(e["event_type"], e["entity_id"], e["timestamp"], e["payload"]) for e in sent],
          [(e["event_type"], e["entity_id"], e["timestamp"], e["payload"]) for e in got])


def test_filters_reach_the_server(server):
    run(server, "append", SLICE)
    everything = run(server, "query").lines
    delayed = [e for e in everything if e["event_type"] == "flight.delayed"]
    equal(delayed, run(server, "query", "--type", "flight.del*").lines)
    equal(everything, run(server, "query", "--type", "flight.delayed", "--type",
                          "flight.departed").lines)
    equal(everything[:-4:-1], run(server, "query", "--order", "desc", "--limit", "3").lines)
    equal(everything[10:12], run(server, "query", "--offset=10", "--limit=2").lines)
    equal(everything[5:8], run(server, "query", "--after", "5", "--before", "9").lines)
    equal(everything[:7], run(server, "query", "--as-of-position", "7").lines)
    moment = everything[100]["timestamp"]
    equal([e for e in everything if e["timestamp"] >= moment],
          run(server, "query", "--since", moment).lines)
    equal([e for e in everything if e["timestamp"] <= moment],
          run(server, "query", "--until", moment).lines)
    equal([], run(server, "query", "--since", "1h", "--entity", "nobody").lines)


def test_a_bad_line_is_named_and_all_before_it_is_stored(server):
    lines = [event("e", n) for n in range(10)]
    lines[6] = '{"event_type":"t","entity_id":"e"}\n'
    done = run(server, "append", "--batch", "4", stdin="".join(lines))
    equal(1, done.code)
    check("line 7: " in done.err and "payload is missing" in done.err, done.err)
    check("--from-line 7" in done.err, done.err)
    equal(6, len(run(server, "query").lines))
    lines[6] = event("e", 6)
    equal(0, run(server, "append", "--from-line", "7", stdin="".join(lines)).code)
    equal(list(range(10)), [e["payload"] for e in run(server, "query").lines])


def test_bad_lines_may_be_skipped(server):
    done = run(server, "append", "--keep-going", "--json",
               stdin=event("e", 1) + "nonsense\n\n" + event("e", 2) + '{"a":1}\n')
    equal(1, done.code)
    check("line 2 skipped" in done.err and "line 5 skipped" in done.err, done.err)
    equal((2, 2), (done.lines[0]["appended"], done.lines[0]["skipped"]))


def test_what_only_the_server_can_refuse_is_told_with_its_line(server):
    equal(0, run(server, "append", stdin=event("c", 0)).code)
    done = run(server, "append", stdin=event("x", 0) + "\n" + event("c", 1, expected_version=0))
    equal(1, done.code)
    check("line 3: Concurrency error: " in done.err, done.err)
    check("Nothing was stored" in done.err, done.err)
    equal(1, len(run(server, "query").lines))


def test_the_same_ids_are_stored_once(server):
    identity = "018f0000-0000-7000-8000-00000000000"
    lines = "".join(event("e", n, id=identity + str(n)) for n in range(5))
    equal(5, run(server, "append", "--json", stdin=lines).lines[0]["appended"])
    again = run(server, "append", "--json", stdin=lines)
    equal((0, 0, 5), (again.code, again.lines[0]["appended"], again.lines[0]["duplicates"]))
    equal(5, len(run(server, "query").lines))


def test_an_input_that_pauses_does_not_hold_its_events_back(server):
    process = subprocess.Popen([PROGRAM, "append"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=server.environment(), text=True)
    process.stdin.write(event("e", 1))
    process.stdin.flush()
    tail = run(server, "tail", "--from", "0", "--count", "1")
    equal(1, tail.lines[0]["payload"])
    process.stdin.close()
    equal(0, process.wait(20))
    process.stdout.close()


def test_append_goes_on_when_the_server_comes_back(server):
    process = subprocess.Popen([PROGRAM, "append", "--json"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=server.environment(), text=True)
    process.stdin.write(event("e", 1))
    process.stdin.flush()
    run(server, "tail", "--from", "0", "--count", "1")
    server.stop()
    process.stdin.write(event("e", 2))
    process.stdin.flush()
    process.stderr.readline()  # "...; trying again"
    server.start()
    out, _ = process.communicate(timeout=60)
    equal(0, process.returncode)
    equal(2, json.loads(out)["appended"])
    equal([1, 2], [e["payload"] for e in run(server, "query").lines])


def test_analytics_answer_three_questions(server):
    run(server, "append", stdin=event("a", 1, event_type="x.a", timestamp="2025-01-31T23:00:00Z") +
        event("a", 2, event_type="x.b", timestamp="2025-01-31T23:00:09Z") +
        event("b", 3, event_type="x.b", timestamp="2025-03-01T00:00:00Z"))

    def ask(*words):
        return run(server, "analytics", *words).lines[0]
    months = ask("frequency", "--since", "2025-01-01", "--until", "2025-03-31", "--window", "month")
    equal([2, 0, 1], [bucket["count"] for bucket in months["buckets"]])
    equal((2, 2), (ask("summary")["unique_entities"], ask("summary")["unique_event_types"]))
    equal(1, ask("summary", "--entity", "a", "--type", "x.b", "--type", "y.*")["total_events"])
    pairs = ask("correlation", "--a", "x.a", "--b", "x.b", "--within", "9")
    equal((1, 100.0), (pairs["correlated_pairs"], pairs["correlation_percentage"]))
    check('"unique_entities": 2' in on_terminal(server, "analytics", "summary"))
    wrong = run(server, "analytics", "sumary")
    equal(2, wrong.code)
    check("did you mean summary?" in wrong.err, wrong.err)
    refused = run(server, "analytics", "frequency")
    equal(1, refused.code)
    check("missing field `since`" in refused.err, refused.err)


def test_states_travel_in_time(server):
    run(server, "append", stdin=event("o/1 é", {"a": 1}, timestamp="2025-01-01T00:00:00Z") +
        event("o/1 é", {"b": 2}, timestamp="2025-02-01T00:00:00Z") +
        event("o/1 é", {"a": 3}, timestamp="2025-03-01T00:00:00Z"))

    def state(*words):
        return run(server, "state", "o/1 é", *words).lines[0]["current_state"]
    equal({"a": 3, "b": 2}, state())
    equal({"a": 1, "b": 2}, state("--as-of", "2025-02-15"))
    equal({"a": 1}, state("--as-of-position", "1"))
    equal({"a": 1, "b": 2}, state("--at-version=2"))
    equal(3, len(run(server, "state", "--history", "o/1 é").lines[0]["history"]))
    absent = run(server, "state", "absent")
    equal(1, absent.code)
    check("Entity not found: absent" in absent.err, absent.err)


def test_tail_takes_up_a_lost_connection(server):
    run(server, "append", stdin=event("e", 1) + event("f", 2))
    process = subprocess.Popen([PROGRAM, "tail", "--last", "1", "--count", "4", "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=server.environment(), text=True)
    equal(2, json.loads(process.stdout.readline())["payload"])
    run(server, "append", stdin=event("e", 3))
    equal(3, json.loads(process.stdout.readline())["payload"])
    server.stop(signal.SIGKILL)
    check("behind position 3" in process.stderr.readline())
    server.start()
    run(server, "append", stdin=event("e", 4) + event("e", 5))
    rest, _ = process.communicate(timeout=60)
    equal([4, 5], [json.loads(line)["payload"] for line in rest.splitlines()])
    equal(0, process.returncode)


def test_tenants_are_apart(server):
    run(server, "append", "--tenant", "acme", stdin=event("e", 1))
    equal([], run(server, "query").lines)
    equal(1, run(server, "stats", "--tenant", "acme").lines[0]["total_events"])
    environment = {**server.environment(), "ALLSOURCE_TENANT": "acme"}
    equal(1, len(run(server, "query", environment=environment).lines))


def test_a_dump_is_taken_back_as_it_was(server):
    run(server, "append", SLICE)
    server.stop()
    before = run(None, "dump", "--data-dir", server.directory)
    equal(0, before.code)
    with tempfile.TemporaryDirectory() as directory:
        other = Server(directory)
        equal(0, run(other, "append", stdin=before.out).code)
        queried = run(other, "query").lines
        other.stop()
        after = run(None, "dump", "--data-dir", directory)
    equal(queried, after.lines)

    def timeless(events):  # recorded again, and otherwise the same
        return [{key: e[key] for key in e if key != "recorded_at"} for e in events]
    equal(timeless(before.lines), timeless(after.lines))
    server.start()


def test_verify_says_no_to_damage_and_names_the_place(server):
    run(server, "append", "--batch", "50", SLICE)
    busy = run(None, "verify", "--data-dir", server.directory)
    equal(1, busy.code)
    check("stop it first" in busy.err, busy.err)
    server.stop()
    sound = run(None, "verify", "--data-dir", server.directory)
    equal(0, sound.code)
    check("All sound: 1 tenant, 250 events" in sound.out, sound.out)
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(server.directory)
             for name in names]
    path, offset = next((path, offset) for path in paths
                        if (offset := open(path, "rb").read().find(b"SAN-LAX")) >= 0)
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"s")
    damaged = run(None, "verify", "--data-dir", server.directory, "--json")
    equal(1, damaged.code)
    finding = damaged.lines[0]
    check(not finding["sound"] and path.endswith(finding["file"]), finding)
    check(0 <= offset - finding["offset"] < 65536, finding, offset)
    partly = run(None, "dump", "--data-dir", server.directory)
    equal(1, partly.code)
    check(len(partly.lines) < 250 and len(partly.lines) % 50 == 0, len(partly.lines))
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"S")
    server.start()


def sealed_files(server, suffix):
    folder = os.path.join(server.directory, "tenants", "default", "segments")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                  if name.endswith(suffix)) if os.path.isdir(folder) else []


def content(path):
    with open(path, "rb") as file:
        return file.read()


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def seal_the_slice(server):
    """Leaves the server stopped and its events in at least three sealed files."""
    server.stop()
    server.start("--seal-bytes", "4k")
    run(server, "append", "--batch", "10", SLICE)
    deadline = time.monotonic() + 60
    while len(sealed_files(server, ".idx")) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    server.stop()
    check(len(sealed_files(server, ".idx")) >= 3, "nothing was sealed")


def test_indexes_are_made_anew_as_they_were(server):
    busy = run(None, "rebuild-index", "--data-dir", server.directory)
    equal(1, busy.code)
    check("stop it first" in busy.err, busy.err)
    seal_the_slice(server)
    paths = sealed_files(server, ".idx")
    before = [content(path) for path in paths]
    flip(paths[0], len(before[0]) // 2)
    os.unlink(paths[1])
    names = "segments/" + os.path.basename(paths[0])
    verified = run(None, "verify", "--data-dir", server.directory)
    equal(0, verified.code)
    check(names in verified.out and "damaged index" in verified.out, verified.out)
    done = run(None, "rebuild-index", "--data-dir", server.directory)
    equal(0, done.code)
    check("All made anew: %d indexes" % len(paths) in done.out, done.out)
    equal(before, [content(path) for path in paths])
    equal(paths, sealed_files(server, ".idx"))
    server.start()


def test_an_index_is_not_made_from_a_damaged_file(server):
    seal_the_slice(server)
    indexes, segments = sealed_files(server, ".idx"), sealed_files(server, ".parquet")
    before = [content(path) for path in indexes]
    os.unlink(indexes[-1])
    flip(segments[0], os.path.getsize(segments[0]) // 2)
    words = ("rebuild-index", "--data-dir", server.directory)
    failed = run(None, *words, "--json")
    equal(1, failed.code)
    tenant = failed.lines[0]
    equal((False, len(indexes), len(indexes) - 1), (tenant["rebuilt"], tenant["files"],
                                                    tenant["files_done"]))
    check(segments[0].endswith(tenant["file"]), tenant)
    equal(before, [content(path) for path in indexes])  # the last one is back, the first as it was
    check("FAILED" in run(None, *words).out)
    flip(segments[0], os.path.getsize(segments[0]) // 2)
    equal(0, run(None, *words, "--tenant", "default").code)
    equal(1, run(None, *words, "--tenant", "nobody").code)
    equal([], sealed_files(server, ".new"))
    server.start()


def test_compact_says_what_it_merged(server):
    equal(0, run(server, "compact").lines[0]["files_compacted"])
    check("There is nothing to merge." in on_terminal(server, "compact"))
    refused = run(server, "compact", "--strategy", "none")
    equal(1, refused.code)
    check("fullcompaction" in refused.err, refused.err)
    server.stop()
    options = {"ALLSOURCE_SEAL_BYTES": "4k", "ALLSOURCE_AUTO_COMPACT": "off"}
    os.environ.update(options)
    try:
        server.start()
    finally:
        for name in options:
            del os.environ[name]
    for number in range(8):  # each is a file, once the next one is there
        run(server, "append", "--batch", "60", stdin=event(f"e{number}", "x" * 100) * 60)
    while not re.search(rb"^allsource_storage_sealed_events 4[28]0$", metrics_of(server), re.M):
        time.sleep(0.01)
    said = on_terminal(server, "compact", "--strategy", "fullcompaction")
    check(re.search(r"^[78] files of .* became 1 of .*: 4[28]0 events in .*", said, re.M), said)


def test_retention_shows_sets_and_keeps_rules(server):
    equal([], run(server, "retention").lines[0]["rules"])
    rules = [{"event_type": "test.*", "max_count": 3}]
    told = run(server, "retention", "set", stdin=json.dumps({"rules": rules}))
    equal(rules, told.lines[0]["rules"])
    equal(rules, run(server, "retention", "show").lines[0]["rules"])
    equal(0, run(server, "retention", "run").lines[0]["events_removed"])
    check("0 events were removed." in on_terminal(server, "retention", "run"))
    refused = run(server, "retention", "set", stdin='{"rules":[{"event_type":"a","max_count":0}]}')
    equal(1, refused.code)
    check("rules[0].max_count" in refused.err, refused.err)
    equal(2, run(server, "retention", "forget").code)


def test_people_get_tables_and_scripts_get_json(server):
    run(server, "append", stdin=event("e", {"a": [1]}, timestamp="2025-01-01T00:00:00Z"))
    table = on_terminal(server, "query").splitlines()
    equal("POSITION  TIMESTAMP             TYPE  ENTITY  VERSION  PAYLOAD", table[0])
    equal("       1  2025-01-01T00:00:00Z  t.u   e             1  {\"a\":[1]}", table[1])
    check("No events." in on_terminal(server, "query", "--entity", "x"))
    check('\n  "current_state": {\n    "a": [\n      1\n' in on_terminal(server, "state", "e"))
    check(re.search(r"^total events +1$", on_terminal(server, "stats"), re.M))
    check(on_terminal(server, "query", "--json").startswith('{"id":'))


def test_sql_is_a_table_for_people_and_rows_for_programs(server):
    if not os.path.exists(os.path.join(os.path.dirname(PROGRAM), "allsource-sql")):
        print("skipped: this build has no allsource-sql")
        return
    events = "".join(event(f"e{n % 2}", {"n": n}) for n in range(6))
    run(server, "append", "--tenant", "sql", stdin=events)
    query = "SELECT entity_id, count(*) AS n FROM events GROUP BY 1 ORDER BY 1"
    words = ["sql", "--tenant", "sql"]
    equal([{"entity_id": "e0", "n": 3}, {"entity_id": "e1", "n": 3}],
          run(server, *words, query).lines)
    equal("entity_id,n\ne0,3\ne1,3\n", run(server, *words, "--csv", query).out)
    equal("entity_id  n\n---------  -\ne0         3\ne1         3\n",
          run(server, *words, "--table", query).out)
    shown = on_terminal(server, *words, query)
    check("entity_id  n" in shown and "2 rows" in shown, shown)
    equal([{"n": 2}], run(server, *words, "--as-of-position", "2",
                          stdin="SELECT count(*) AS n FROM events").lines)
    result = run(server, *words, "DROP TABLE events")
    check(result.code == 1 and "only SELECT" in result.err, result.err)
    result = run(server, *words, "--csv", "--arrow", query)
    equal(2, result.code)


def test_wrong_words_are_2_and_no_server_is_1(server):
    for words in (["query", "--entiti", "x"], ["qery"], ["query", "--limit", "x"], ["state"],
                  ["query", "--order", "up"], ["append", "--batch", "0"], ["stats", "word"],
                  ["tail", "--from", "1", "--last", "1"], ["serve", "--no-such-option"], []):
        equal((words, 2), (words, run(server, *words).code))
    check("did you mean 'query'?" in run(server, "qery").err)
    check("did you mean --entity?" in run(server, "query", "--entiti", "x").err)
    nobody = {**os.environ, "ALLSOURCE_URL": "http://127.0.0.1:1"}
    for verb in ("query", "stats", "tail", "append"):
        done = run(None, verb, environment=nobody, stdin=event("e", 1))
        equal((verb, 1), (verb, done.code))
        check("allsource serve" in done.err and "--url" in done.err, done.err)
    equal(1, run(server, "append", "/no/such/file").code)


def test_every_verb_teaches(server):
    overview = run(server, "--help")
    equal(0, overview.code)
    verbs = re.findall(r"^  ([\w-]+) +\S", overview.out.split("Begin with")[0], re.M)
    check({"serve", "append", "query", "state", "tail", "stats", "verify", "dump"} <= set(verbs))
    for verb in ("append", "query", "state", "tail", "stats", "verify", "rebuild-index", "dump"):
        text = run(server, verb, "--help")
        equal((verb, 0), (verb, text.code))
        check("Examples:" in text.out and "Exit codes" in text.out, text.out)
        equal(text.out, run(server, "help", verb).out)
    equal(0, run(server, "serve", "--help").code)
    check(re.fullmatch(r"allsource \d+\.\d+\.\d+\n", run(server, "--version").out))


def test_the_man_page_knows_every_verb_and_flag(server):
    with open(os.path.join(ROOT, "docs", "man", "allsource.1.scd")) as file:
        page = file.read()
    verbs = run(server, "--help").out.split("Begin with")[0]
    for verb in re.findall(r"^  ([\w-]+) +\S", verbs, re.M):
        check("*%s*" % verb in page, verb)
        if verb in ("serve", "help", "version"):
            continue
        for flag in re.findall(r"^  (--[a-z-]+)", run(server, verb, "--help").out, re.M):
            check("*%s*" % flag in page, verb, flag)
    for verb in re.findall(r"^  ([a-z-]+) +\S", run(server, "schema", "--help").out, re.M):
        if verb == "allsource":
            continue
        check("*schema %s*" % verb in page, verb)
        text = run(server, "schema", verb, "--help")
        equal(0, text.code)
        for flag in re.findall(r"^  (--[a-z-]+)", text.out, re.M):
            check("*%s*" % flag in page, verb, flag)


ORDER = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}


def test_schemas_are_registered_shown_and_asked(server):
    text = json.dumps(ORDER)
    made = run(server, "schema", "register", "order.placed", "--tag", "t", "--description", "d",
               "--enforce", "true", stdin=text)
    equal((0, 1), (made.code, made.lines[0]["version"]))
    shown = run(server, "schema", "show", "order.placed").lines[0]
    equal((ORDER, ["t"], "d", True),
          (shown["schema"], shown["tags"], shown["description"], shown["enforced"]))
    equal([1], run(server, "schema", "show", "order.placed", "--versions").lines[0]["versions"])
    equal(["order.placed"], run(server, "schema", "list").lines[0]["subjects"])
    check(on_terminal(server, "schema", "list").strip() == "order.placed")
    check('"version": 1' in on_terminal(server, "schema", "show", "order.placed"))
    good = run(server, "schema", "validate", "order.placed", stdin='{"total": 1}')
    equal((0, True), (good.code, good.lines[0]["valid"]))
    bad = run(server, "schema", "validate", "order.placed", stdin="{}")
    equal((1, ["Missing required field: total"]), (bad.code, bad.lines[0]["errors"]))
    equal(0, run(server, "schema", "check", "order.placed", stdin="{}").code)
    no = run(server, "schema", "check", "order.placed", stdin='{"type":"array"}')
    equal((1, False), (no.code, no.lines[0]["compatible"]))
    refused = run(server, "schema", "register", "order.placed", stdin='{"type":"array"}')
    equal(1, refused.code)
    check("Schema compatibility check failed" in refused.err, refused.err)
    equal(1, run(server, "schema", "show", "nobody").code)


def test_verify_reads_the_settings_too(server):
    equal(0, run(server, "schema", "register", "order.placed", stdin=json.dumps(ORDER)).code)
    server.stop(signal.SIGKILL)
    equal(0, run(None, "verify", "--data-dir", server.directory).code)
    settings = os.path.join(server.directory, "tenants", "default", "settings")
    path = os.path.join(settings, os.listdir(settings)[0])
    with open(path, "r+b") as file:
        file.seek(400)
        byte = file.read(1)
        file.seek(400)
        file.write(bytes([byte[0] ^ 1]))
    found = run(None, "verify", "--data-dir", server.directory, "--json")
    equal((1, False), (found.code, found.lines[0]["sound"]))
    check("/settings/" in found.lines[0]["file"], found.out)


def test_the_verbs_of_schema_explain_what_is_wrong(server):
    for words, code, told in (
        ((), 2, "usage: allsource schema"), (("regster",), 2, "did you mean 'register'"),
        (("register",), 2, "SUBJECT"), (("register", "x", "--enforce", "maybe"), 2, "--enforce"),
        (("register", "x", "--file", "/nowhere"), 1, "/nowhere"),
        (("register", "No"), 1, "event type"), (("list", "x"), 2, "x"),
    ):
        result = run(server, "schema", *words, stdin="{}")
        equal((words, code), (words, result.code))
        check(told in result.err, words, result.err)
    result = run(server, "schema", "register", "x", stdin="{")
    equal(1, result.code)
    check("no JSON" in result.err, result.err)
    equal(0, run(server, "schema", "--help").code)

# ---- Backups

def test_a_backup_beside_writers_survives_a_kill(server):
    run(server, "append", "--quiet", SLICE)
    lines = "".join(event("e-%d" % (n % 7), {"n": n}) for n in range(4000))
    writer = subprocess.Popen([PROGRAM, "append", "--quiet", "--batch", "10"],
                              stdin=subprocess.PIPE, env=server.environment(), text=True)
    feeder = threading.Thread(target=lambda: (writer.stdin.write(lines), writer.stdin.close()))
    feeder.start()
    acknowledged = run(server, "stats", "--json").lines[0]["position"]
    made = [run(server, "backup", "b-%d" % n, "--json") for n in range(4)]
    equal([0] * 4, [one.code for one in made])
    feeder.join()
    equal(0, writer.wait(60))
    everything = run(server, "query").lines
    server.stop(signal.SIGKILL)
    check(acknowledged <= made[0].lines[0]["position"], acknowledged, made[0].out)
    for n, one in enumerate(made):
        backup = os.path.join(server.directory, "backups", "b-%d" % n)
        restored = os.path.join(server.directory, "..", "restored-%d" % n)
        equal(0, run(None, "restore", backup, "--data-dir", restored).code)
        dumped = run(None, "dump", "--data-dir", restored).lines
        equal(one.lines[0]["position"], len(dumped))
        equal(everything[:len(dumped)], dumped)


def test_the_server_that_was_killed_while_it_made_a_backup_has_none_or_all(server):
    run(server, "append", "--quiet", SLICE)
    for n in range(8):
        making = subprocess.Popen([PROGRAM, "backup", "b-%d" % n], env=server.environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        backup = os.path.join(server.directory, "backups", "b-%d" % n)
        while not os.path.exists(os.path.join(backup, "tenants")) and making.poll() is None:
            pass
        server.stop(signal.SIGKILL)
        making.wait(60)
        checked = run(None, "restore", backup)
        if checked.code:
            check("never finished" in checked.err, checked.err)
        else:
            check("250 events" in checked.out, checked.out)
        server.start()
    equal(250, len(run(server, "query").lines))


def test_a_server_goes_on_from_a_restored_position(server):
    run(server, "append", "--quiet", SLICE)
    everything = run(server, "query").lines
    equal(0, run(server, "backup", "now").code)
    server.stop()
    backup = os.path.join(server.directory, "backups", "now")
    then = os.path.join(server.directory, "..", "then")
    done = run(None, "restore", backup, "--data-dir", then, "--at-position", "100", "--json")
    equal((0, 100, 100), (done.code, done.lines[0]["position"], done.lines[0]["events"]))
    server.directory = then
    server.start()
    equal(everything[:100], run(server, "query").lines)
    equal(0, run(server, "append", "--quiet", stdin=event("new", 1)).code)
    equal(101, run(server, "stats", "--json").lines[0]["position"])
    again = run(None, "restore", backup, "--data-dir", then)
    equal(1, again.code)
    check("not empty" in again.err, again.err)


def test_a_directory_is_backed_up_by_hand(server):
    run(server, "append", "--quiet", SLICE)
    target = os.path.join(server.directory, "..", "target")
    refused = run(None, "backup", "--data-dir", server.directory, target)
    equal(1, refused.code)
    check("let it make the backup" in refused.err, refused.err)
    server.stop(signal.SIGKILL)
    equal(2, run(None, "backup", "--data-dir", server.directory).code)
    equal(0, run(None, "backup", "--data-dir", server.directory, target, "--copy").code)
    equal(0, run(None, "restore", target).code)
    for path, _, names in os.walk(target):
        for name in names:
            path_of = os.path.join(path, name)
            with open(path_of, "r+b") as file:
                byte = file.read(1)
                file.seek(0)
                file.write(bytes([byte[0] ^ 1]))
            found = run(None, "restore", target)
            equal((path_of, 1), (path_of, found.code))
            check(name in found.err, found.err)
            with open(path_of, "r+b") as file:
                file.write(byte)
    equal(0, run(None, "restore", target).code)
    equal(1, run(None, "restore", target, "--at-position", "251").code)
    equal(2, run(None, "restore", target, "--at-position", "0").code)


def test_what_is_wrong_with_a_backup_is_told(server):
    run(server, "append", "--quiet", SLICE)
    equal(0, run(server, "backup", "one").code)
    for words, told in ((("one",), "Already exists: backup 'one'"), (("../x",), "name of a backup"),
                        (("two", "--tenant", "nobody"), "Tenant not found: nobody")):
        result = run(server, "backup", *words)
        equal((words, 1), (words, result.code))
        check(told in result.err, words, result.err)
    check(not os.path.exists(os.path.join(server.directory, "backups", "two")))
    os.rename(os.path.join(server.directory, "backups", "one", "CATALOG"),
              os.path.join(server.directory, "backups", "one", "CATALOG.new"))
    unfinished = run(None, "restore", os.path.join(server.directory, "backups", "one"))
    equal(1, unfinished.code)
    check("never finished" in unfinished.err, unfinished.err)


def main():
    global PROGRAM
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    PROGRAM = os.path.join(os.path.abspath(asked.programs), "allsource")
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_") and
             (not asked.names or any(part in name for part in asked.names))]
    failed = 0
    for name, test in tests:
        with tempfile.TemporaryDirectory() as directory:
            server = Server(os.path.join(directory, "data"))
            try:
                test(server)
            except Exception:
                failed += 1
                print("FAILED", name)
                traceback.print_exc(file=sys.stdout)
            finally:
                if server.process.poll() is None:
                    server.stop(signal.SIGKILL)
    print("%d passed, %d failed" % (len(tests) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

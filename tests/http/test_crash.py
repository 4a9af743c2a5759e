# SPDX-License-Identifier: Apache-2.0
"""Crashes of the real server: kill -9 under load, torn ends, damage inside the log.

`test_crash.py --rounds N [--server PATH]` is the soak: N kills instead of 25.
"""

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import uuid

sys.dont_write_bytecode = True

from harness import (
    API,
    NDJSON_TYPE,
    SERVER_ENVIRONMENT,
    Server,
    StartFailure,
    check,
    equal,
    event,
    log_files,
    slow,
)

ROUNDS = 25
WRITERS = 6


class Ledger:
    """What the clients know: every batch that was sent, and which were acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = {}  # batch number -> ids of its events
        self.acknowledged = {}  # batch number -> first position
        self.grew = threading.Condition(self.lock)

    def note_sent(self, number, ids):
        with self.lock:
            self.sent[number] = ids

    def note_acknowledged(self, number, first_position):
        with self.lock:
            self.acknowledged[number] = first_position
            self.grew.notify_all()

    def wait_for(self, count, seconds=30):
        with self.lock:
            check(
                self.grew.wait_for(lambda: len(self.acknowledged) >= count, seconds),
                f"no {count} acknowledgements",
            )


def write_until_cut(server, ledger, numbers, dice):
    """One client: batches of 1 to 9 events, some by the route for single events."""
    with server.client() as client:
        for number in numbers:
            count = dice.choice([1, 1, 1, 2, 5, 9])
            batch = [
                event(f"e{dice.randrange(20)}", f"load.t{dice.randrange(4)}",
                      {"batch": number, "of": count, "i": i, "pad": "x" * dice.randrange(200)},
                      id=str(uuid.UUID(int=dice.getrandbits(128), version=4)))
                for i in range(count)
            ]
            ledger.note_sent(number, [one["id"] for one in batch])
            try:
                answer = client.try_append(**batch[0]) if count == 1 else client.try_batch(batch)
            except (OSError, AssertionError):  # cut in the middle of an answer: nobody was told
                return
            equal(answer.status, 200, f"status under load {answer}")
            body = answer.json
            ledger.note_acknowledged(
                number, body["position"] if count == 1 else body["first_position"]
            )


def load_and_kill(server, ledger, round_number, dice):
    """Writers write until the server is killed at a moment that the dice choose."""
    before = len(ledger.acknowledged)
    threads = []
    for writer in range(WRITERS):
        numbers = range((round_number * WRITERS + writer) * 100_000, sys.maxsize)
        own = random.Random(dice.getrandbits(64))
        threads.append(
            threading.Thread(
                target=write_until_cut, args=(server, ledger, numbers, own), daemon=True
            )
        )
    for thread in threads:
        thread.start()
    ledger.wait_for(before + dice.randrange(1, 60))
    server.kill()
    for thread in threads:
        thread.join()


def check_recovered(server, ledger):
    """Every acknowledged batch is there whole and once, at its position; nothing is there in part,
    and nothing that nobody sent. Gives the bytes that were read."""
    answer = server.client().get(API + "/events/query", {"Accept": NDJSON_TYPE})
    equal(answer.status, 200, f"status {answer}")
    stored = answer.lines
    equal([one["position"] for one in stored], list(range(1, len(stored) + 1)), "positions")
    equal(len({one["id"] for one in stored}), len(stored), "different ids")
    versions, found = {}, {}
    for one in stored:
        versions[one["entity_id"]] = versions.get(one["entity_id"], 0) + 1
        equal(one["version"], versions[one["entity_id"]], f"version at position {one['position']}")
        found.setdefault(one["payload"]["batch"], []).append(one)
    for number, parts in found.items():
        equal([one["id"] for one in parts], ledger.sent.get(number), f"events of batch {number}")
        first = parts[0]["position"]
        equal(
            [one["position"] for one in parts],
            list(range(first, first + len(parts))),
            f"place of batch {number}",
        )
    for number, position in ledger.acknowledged.items():
        check(number in found, f"acknowledged batch {number} (position {position}) is lost")
        equal(found[number][0]["position"], position, f"position of batch {number}")
    stats = server.client().stats()
    equal(stats["total_events"], len(stored), "total_events")
    equal(stats["total_entities"], len(versions), "total_entities")
    return answer.body


def crash_rounds(rounds, seed, report=lambda text: None, options=()):
    dice, ledger = random.Random(seed), Ledger()
    with Server(*options) as server:
        for round_number in range(rounds):
            load_and_kill(server, ledger, round_number, dice)
            server.check_log()
            server.start()
            first = check_recovered(server, ledger)
            if round_number % 5 == 4 or round_number == rounds - 1:
                server.restart(kill=bool(round_number % 2))
                equal(check_recovered(server, ledger), first, "the second recovery")
            report(f"round {round_number + 1}: {len(ledger.acknowledged)} batches acknowledged, "
                   f"{first.count(10)} events recovered")


@slow
def test_25_kills_under_load_lose_and_double_nothing():
    crash_rounds(ROUNDS, seed=1)


@slow
def test_kills_while_small_log_files_roll_lose_and_double_nothing():
    crash_rounds(8, seed=2, options=["--wal-file-bytes", "16k"])


def test_a_kill_under_interval_durability_leaves_a_prefix():
    """The process dies, the machine does not: what was written is there without a gap."""
    dice, ledger = random.Random(3), Ledger()
    with Server("--durability", "interval:20") as server:
        load_and_kill(server, ledger, 0, dice)
        server.start()
        ledger.acknowledged.clear()
        check_recovered(server, ledger)


def test_sigterm_keeps_everything():
    for durability in ("sync", "interval:5000", "none"):
        with Server("--durability", durability) as server:
            client = server.client()
            client.batch([event(f"e{n % 7}", payload={"n": n}) for n in range(500)])
            before = client.get(API + "/events/query").body
            server.restart()
            equal(server.client().get(API + "/events/query").body, before, durability)


def test_sigterm_under_load_answers_what_it_took_and_exits_with_0():
    dice, ledger = random.Random(4), Ledger()
    with Server() as server:
        threads = [
            threading.Thread(
                target=write_until_refused,
                args=(server, ledger, range(w * 100_000, sys.maxsize), random.Random(w)),
                daemon=True)
            for w in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        ledger.wait_for(50 + dice.randrange(50))
        server.stop()
        for thread in threads:
            thread.join()
        server.start()
        check_recovered(server, ledger)


def write_until_refused(server, ledger, numbers, dice):
    try:
        write_until_cut(server, ledger, numbers, dice)
    except AssertionError as error:
        check("<503" in str(error), f"while stopping: {error}")


# ---- Damage by hand


def filled_directory(count=40, options=()):
    """A data directory of a server that was killed, and what it answered."""
    directory = tempfile.mkdtemp(prefix="allsource-damage-")
    server = Server(*options, directory=directory)
    client = server.client()
    for number in range(count):
        client.append(f"e{number % 3}", payload={"number": number, "text": "some text to be found"})
    body = client.get(API + "/events/query").body
    server.kill()
    return directory, body


class Damaged:
    """A killed server's directory that is started again after something was done to it."""

    def __init__(self, *options, count=40):
        self.options = options
        self.directory, self.before = filled_directory(count, options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_file(self):
        return log_files(self.directory)[-1]

    def start(self):
        return Server(*self.options, directory=self.directory)


def content_length(path):
    """Where the zeros begin with which a log file is made."""
    with open(path, "rb") as log:
        return len(log.read().rstrip(b"\0"))


def write_at(path, offset, data):
    with open(path, "r+b") as log:
        log.seek(offset)
        log.write(data)


def read_at(path, offset, size):
    with open(path, "rb") as log:
        log.seek(offset)
        return log.read(size)


def test_a_torn_end_is_cut_off_and_reported():
    for size in (1, 7, 47, 48, 200, 5000):
        with Damaged() as damaged:
            end = (content_length(damaged.log_file()) + 7) // 8 * 8
            write_at(damaged.log_file(), end, os.urandom(size - 1) + b"\x01")
            with damaged.start() as server:
                client = server.client()
                equal(
                    client.get(API + "/events/query").body,
                    damaged.before,
                    f"events with {size} torn bytes",
                )
                check(client.metric("wal_recovery_truncated_bytes") > 0, "the cut is counted")
                check("torn" in server.log_text(), f"the cut is logged:\n{server.log_text()}")
                after = client.append("e1")
                equal(after["position"], 41, "position after the cut")
                server.restart(kill=True)
                equal(
                    server.client().positions(),
                    list(range(1, 42)),
                    "positions after another restart",
                )


def test_an_unfinished_last_append_is_cut_off_and_the_next_one_is_kept():
    for cut in (1, 8, 30, 60):
        with Damaged() as damaged:
            path = damaged.log_file()
            end = content_length(path)
            write_at(path, end - cut, b"\0" * cut)
            with damaged.start() as server:
                client = server.client()
                count = client.query()["count"]
                check(
                    count in (39, 40),
                    f"{count} events after {cut} bytes of the last frame were lost",
                )
                stored = client.get(API + "/events/query").body
                check(
                    damaged.before.startswith(stored[: stored.rindex(b"]") - 1]), "a prefix is left"
                )
                for number in range(3):
                    equal(client.append("e1")["position"], count + 1 + number, "position")
                server.restart(kill=True)
                equal(server.client().query()["count"], count + 3, "after another restart")


def name_and_byte(text, name):
    return re.search(re.escape(name) + r"\b.*\bbyte \d+", text)


def refuses(damaged, path):
    """The start, or the tenant's requests, must be refused with the file and the byte."""
    name = os.path.basename(path)
    try:
        server = damaged.start()
    except StartFailure as failure:
        check(failure.code not in (0, None) and failure.code > 0, f"exit code {failure.code}")
        check(name_and_byte(failure.log, name), f"file and byte in the log:\n{failure.log}")
        return
    try:
        client = server.client()
        answer = client.get(API + "/events/query")
        equal(answer.status, 500, f"a damaged tenant answers {answer}")
        message = answer.json["error"]
        check(name_and_byte(message, name), f"file and byte in {message}")
        equal(answer.json["code"], "corrupt", "code")
        equal(client.try_append(**event()).status, 500, "an append to a damaged tenant")
        equal(server.client("other").append("a")["version"], 1, "another tenant")
    finally:
        server.kill()


def test_a_flipped_bit_in_the_middle_of_the_log_is_refused_with_file_and_byte():
    dice = random.Random(5)
    with Damaged() as damaged:
        path = damaged.log_file()
        end = content_length(path)
        for _ in range(12):
            offset = dice.randrange(300, end * 3 // 4)
            old = read_at(path, offset, 1)
            write_at(path, offset, bytes([old[0] ^ (1 << dice.randrange(8))]))
            refuses(damaged, path)
            write_at(path, offset, old)
        with damaged.start() as server:
            equal(
                server.client().get(API + "/events/query").body,
                damaged.before,
                "events when it is mended",
            )


def test_a_changed_payload_is_refused():
    with Damaged() as damaged:
        path = damaged.log_file()
        offset = open(path, "rb").read().index(b'"number":7,') + len(b'"number":')
        write_at(path, offset, b"8")
        refuses(damaged, path)


def test_a_hole_in_the_middle_of_the_log_is_refused():
    with Damaged() as damaged:
        path = damaged.log_file()
        end = content_length(path)
        write_at(path, end // 2, b"\0" * 64)
        refuses(damaged, path)


def test_a_missing_log_file_is_refused():
    with Damaged("--wal-file-bytes", "4k", count=120) as damaged:
        files = log_files(damaged.directory)
        check(len(files) >= 3, f"{len(files)} log files")
        os.rename(files[1], damaged.directory + "/moved")
        try:
            server = damaged.start()
        except StartFailure as failure:
            check(failure.code > 0, f"exit code {failure.code}")
        else:
            try:
                equal(server.client().get(API + "/events/query").status, 500, "status")
            finally:
                server.kill()
        os.rename(damaged.directory + "/moved", files[1])
        with damaged.start() as server:
            equal(
                server.client().get(API + "/events/query").body,
                damaged.before,
                "events when it is back",
            )


def test_a_refused_start_leaves_the_files_as_they_are():
    with Damaged() as damaged:
        path = damaged.log_file()
        write_at(path, content_length(path) // 2, b"damage")
        before = {name: open(name, "rb").read() for name in log_files(damaged.directory)}
        for _ in range(2):
            refuses(damaged, path)
        equal(
            {name: open(name, "rb").read() for name in log_files(damaged.directory)} == before,
            True,
            "files",
        )


def test_a_second_server_on_the_same_directory_is_refused():
    with Server() as server:
        server.client().append("a")
        try:
            second = Server(directory=server.directory)
        except StartFailure as failure:
            check(failure.code > 0, f"exit code {failure.code}")
        else:
            second.kill()
            raise AssertionError("two servers shared a data directory")
        equal(server.client().append("a")["version"], 2, "the first goes on")


def soak():
    parser = argparse.ArgumentParser(description="Kills a server under load, again and again.")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--server", help="the program")
    options = parser.parse_args()
    if options.server:
        os.environ[SERVER_ENVIRONMENT] = os.path.abspath(options.server)
    print(f"seed {options.seed}")
    crash_rounds(options.rounds, options.seed, lambda text: print(text, flush=True))
    print(f"{options.rounds} kills, nothing lost, nothing doubled")


if __name__ == "__main__":
    soak()

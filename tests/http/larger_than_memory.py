# SPDX-License-Identifier: Apache-2.0
"""A history that is many times larger than the memory its server may have.

`larger_than_memory.py [--limit MIB] [--times N] [--server PATH]` writes it over HTTP, reads it at
random meanwhile, asks for all of it, kills the server, and asks again. Part of `make soak`. The limit
is that of a memory control group, which counts mapped files and the page cache, too; where none can
be made, RLIMIT_DATA, which counts only memory of its own.
"""

import argparse
import base64
import os
import random
import stat
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from harness import API, NDJSON_TYPE, SERVER_ENVIRONMENT, Server, check, equal, server_path

PAYLOAD_BYTES, BATCH_EVENTS, ENTITIES, TYPES = 1000, 2000, 100_003, 7
GROUPS_V1, GROUPS_V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"


class Limit:
    """A place where the server runs, and how it gets there: lines of a shell script."""

    def __init__(self, mib):
        self.bytes = mib << 20
        self.group = self._make_group(os.path.join(GROUPS_V1, f"allsource-{os.getpid()}"),
                                      "memory.limit_in_bytes") or self._make_group(
            os.path.join(GROUPS_V2, f"allsource-{os.getpid()}"), "memory.max")
        self.enter = (f"echo $$ >{self.group}/cgroup.procs" if self.group
                      else f"ulimit -d {mib << 10}")

    def _make_group(self, path, limit):
        try:
            os.mkdir(path)
        except OSError:
            return None
        try:
            with open(os.path.join(path, limit), "w", encoding="ascii") as file:
                file.write(str(self.bytes))
            return path
        except OSError:
            os.rmdir(path)
            return None

    def most(self):
        """The greatest use that the kernel has seen, in bytes; None where it does not say."""
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            path = os.path.join(self.group or "/nowhere", name)
            if os.path.exists(path):
                with open(path, encoding="ascii") as file:
                    return int(file.read())
        return None

    def remove(self):
        if self.group:
            os.rmdir(self.group)


class History:
    """Event n, without keeping it: everything about it follows from n."""

    def __init__(self, seed):
        words = random.Random(seed).randbytes(750_000)
        self.text = base64.b64encode(words).decode("ascii")
        self.room = len(self.text) - PAYLOAD_BYTES

    def entity(self, n):
        return f"e-{n * 31 % ENTITIES}"

    def padding(self, n):
        at = n * 7919 % self.room
        return self.text[at : at + PAYLOAD_BYTES]

    def lines(self, first, count):
        return "".join(
            f'{{"event_type":"t.n{n % TYPES}","entity_id":"{self.entity(n)}",'
            f'"payload":{{"n":{n},"p":"{self.padding(n)}"}}}}\n'
            for n in range(first, first + count)
        ).encode("ascii")

    def of_entity(self, entity, total):
        """The numbers of its events, oldest first: the n with n * 31 % ENTITIES == entity."""
        first = entity * pow(31, -1, ENTITIES) % ENTITIES
        return list(range(first, total, ENTITIES))


def check_entity(client, history, entity, total):
    body = client.get(f"{API}/events/query?entity_id=e-{entity}&limit=1000").json
    payloads = [one["payload"] for one in body["events"]]
    wanted = [{"n": n, "p": history.padding(n)} for n in history.of_entity(entity, total)]
    equal(payloads, wanted, f"events of e-{entity}")


def write_all(server, history, total, say):
    client, chance, begin = server.client(), random.Random(1), time.monotonic()
    for first in range(0, total, BATCH_EVENTS):
        response = client.request(
            "POST",
            f"{API}/events/batch?ack=summary",
            history.lines(first, BATCH_EVENTS),
            {"Content-Type": NDJSON_TYPE},
        )
        equal(response.status, 200, f"status of a batch: {response.body[:300]}")
        if first // BATCH_EVENTS % 50 == 49:
            check_entity(client, history, chance.randrange(ENTITIES), first + BATCH_EVENTS)
        if first // BATCH_EVENTS % 250 == 249:
            seconds = time.monotonic() - begin
            say(f"{first + BATCH_EVENTS:,} events, {(first + BATCH_EVENTS) / seconds:,.0f}/s, "
                f"{server.private_bytes() >> 20} MiB of its own")


def ask_all(server, history, total, say):
    client, chance, begin = server.client(), random.Random(2), time.monotonic()
    for _ in range(500):
        check_entity(client, history, chance.randrange(ENTITIES), total)
    say(f"{server.private_bytes() >> 20} MiB of its own")
    say(f"an entity: {(time.monotonic() - begin) * 2:.1f} ms, with its {total / ENTITIES:.0f} events of "
        f"1 kB, HTTP and checking")
    body = client.get(f"{API}/analytics/summary").json
    equal((body["total_events"], body["unique_entities"]), (total, min(total, ENTITIES)), "summary")
    count, rest = 0, b""
    for piece in client.pieces(f"{API}/events/query?event_type=t.n3", {"Accept": NDJSON_TYPE}):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            check(f'"n":{count * TYPES + 3},'.encode("ascii") in line, f"event {count} of a type")
            count += 1
    equal(count, (total + TYPES - 4) // TYPES, "events of a type")


def run(options, say):
    limit = Limit(options.limit)
    history = History(options.seed)
    total = -(-limit.bytes * options.times // PAYLOAD_BYTES // BATCH_EVENTS) * BATCH_EVENTS
    say(f"{total:,} events of {PAYLOAD_BYTES} bytes; {options.limit} MiB, by "
        f"{'a control group' if limit.group else 'RLIMIT_DATA'}")
    with tempfile.TemporaryDirectory(prefix="allsource-memory-", dir=options.directory) as space:
        program = os.path.join(space, "limited")
        with open(program, "w", encoding="utf-8") as script:
            script.write(f'#!/bin/sh\nset -e\n{limit.enter}\nexec "{server_path()}" "$@"\n')
        os.chmod(program, stat.S_IRWXU)
        os.environ[SERVER_ENVIRONMENT] = program
        with Server(*options.options, directory=os.path.join(space, "data")) as server:
            write_all(server, history, total, say)
            ask_all(server, history, total, say)
            server.kill()
            begin = time.monotonic()
            server.start()
            say(f"opened again after kill -9 in {(time.monotonic() - begin) * 1000:.0f} ms")
            ask_all(server, history, total, say)
            most = limit.most()
            if most:
                say(f"at most {most >> 20} MiB in use, page cache included")
            check(server.private_bytes() < limit.bytes, "memory of its own")
    limit.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=512, help="MiB (512)")
    parser.add_argument("--times", type=int, default=10, help="as large a history (10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", help="the program")
    parser.add_argument("--directory", help="where there is room for it")
    parser.add_argument("options", nargs="*", help="of the server, behind --")
    options = parser.parse_args()
    if options.server:
        os.environ[SERVER_ENVIRONMENT] = os.path.abspath(options.server)
    run(options, lambda text: print(text, flush=True))
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the black-box tests: run.py [--server PATH] [--jobs N] [--list] [part of a name ...]

Tests are taken by worker processes one by one; those marked `alone` follow when the others are
done. The last line is `N passed, N failed`; the exit code is 1 when something failed.
"""

import argparse
import importlib
import multiprocessing
import os
import queue
import signal
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness

MODULES = [
    "test_contract",
    "test_append",
    "test_query",
    "test_state",
    "test_snapshots",
    "test_compaction",
    "test_retention",
    "test_analytics",
    "test_backups",
    "test_stream",
    "test_limits",
    "test_schemas",
    "test_confluent",
    "test_tenants",
    "test_sql",
    "test_crash",
    "test_defects",
]
TEST_SECONDS_MAX = 90


def load(parts):
    """All tests whose module.name contains one of the parts, the slow ones first."""
    tests = []
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, value in vars(module).items():
            if name.startswith("test_") and getattr(value, "__module__", "") == module_name:
                tests.append((f"{module_name}.{name}", value))
    if parts:
        tests = [test for test in tests if any(part in test[0] for part in parts)]
    return sorted(tests, key=lambda test: not getattr(test[1], "slow", False))


def give_up(*_):
    raise TimeoutError(f"not done within {TEST_SECONDS_MAX} s")


def run_one(name, test):
    """Gives outcome, text and seconds."""
    began = time.monotonic()
    signal.alarm(TEST_SECONDS_MAX)
    try:
        test()
        if harness.shared_server_started():
            harness.check_shared_server()
        outcome, text = "passed", ""
    except harness.Skip as reason:
        outcome, text = "skipped", str(reason)
    except BaseException as error:  # the runner reports everything, a time-out included
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome, text = "failed", explain(error)
    finally:
        signal.alarm(0)
    return name, outcome, text, time.monotonic() - began


def explain(error):
    """The error and the lines of the tests that led to it."""
    lines = traceback.format_exception_only(error)
    for frame in traceback.extract_tb(error.__traceback__):
        if os.path.basename(frame.filename) != "run.py":
            lines.append(f"  {os.path.basename(frame.filename)}:{frame.lineno}: {frame.line}\n")
    return "".join(lines).rstrip()


def work(tests, tasks, results):
    signal.signal(signal.SIGALRM, give_up)
    tests = dict(tests)
    while (name := tasks.get()) is not None:
        results.put(run_one(name, tests[name]))
    if harness.shared_server_started():
        results.put(run_one("shared_server_stops_with_exit_code_0", harness.close_shared_server))
    results.put(None)


def run_all(tests, jobs):
    """Yields the results as they come."""
    tasks, results = multiprocessing.Queue(), multiprocessing.Queue()
    for name, _ in tests:
        tasks.put(name)
    workers = [
        multiprocessing.Process(target=work, args=(tests, tasks, results), daemon=True)
        for _ in range(min(jobs, len(tests)))
    ]
    for worker in workers:
        tasks.put(None)
        worker.start()
    ended = 0
    while ended < len(workers):
        try:
            result = results.get(timeout=1)
        except queue.Empty:
            dead = [worker for worker in workers if worker.exitcode not in (None, 0)]
            if dead:
                yield "runner", "failed", f"a worker died with {dead[0].exitcode}", 0.0
                return
            continue
        if result is None:
            ended += 1
        else:
            yield result
    for worker in workers:
        worker.join()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--server", help=f"the program (default: ${harness.SERVER_ENVIRONMENT}, release build)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="worker processes (2)")
    parser.add_argument("--list", action="store_true", help="only say which tests there are")
    parser.add_argument("--verbose", action="store_true", help="name the tests that passed, too")
    parser.add_argument("parts", nargs="*", help="run only tests whose name contains one of these")
    options = parser.parse_args()
    if options.server:
        os.environ[harness.SERVER_ENVIRONMENT] = os.path.abspath(options.server)
    tests = load(options.parts)
    if options.list:
        print("\n".join(name for name, _ in tests))
        return 0
    if not os.access(harness.server_path(), os.X_OK):
        print(f"no server at {harness.server_path()}", file=sys.stderr)
        return 1

    crowd = [test for test in tests if not getattr(test[1], "alone", False)]
    lonely = [test for test in tests if getattr(test[1], "alone", False)]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for group, jobs in ((crowd, options.jobs), (lonely, 1)):
        for name, outcome, text, seconds in run_all(group, jobs):
            counts[outcome] += 1
            if outcome != "passed" or options.verbose:
                print(
                    f"{outcome} {name} ({seconds:.1f} s)" + (f"\n{text}\n" if text else ""),
                    flush=True,
                )
    if counts["skipped"]:
        print(f"{counts['skipped']} skipped")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())

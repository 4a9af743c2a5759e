# SPDX-License-Identifier: Apache-2.0
"""Histories in files: servers that seal each batch, and waiting until they have."""

import glob
import os

from harness import Server, event, eventually

BATCH = 50
TEXT = "words that are packed well"


def sealing(*options):
    """A server that seals each batch, and neither merges nor removes anything by itself."""
    return Server("--seal-bytes", "4k", "--auto-compact", "off", *options)


def wait_sealed(client, least):
    """In all tenants together."""
    eventually(lambda: client.metric("storage_sealed_events") >= least, f"{least} sealed events")


def numbered(number):
    """A batch that fills a file."""
    return [
        event(f"e{n % 7}", payload={"n": n, "text": TEXT})
        for n in range(number * BATCH, (number + 1) * BATCH)
    ]


def seal_batches(client, batches, batch, last="test.event"):
    """Appends so many batches, slowly enough for each to become a file of its own, and one event
    that stays in the log."""
    before = client.metric("storage_sealed_events")
    for number in range(batches):
        client.batch(batch(number), ack="summary")
        wait_sealed(client, before + (number - 1) * BATCH)
    client.append("tail", last)
    wait_sealed(client, before + batches * BATCH)


def files(server, tenant="default", kind="parquet"):
    folder = os.path.join(server.directory, "tenants", tenant, "segments")
    return sorted(glob.glob(os.path.join(folder, "*." + kind)))

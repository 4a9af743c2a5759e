# SPDX-License-Identifier: Apache-2.0
"""Backups over HTTP: making, following, listing, and what is refused."""

import os
import tempfile

from harness import API, Server, check, equal, event, eventually, is_time, refused

BACKUPS = API + "/backups"


def make(client, **fields):
    return client.post(BACKUPS, fields)


def show(client, name):
    return client.get(f"{BACKUPS}/{name}")


def finished(client, name):
    eventually(lambda: show(client, name).json["state"] != "running", f"{name} is made")
    return show(client, name).json


def test_a_backup_is_begun_followed_and_listed():
    with Server() as server, server.client() as client:
        client.batch([event("e", payload={"n": n}) for n in range(20)])
        answer = make(client, name="first")
        equal((answer.status, answer.json), (202, {"name": "first", "state": "running"}), "begun")
        made = finished(client, "first")
        equal(
            list(made),
            ["name", "state", "created_at", "tenants", "events", "files", "bytes", "position"],
            "fields"
        )
        equal((made["state"], made["events"], made["position"]), ("complete", 20, 20), "counts")
        check(is_time(made["created_at"]), "time")
        check(os.path.exists(os.path.join(server.directory, "backups", "first", "CATALOG")), "path")
        unnamed = make(client).json["name"]
        finished(client, unnamed)
        names = {one["name"] for one in client.get(BACKUPS).json["backups"]}
        equal(names, {"first", unnamed}, "names")
        equal(client.metric("backups_total"), 2, "metric")
        check(client.metric("backup_last_timestamp_seconds") > 1.7e9, "last")


def test_what_cannot_be_a_backup_is_refused():
    with Server() as server, server.client() as client:
        equal(client.get(BACKUPS).json, {"backups": []}, "no list")
        client.append("e")
        finished(client, make(client, name="taken").json["name"])
        refused(make(client, name="taken"), 409, "exists", "Already exists: backup 'taken'")
        for name in ("a/b", "..", ".x", "a b", "x" * 65, "\u00e4"):
            refused(make(client, name=name), 400, "invalid_input")
        refused(make(client, name=1), 422, "json_shape")
        refused(make(client, copy="yes"), 422, "json_shape")
        refused(make(client, name="n", tenant_id="nobody"), 404, "tenant_not_found")
        refused(show(client, "nobody"), 404, "not_found")
        refused(client.post(BACKUPS, []), 422, "json_shape")


def test_a_tenant_is_backed_up_alone_and_elsewhere():
    with tempfile.TemporaryDirectory() as elsewhere:
        with Server("--backup-dir", elsewhere) as server, server.client() as client:
            client.append("e")
            server.client("other").append("e", payload={"of": "another"})
            made = finished(client, make(client, name="one", tenant_id="other").json["name"])
            equal((made["state"], made["tenants"], made["events"]), ("complete", 1, 1), "one")
            equal(os.listdir(os.path.join(elsewhere, "one", "tenants")), ["other"], "tenants")
            everything = finished(client, make(client, name="all", copy=True).json["name"])
            equal((everything["tenants"], everything["events"]), (2, 2), "all")


def test_what_is_in_memory_only_is_not_backed_up():
    with Server("--ephemeral") as server, server.client() as client:
        client.append("e")
        refused(make(client, name="never"), 501, "unsupported")

// SPDX-License-Identifier: Apache-2.0
// The server as a process of its own, durable, under load from this one: client and server share
// the machine, so its cores are what is measured.
#include "bench/http_load.h"
#include "bench/latency.h"
#include "bench/workload.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 1000, BATCHES = 8, BODY_BYTES_MAX = 4 << 20 };

// ---- The server

struct daemon {
    pid_t process;
    int log;
    uint16_t port;
    char path[PATH_BYTES];
};

static void become_server(const struct bench *bench, const char *path, int log)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM); // it ends with the bench, however that ends
    dup2(log, STDERR_FILENO);
    execl(bench->server, bench->server, "--data-dir", path, "--listen", "127.0.0.1:0", NULL);
    _exit(EXIT_FAILURE);
}

// Its log says where it listens.
static uint16_t read_port(int log)
{
    char text[4096];
    size_t len = 0;
    for (ssize_t got; (got = read(log, text + len, sizeof text - 1 - len)) > 0;) {
        text[len += (size_t)got] = '\0';
        const char *address = strstr(text, "msg=\"listening\" address=");
        const char *colon = address ? strrchr(address, ':') : NULL;
        if (colon && strchr(colon, '\n'))
            return (uint16_t)strtoul(colon + 1, NULL, 10);
    }
    fprintf(stderr, "allsource-bench: the server did not start:\n%.*s\n", (int)len, text);
    exit(EXIT_FAILURE);
}

static void daemon_start(struct daemon *daemon, const struct bench *bench)
{
    int ends[2];
    directory_make(bench, daemon->path);
    must_be(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    daemon->process = fork();
    must_be(daemon->process >= 0, "fork");
    if (daemon->process == 0)
        become_server(bench, daemon->path, ends[1]);
    close(ends[1]);
    daemon->log = ends[0];
    daemon->port = read_port(daemon->log);
}

static void daemon_stop(struct daemon *daemon)
{
    int status = 0;
    must_be(kill(daemon->process, SIGTERM) == 0, "kill");
    must_be(waitpid(daemon->process, &status, 0) == daemon->process, "waitpid");
    must_be(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the server's end");
    close(daemon->log);
    directory_remove(daemon->path);
}

// ---- Requests

static void put_head(struct buf *request, const char *target, const char *type, size_t body)
{
    buf_put_str(request, S("POST "));
    buf_put_str(request, str_of(target));
    buf_put_str(request, S(" HTTP/1.1\r\nHost: bench\r\nContent-Type: "));
    buf_put_str(request, str_of(type));
    buf_put_str(request, S("\r\nContent-Length: "));
    buf_put_u64(request, body);
    buf_put_str(request, S("\r\n\r\n"));
}

static void put_event(struct buf *body, const struct shape *shape, uint64_t number)
{
    struct als_draft draft;
    struct draft_text text;
    draft_make(&draft, &text, shape, number);
    buf_put_str(body, S("{\"event_type\":\""));
    buf_put_str(body, draft.type);
    buf_put_str(body, S("\",\"entity_id\":\""));
    buf_put_str(body, draft.entity);
    buf_put_str(body, S("\",\"payload\":"));
    buf_put_str(body, draft.payload);
    buf_put_char(body, '}');
}

static void compose_single(const void *context, uint64_t number, struct buf *request)
{
    enum { EVENT_BYTES = 1024 };
    struct buf body;
    char *room;
    buf_init(&body, EVENT_BYTES);
    put_event(&body, context, number);
    put_head(request, "/api/v1/events", "application/json", body.len);
    room = buf_room(request, body.len);
    if (room)
        buf_put(request, body.ptr, body.len);
    buf_deinit(&body);
}

// Bodies that are made before, for making them is not what is timed.
struct batches {
    const char *target, *type;
    const struct shape *shape; // NULL: payloads of 256 bytes
    bool array;
    struct buf bodies[BATCHES];
};

static void batches_init(struct batches *batches)
{
    if (!batches->shape)
        batches->shape = &shape_256;
    batches->type = batches->array ? "application/json" : "application/x-ndjson";
    for (uint64_t i = 0; i < BATCHES; i++) {
        struct buf *body = &batches->bodies[i];
        buf_init(body, BODY_BYTES_MAX);
        for (uint64_t event = 0; event < BATCH; event++) {
            if (batches->array)
                buf_put_char(body, event ? ',' : '[');
            put_event(body, batches->shape, i * BATCH + event);
            if (!batches->array)
                buf_put_char(body, '\n');
        }
        if (batches->array)
            buf_put_char(body, ']');
        must_be(!buf_failed(body), "room for a batch");
    }
}

static void batches_deinit(struct batches *batches)
{
    for (size_t i = 0; i < BATCHES; i++)
        buf_deinit(&batches->bodies[i]);
}

static void compose_batch(const void *context, uint64_t number, struct buf *request)
{
    const struct batches *batches = context;
    const struct buf *body = &batches->bodies[number % BATCHES];
    put_head(request, batches->target, batches->type, body->len);
    buf_put_str(request, buf_str(body));
}

static void compose_get(const void *context, uint64_t number, struct buf *request)
{
    (void)number;
    buf_put_str(request, S("GET "));
    buf_put_str(request, str_of(context));
    buf_put_str(request, S(" HTTP/1.1\r\nHost: bench\r\n\r\n"));
}

// ---- Rows

static void run_and_add(struct load *load, struct summary *summary)
{
    struct load_result result;
    load_run(load, &result);
    summary_add(summary, &result.latencies, result.seconds);
    latencies_deinit(&result.latencies);
}

// A request that touches no event: what the sockets and the change of processes cost by themselves.
static void add_floor(const struct bench *bench, const struct daemon *daemon, double seconds)
{
    struct load load = {.port = daemon->port,
                        .connections = 1,
                        .seconds = seconds,
                        .compose = compose_get,
                        .context = "/health/live"};
    struct summary summary = {0};
    for (size_t i = 0; i < bench_rounds(bench, 5); i++)
        run_and_add(&load, &summary);
    summary_rows(bench, &summary, "http/floor/1 conn.", "GET /health/live: a bare round trip", 0);
}

static void add_singles(const struct bench *bench, const struct daemon *daemon, double seconds)
{
    struct device device;
    struct latencies latencies = {0};
    struct summary by_device = {0}, by_one = {0}, by_many = {0};
    struct samples ratios = {.count = 0};
    struct load load = {
        .port = daemon->port, .seconds = seconds, .compose = compose_single, .context = &shape_256};
    device_open(&device, bench);
    for (size_t i = 0; i < bench_rounds(bench, 7); i++) {
        device_run(&device, seconds, &latencies);
        summary_add(&by_device, &latencies, seconds);
        load.connections = 1;
        run_and_add(&load, &by_one);
        samples_add(&ratios, by_one.rate.values[i] / by_device.rate.values[i]);
        load.connections = 64;
        run_and_add(&load, &by_many);
    }
    latencies_deinit(&latencies);
    device_close(&device);
    const char *what = "POST /events, one event of 256 B payload a request, durable";
    summary_rows(bench, &by_one, "http/1 connection", what, 0);
    struct row row = {.name = "http/1 connection/of device",
                      .what = "requests/s over the device's own synced writes/s, round by round",
                      .unit = "ratio",
                      .better = BETTER_HIGHER,
                      .target = 0.8};
    table_add(bench->table, &row, &ratios);
    summary_rows(bench, &by_many, "http/64 connections", what, 40e3);
}

static void add_batches(const struct bench *bench, const struct daemon *daemon, double seconds)
{
    static const struct {
        const char *name, *target;
        bool array;
    } forms[] = {{"http/batch/ndjson summary", "/api/v1/events/batch?ack=summary", false},
                 {"http/batch/ndjson full", "/api/v1/events/batch", false},
                 {"http/batch/array summary", "/api/v1/events/batch?ack=summary", true},
                 {"http/batch/array full", "/api/v1/events/batch", true}};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct batches batches = {.target = forms[i].target, .array = forms[i].array};
        batches_init(&batches);
        struct load load = {.port = daemon->port,
                            .connections = 4,
                            .seconds = seconds,
                            .compose = compose_batch,
                            .context = &batches};
        struct row row = {.what = "4 connections, batches of 1,000 x 256 B payload, durable",
                          .unit = "events/s",
                          .count = BATCH,
                          .better = BETTER_HIGHER,
                          .target = 600e3};
        snprintf(row.name, sizeof row.name, "%s", forms[i].name);
        struct samples samples = {.count = 0};
        for (size_t round = 0; round < bench_rounds(bench, 5); round++) {
            struct load_result result;
            load_run(&load, &result);
            samples_add(&samples, (double)(result.answered * BATCH) / result.seconds);
            latencies_deinit(&result.latencies);
        }
        table_add(bench->table, &row, &samples);
        batches_deinit(&batches);
    }
}

static void fill_reads(const struct daemon *daemon)
{
    struct batches batches = {.target = "/api/v1/events/batch?ack=summary"};
    batches_init(&batches);
    struct load load = {
        .port = daemon->port, .connections = 1, .compose = compose_batch, .context = &batches};
    struct load_result result;
    for (size_t i = 0; i < 10; i++) { // no time at all is one request
        load_run(&load, &result);
        latencies_deinit(&result.latencies);
    }
    batches_deinit(&batches);
}

static void add_reads(const struct bench *bench, const struct daemon *daemon, double seconds)
{
    static const struct {
        const char *name, *target;
    } reads[] = {{"entity 100", "/api/v1/events/query?entity_id=entity-42"},
                 {"type limit 100", "/api/v1/events/query?event_type=benchmark.event&limit=100"}};
    fill_reads(daemon);
    for (size_t i = 0; i < COUNT_OF(reads); i++)
        for (size_t connections = 1; connections <= 16; connections += 15) {
            struct load load = {.port = daemon->port,
                                .connections = connections,
                                .seconds = seconds,
                                .compose = compose_get,
                                .context = reads[i].target};
            struct summary summary = {0};
            for (size_t round = 0; round < bench_rounds(bench, 5); round++)
                run_and_add(&load, &summary);
            char name[56];
            snprintf(name, sizeof name, "http/%s/%zu conn.", reads[i].name, connections);
            summary_rows(bench, &summary, name, "GET 100 events of 256 B payload", 0);
        }
}

// ---- Payloads that are checked by a schema, beside the same ones of a type that has none

static void compose_schema(const void *context, uint64_t number, struct buf *request)
{
    (void)context, (void)number;
    struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    buf_printf(&body, "{\"subject\":\"%s\",\"enforce\":true,\"schema\":%s}", shape_order.type,
               shape_order_schema);
    put_head(request, "/api/v1/schemas", "application/json", body.len);
    buf_put_str(request, buf_str(&body));
    buf_deinit(&body);
}

static double rate_of(const struct daemon *daemon, double seconds, const struct shape *shape,
                      bool batch)
{
    struct batches batches = {.target = "/api/v1/events/batch?ack=summary", .shape = shape};
    struct load load = {.port = daemon->port,
                        .connections = batch ? 4 : 64,
                        .seconds = seconds,
                        .compose = batch ? compose_batch : compose_single,
                        .context = batch ? (const void *)&batches : shape};
    struct load_result result;
    if (batch)
        batches_init(&batches);
    load_run(&load, &result);
    latencies_deinit(&result.latencies);
    if (batch)
        batches_deinit(&batches);
    return (double)result.answered / result.seconds;
}

static void add_checked(const struct bench *bench, const struct daemon *daemon, double seconds)
{
    struct load_result result;
    struct load load = {.port = daemon->port, .connections = 1, .compose = compose_schema};
    load_run(&load, &result); // no time at all is one request
    latencies_deinit(&result.latencies);
    struct shape unchecked = shape_order;
    unchecked.type = "order.noticed";
    for (int batch = 0; batch < 2; batch++) {
        struct row row = {.what = "events/s with a 10-field schema enforced over those without",
                          .unit = "ratio",
                          .better = BETTER_HIGHER,
                          .target = 0.85};
        snprintf(row.name, sizeof row.name, "http/schema enforced/%s", batch ? "batch" : "single");
        struct samples samples = {.count = 0};
        for (size_t i = 0; i < bench_rounds(bench, 15); i++) {
            double rates[2]; // without, with
            for (size_t j = 0; j < 2; j++) {
                size_t enforced = (i + j) % 2;
                rates[enforced] =
                    rate_of(daemon, seconds, enforced ? &shape_order : &unchecked, batch);
            }
            samples_add(&samples, rates[1] / rates[0]);
        }
        table_add(bench->table, &row, &samples);
    }
}

void bench_http_schemas(const struct bench *bench)
{
    struct daemon daemon;
    daemon_start(&daemon, bench);
    add_checked(bench, &daemon, bench->quick ? 0.3 : 1);
    daemon_stop(&daemon);
}

void bench_http(const struct bench *bench)
{
    double seconds = bench->quick ? 0.3 : 1;
    struct daemon daemon;
    daemon_start(&daemon, bench);
    add_floor(bench, &daemon, seconds);
    add_reads(bench, &daemon, seconds);
    add_singles(bench, &daemon, seconds);
    add_batches(bench, &daemon, seconds);
    daemon_stop(&daemon);
}

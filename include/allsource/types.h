// SPDX-License-Identifier: Apache-2.0
// The values that every floor of AllSource shares: slices, ids, positions, events, errors.
//
// C99 and C++ may include this header; everything in it is a plain value without an owner.
#ifndef ALLSOURCE_TYPES_H
#define ALLSOURCE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__STDC_VERSION__) && __STDC_VERSION__ > 201710L
#define ALS_MUST_CHECK [[nodiscard]]
#elif defined(__cplusplus) && __cplusplus >= 201703L
#define ALS_MUST_CHECK [[nodiscard]]
#else
#define ALS_MUST_CHECK
#endif

#if defined(__GNUC__)
#define ALS_API __attribute__((visibility("default")))
#define ALS_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define ALS_API
#define ALS_PRINTF(text, first)
#endif

// What a call came to. ALS_OK is 0. The table <allsource/err.def> says what each code means, which
// HTTP status it becomes and how its message begins. The numbers are not stable across releases;
// als_err_code() gives a name that is.
enum ALS_MUST_CHECK als_err {
#define X(name, http, prefix) ALS_##name,
#include <allsource/err.def>
#undef X
    ALS_ERR_COUNT
};

// A failed call explains itself here. The caller owns it; NULL is accepted wherever one is taken.
struct als_why {
    char text[240];
};

// A borrowed slice of bytes, not NUL-terminated. Texts are UTF-8. {NULL, 0} is the empty slice.
typedef struct als_str {
    const char *ptr;
    size_t len;
} als_str;

// The place of an event in the one order of its tenant: 1 is first, 0 is "before all". Gapless.
typedef uint64_t als_position;

// The place of an event within its entity: 1 is first, 0 is "the entity does not exist".
typedef uint64_t als_version;

// The identity of an event: a UUID (RFC 9562), as 16 bytes in network order.
typedef struct als_id {
    uint8_t bytes[16];
} als_id;

// One event. All slices are borrowed: valid while the cursor, follower or callback they came from
// lives.
struct als_event {
    als_position position;
    als_version version;
    als_id id;
    int64_t timestamp_us;    // when it happened, UTC microseconds since 1970; the client may say
    int64_t recorded_us;     // when it was made durable; never goes back
    uint32_t schema_version; // what the payload was checked against, 0 = nothing
    als_str tenant, entity, type;
    als_str payload;  // JSON text without insignificant white space
    als_str metadata; // the same; empty when the event has none
};

#ifdef __cplusplus
}
#endif
#endif

// SPDX-License-Identifier: Apache-2.0
// The checks that the table of formats names. Each takes UTF-8.
#pragma once

#include "base/str.h"

// Times (RFC 3339).
bool is_date_time(str text);
bool is_date(str text);
bool is_time(str text);
bool is_duration(str text);

// Names in the network (RFC 1123, 5321, 5890 to 5892, 2673, 4291).
bool is_email(str text);
bool is_idn_email(str text);
bool is_hostname(str text);
bool is_idn_hostname(str text);
bool is_ipv4(str text);
bool is_ipv6(str text);

// URIs (RFC 3986, 3987, 6570).
bool is_uri(str text);
bool is_uri_reference(str text);
bool is_iri(str text);
bool is_iri_reference(str text);
bool is_uri_template(str text);

// Others (RFC 4122, 6901).
bool is_uuid(str text);
bool is_json_pointer(str text);
bool is_relative_json_pointer(str text);

// Pieces that they share.
static inline bool is_digit(char c)
{
    return (unsigned)(c - '0') < 10;
}
static inline bool is_letter(char c)
{
    return (unsigned)((c | 0x20) - 'a') < 26;
}
static inline bool is_hex(char c)
{
    return is_digit(c) || (unsigned)((c | 0x20) - 'a') < 6;
}
// Whether `text` is not empty and all of it is digits.
bool all_digits(str text);

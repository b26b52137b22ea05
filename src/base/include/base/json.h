// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define JSON_DEPTH_MAX 16

/**
 * Writes JSON as a stream into a buffer; commas are its business. Compact, UTF-8. No name here may
 * be one of jansson's: the linker would put ours in its place inside that library.
 */
struct json {
    struct buf *out; /**< borrowed; errors stay in there */
    int depth;
    bool comma[JSON_DEPTH_MAX + 1];
    bool after_key;
};

void json_init(struct json *j, struct buf *out);

void json_object_begin(struct json *j);
void json_object_end(struct json *j);
void json_array_begin(struct json *j);
void json_array_end(struct json *j);

/** A member's name; the next call writes its value. */
void json_key(struct json *j, const char *key);

/** A string, escaped; NULL becomes null. */
void json_text(struct json *j, const char *s);
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
/** A number; NaN and infinities become null. */
void json_f64(struct json *j, double v);
void json_bool(struct json *j, bool v);
void json_nothing(struct json *j);
/** Nanoseconds, written as seconds, exactly. */
void json_ns_as_s(struct json *j, int64_t ns);

/** A value that is JSON already, written by a JSON encoder. */
void json_raw(struct json *j, const char *text);

/** Key and value in one call. */
void json_kv_string(struct json *j, const char *key, const char *s);
void json_kv_u64(struct json *j, const char *key, uint64_t v);
void json_kv_i64(struct json *j, const char *key, int64_t v);
void json_kv_f64(struct json *j, const char *key, double v);
void json_kv_bool(struct json *j, const char *key, bool v);

#endif

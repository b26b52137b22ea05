// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_API_H
#define TUI_API_H

/*
 * The daemon's JSON as the clients read it (docs/api.md). Fields that are absent stay absent: a
 * number becomes NaN, a text NULL.
 */

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"

/** Longest answer that a client takes. */
#define API_ANSWER_MAX ((size_t)64 * 1024 * 1024)

/**
 * GET a path; the text goes to `body`. Returns 0, or -errno with a sentence in `err`: what
 * http_get() says, or the detail of a problem (-ENOENT for 404, -EACCES for 403, else -EIO).
 */
int api_get_text(struct http_client *c, const char *path, int timeout_ms, struct buf *body,
                 struct err *err);

/** The same with a POST of a form. */
int api_post_text(struct http_client *c, const char *path, const char *form, int timeout_ms,
                  struct buf *body, struct err *err);

/** The same with a POST of any body. */
int api_post_body(struct http_client *c, const char *path, const char *content_type,
                  const char *data, size_t len, int timeout_ms, struct buf *body, struct err *err);

/** The same for a text of any length; see http_get_stream(). */
int api_get_stream(struct http_client *c, const char *path, int idle_ms, http_take_fn *take,
                   void *arg, struct err *err);

/** api_get_text(), parsed. The caller owns *ret (json_decref). */
int api_get(struct http_client *c, const char *path, int timeout_ms, json_t **ret, struct err *err);

/** Send a method with a JSON body (NULL: none); the answer parsed, as api_get(). */
int api_send(struct http_client *c, const char *method, const char *path, const char *json,
             int timeout_ms, json_t **ret, struct err *err);

/** Parse an answer; 0 or -EPROTO. The caller owns *ret. */
int api_parse(const char *text, size_t len, json_t **ret, struct err *err);

/** The path of one VM, and what hangs below it ("" or "/dirty-rate"). Caller frees. */
char *api_vm_path(const char *name, const char *below);

/** A number of an object; a boolean counts as 0 or 1. NaN where it is absent or none. */
double api_number(const json_t *object, const char *field);

/** A text of an object, valid as long as the object; NULL where it is absent, empty or none. */
const char *api_text(const json_t *object, const char *field);

/** An array of an object; NULL where it is absent or none (json_array_size(NULL) is 0). */
const json_t *api_list(const json_t *object, const char *field);

#endif

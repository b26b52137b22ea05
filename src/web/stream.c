// SPDX-License-Identifier: GPL-3.0-or-later
// A connection whose next piece is not there yet is suspended in MHD, which would otherwise ask
// again and again; whoever brings the piece resumes it. One thread.
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

#define BLOCK ((size_t)64 * 1024)

struct piece {
    struct piece *next;
    char *payload; // owned; `data` lies inside
    const char *data;
    size_t len;
};

struct stream {
    struct MHD_Connection *mhd;
    const struct stream_events *events; // NULL once nobody listens
    void *owner;
    struct piece *first, **last;
    size_t at; // bytes of the first piece that are used up
    bool ended, whole, suspended, finished;
    bool gzip;
    z_stream z;
};

static void drop_first(struct stream *s)
{
    struct piece *p = s->first;
    s->first = p->next;
    if (!s->first)
        s->last = &s->first;
    s->at = 0;
    size_t len = p->len;
    free(p->payload);
    free(p);
    if (s->events)
        s->events->taken(s->owner, len);
}

static size_t copy_some(struct stream *s, char *out, size_t max)
{
    size_t n = MIN_OF(max, s->first->len - s->at);
    memcpy(out, s->first->data + s->at, n);
    s->at += n;
    if (s->at == s->first->len)
        drop_first(s);
    return n;
}

// Feeds pieces to zlib until it gives something.
static size_t pack_some(struct stream *s, char *out, size_t max)
{
    s->z.next_out = (Bytef *)out;
    s->z.avail_out = (uInt)MIN_OF(max, BLOCK);
    size_t room = s->z.avail_out;
    while (s->z.avail_out == room && !s->finished) {
        bool is_last = s->ended && s->whole && (!s->first || !s->first->next);
        if (!s->first && !is_last)
            break;
        s->z.next_in = s->first ? (Bytef *)(s->first->data + s->at) : NULL;
        s->z.avail_in = s->first ? (uInt)(s->first->len - s->at) : 0;
        int r = deflate(&s->z, is_last ? Z_FINISH : Z_NO_FLUSH);
        if (s->first) {
            s->at = s->first->len - s->z.avail_in;
            if (s->at == s->first->len)
                drop_first(s);
        }
        s->finished = r == Z_STREAM_END;
    }
    return room - s->z.avail_out;
}

static ssize_t on_read(void *arg, uint64_t pos, char *out, size_t max)
{
    struct stream *s = arg;
    size_t n = 0;
    if (s->gzip)
        n = pack_some(s, out, max);
    else if (s->first)
        n = copy_some(s, out, max);
    if (n > 0)
        return (ssize_t)n;
    if (s->ended && s->whole)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (s->ended)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    s->suspended = true;
    MHD_suspend_connection(s->mhd);
    return 0;
}

static void on_free(void *arg)
{
    struct stream *s = arg;
    if (s->events)
        s->events->gone(s->owner);
    s->events = NULL;
    while (s->first)
        drop_first(s);
    if (s->gzip)
        deflateEnd(&s->z);
    free(s);
}

struct stream *stream_new(struct MHD_Connection *mhd, bool gzip, const struct stream_events *events,
                          void *owner, struct MHD_Response **ret_response)
{
    struct stream *s = mem_zalloc(sizeof(*s));
    *s = (struct stream){.mhd = mhd, .events = events, .owner = owner, .gzip = gzip};
    s->last = &s->first;
    if (gzip && deflateInit2(&s->z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(s);
        return NULL;
    }
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_read, s, on_free);
    if (!r) {
        s->events = NULL;
        on_free(s);
        return NULL;
    }
    if (gzip) {
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
        MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    }
    *ret_response = r;
    return s;
}

static bool wake(struct stream *s)
{
    bool was_suspended = s->suspended;
    s->suspended = false;
    if (was_suspended)
        MHD_resume_connection(s->mhd);
    return was_suspended;
}

bool stream_put(struct stream *s, char *payload, const char *data, size_t len)
{
    if (len == 0) {
        free(payload);
        return false;
    }
    struct piece *p = mem_zalloc(sizeof(*p));
    *p = (struct piece){.payload = payload, .data = data, .len = len};
    *s->last = p;
    s->last = &p->next;
    return wake(s);
}

bool stream_end(struct stream *s, bool whole)
{
    s->ended = true;
    s->whole = whole;
    return wake(s);
}

void stream_detach(struct stream *s)
{
    s->events = NULL;
}

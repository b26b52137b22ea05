// SPDX-License-Identifier: GPL-3.0-or-later
// Frames between peers over a stream socket.
// Invariants: `in` holds bytes read but not yet given to a frame; `payload` is the frame being
// read, or the last one given out; `out` holds whole frames, of which `out_at` bytes are written.
// An error is final: `error` is returned from then on. One thread uses a connection.
#include "net/ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

#define IN_SIZE (16u * 1024)
#define QUEUE_MAX ((size_t)1 << 30)
// A buffer larger than this is given back once it is empty.
#define KEEP_MAX (256u * 1024)
#define STATUS_LAST 999

struct header {
    uint32_t length;
    uint32_t id;
    uint16_t type;
    uint16_t status;
    uint32_t zero;
};

_Static_assert(sizeof(struct header) == 16, "the header is the wire format");

struct ipc {
    int fd;
    int error; // 0, -EPIPE or -EPROTO
    size_t payload_max;

    size_t in_at;
    size_t in_len;
    bool in_header; // `header` is whole, its payload is being read
    bool given;     // `payload` was handed out and is free to go
    struct header header;
    char *payload;
    size_t payload_cap;
    size_t payload_have;

    struct buf out;
    size_t out_at;

    char in[IN_SIZE];
};

struct ipc *ipc_new(int fd, size_t payload_max)
{
    struct ipc *c = mem_zalloc(sizeof(*c));
    c->fd = fd;
    c->payload_max = MIN_OF(payload_max, IPC_PAYLOAD_MAX);
    buf_init(&c->out, QUEUE_MAX);
    if (fs_set_nonblock(fd) < 0)
        c->error = -EPIPE;
    return c;
}

void ipc_free(struct ipc *c)
{
    if (!c)
        return;
    close(c->fd);
    free(c->payload);
    buf_done(&c->out);
    free(c);
}

int ipc_fd(const struct ipc *c)
{
    return c->fd;
}

size_t ipc_queued(const struct ipc *c)
{
    return c->out.len - c->out_at;
}

bool ipc_wants_write(const struct ipc *c)
{
    return c->error == 0 && c->out_at < c->out.len;
}

static void shrink_out(struct ipc *c)
{
    if (c->out_at == c->out.len) {
        size_t limit = c->out.limit;
        if (c->out.cap > KEEP_MAX) {
            buf_done(&c->out);
            buf_init(&c->out, limit);
        }
        buf_reset(&c->out);
        c->out_at = 0;
    } else if (c->out_at > c->out.len / 2) {
        buf_consume(&c->out, c->out_at);
        c->out_at = 0;
    }
}

// Bytes written (0 where the socket is full), or -EPIPE.
static ssize_t write_some(struct ipc *c, struct iovec *iov, size_t n)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
    ssize_t written;
    do
        written = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (written < 0 && errno == EINTR);
    if (written >= 0)
        return written;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
    c->error = -EPIPE;
    return -EPIPE;
}

int ipc_flush(struct ipc *c)
{
    while (ipc_wants_write(c)) {
        struct iovec iov = {c->out.data + c->out_at, c->out.len - c->out_at};
        ssize_t n = write_some(c, &iov, 1);
        if (n <= 0)
            break;
        c->out_at += (size_t)n;
    }
    if (c->error == 0)
        shrink_out(c);
    return c->error == -EPROTO ? -EPIPE : c->error;
}

static int queue_rest(struct ipc *c, const struct iovec *iov, size_t n, size_t written)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += iov[i].iov_len;
    int r = buf_reserve(&c->out, total - written);
    if (r < 0) {
        // With part of a frame gone the stream cannot be continued.
        c->out.error = 0;
        if (written > 0)
            c->error = -EPIPE;
        return written > 0 ? -EPIPE : -ENOBUFS;
    }
    for (size_t i = 0; i < n; i++) {
        size_t skip = MIN_OF(written, iov[i].iov_len);
        buf_put(&c->out, (const char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
        written -= skip;
    }
    return 0;
}

int ipc_send(struct ipc *c, enum ipc_type type, uint32_t id, uint16_t status, const void *a,
             size_t a_len, const void *b, size_t b_len)
{
    if (c->error < 0)
        return -EPIPE;
    if (a_len > IPC_PAYLOAD_MAX || b_len > IPC_PAYLOAD_MAX - a_len)
        return -EMSGSIZE;
    size_t queued = c->out.len - c->out_at;
    if (a_len + b_len + sizeof(struct header) > QUEUE_MAX - queued)
        return -ENOBUFS;
    struct header h = {
        .length = (uint32_t)(a_len + b_len), .id = id, .type = (uint16_t)type, .status = status};
    struct iovec iov[] = {{&h, sizeof(h)}, {(void *)a, a_len}, {(void *)b, b_len}};
    ssize_t written = 0;
    if (queued == 0) {
        written = write_some(c, iov, ARRAY_LEN(iov));
        if (written < 0)
            return (int)written;
        if ((size_t)written == sizeof(h) + a_len + b_len)
            return 0;
    }
    return queue_rest(c, iov, ARRAY_LEN(iov), (size_t)written);
}

// Bytes read, 0 where there are none now; errors are kept.
static size_t read_some(struct ipc *c, void *data, size_t n)
{
    ssize_t r;
    do
        r = recv(c->fd, data, n, MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    if (r > 0)
        return (size_t)r;
    if (r == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        c->error = -EPIPE;
    return 0;
}

static bool header_is_valid(const struct ipc *c, const struct header *h)
{
    return h->length <= c->payload_max && h->type >= IPC_REQUEST && h->type < IPC_TYPE_END &&
           h->status <= STATUS_LAST && h->zero == 0;
}

static bool make_room(struct ipc *c, size_t len)
{
    if (c->payload_cap >= len && (c->payload_cap <= KEEP_MAX || len > KEEP_MAX))
        return true;
    free(c->payload);
    c->payload_cap = 0;
    c->payload = malloc(MAX_OF(len, (size_t)64));
    if (!c->payload)
        return false;
    c->payload_cap = MAX_OF(len, (size_t)64);
    return true;
}

static size_t buffered(const struct ipc *c)
{
    return c->in_len - c->in_at;
}

// True once the header is whole; the payload then has its memory.
static bool read_header(struct ipc *c)
{
    if (buffered(c) < sizeof(c->header)) {
        memmove(c->in, c->in + c->in_at, buffered(c));
        c->in_len -= c->in_at;
        c->in_at = 0;
        c->in_len += read_some(c, c->in + c->in_len, sizeof(c->in) - c->in_len);
        if (buffered(c) < sizeof(c->header))
            return false;
    }
    memcpy(&c->header, c->in + c->in_at, sizeof(c->header));
    c->in_at += sizeof(c->header);
    if (!header_is_valid(c, &c->header)) {
        c->error = -EPROTO;
        return false;
    }
    if (!make_room(c, c->header.length)) {
        c->error = -EPIPE;
        return false;
    }
    c->in_header = true;
    c->payload_have = 0;
    return true;
}

// True once the payload is whole. What is longer than the small buffer is read in place.
static bool read_payload(struct ipc *c)
{
    for (;;) {
        size_t missing = c->header.length - c->payload_have;
        size_t n = MIN_OF(missing, buffered(c));
        if (n > 0)
            memcpy(c->payload + c->payload_have, c->in + c->in_at, n);
        c->in_at += n;
        c->payload_have += n;
        missing -= n;
        if (missing == 0)
            return true;
        if (missing >= sizeof(c->in)) {
            size_t got = read_some(c, c->payload + c->payload_have, missing);
            if (got == 0)
                return false;
            c->payload_have += got;
        } else {
            c->in_at = 0;
            c->in_len = read_some(c, c->in, sizeof(c->in));
            if (c->in_len == 0)
                return false;
        }
    }
}

int ipc_recv(struct ipc *c, struct ipc_frame *ret)
{
    if (c->given && c->payload_cap > KEEP_MAX) {
        free(c->payload);
        c->payload = NULL;
        c->payload_cap = 0;
    }
    c->given = false;
    // What arrived before the peer went away is still good.
    if (c->error == -EPROTO)
        return c->error;
    if (!c->in_header && !read_header(c))
        return c->error;
    if (!read_payload(c))
        return c->error;
    c->in_header = false;
    c->given = true;
    *ret = (struct ipc_frame){
        .id = c->header.id,
        .type = c->header.type,
        .status = c->header.status,
        .payload = c->payload,
        .len = c->header.length,
    };
    return 1;
}

char *ipc_take_payload(struct ipc *c)
{
    c->payload_cap = 0;
    return TAKE_PTR(c->payload);
}

// SPDX-License-Identifier: GPL-3.0-or-later
// Frames between peers over a stream socket.
// Invariants: `in` holds bytes read but not yet given to a frame; `payload` is the frame being
// read, or the last one given out; `out` holds whole frames, of which `out_at` bytes are written; a
// parcel's place is never before `out_at`.
// An error is final: `error` is returned from then on. One thread uses a connection.
#include "net/ipc.h"

#include <errno.h>
#include <fcntl.h>
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
    uint32_t flags;
};

#define FLAG_FD 1u
// Descriptors that may be under way at once in either direction.
#define FDS_MAX 256

_Static_assert(sizeof(struct header) == 16, "the header is the wire format");

// A descriptor that leaves with the byte at `at` of `out`.
struct parcel {
    size_t at;
    int fd;
};

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

    struct parcel parcels[FDS_MAX]; // waiting in `out`, in order
    size_t n_parcels;
    bool takes_fds;
    int arrived[FDS_MAX]; // with bytes not yet given to a frame, in order
    size_t n_arrived;
    int given_fd;

    char in[IN_SIZE];
};

struct ipc *ipc_new(int fd, size_t payload_max)
{
    struct ipc *c = mem_zalloc(sizeof(*c));
    c->fd = fd;
    c->given_fd = -1;
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
    for (size_t i = 0; i < c->n_parcels; i++)
        close(c->parcels[i].fd);
    for (size_t i = 0; i < c->n_arrived; i++)
        close(c->arrived[i]);
    closep(&c->given_fd);
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
        for (size_t i = 0; i < c->n_parcels; i++)
            c->parcels[i].at -= c->out_at;
        c->out_at = 0;
    }
}

union fd_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void attach(struct msghdr *msg, union fd_space *space, int fd)
{
    *space = (union fd_space){0};
    msg->msg_control = space->bytes;
    msg->msg_controllen = sizeof(space->bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(msg);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

// Bytes written (0 where the socket is full), or -EPIPE.
static ssize_t write_some(struct ipc *c, struct iovec *iov, size_t n, int fd)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
    union fd_space space;
    ssize_t written;
    if (fd >= 0)
        attach(&msg, &space, fd);
    do
        written = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (written < 0 && errno == EINTR);
    if (written >= 0)
        return written;
    // ETOOMANYREFS: so many descriptors are under way that the kernel wants some taken first.
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS)
        return 0;
    c->error = -EPIPE;
    return -EPIPE;
}

// One piece of the queue, up to the next descriptor's frame.
static ssize_t flush_some(struct ipc *c)
{
    int fd = c->n_parcels > 0 && c->parcels[0].at == c->out_at ? c->parcels[0].fd : -1;
    size_t next = fd >= 0 ? 1 : 0;
    size_t end = next < c->n_parcels ? c->parcels[next].at : c->out.len;
    struct iovec iov = {c->out.data + c->out_at, end - c->out_at};
    ssize_t n = write_some(c, &iov, 1, fd);
    if (n > 0 && fd >= 0) {
        close(fd);
        c->n_parcels--;
        memmove(c->parcels, c->parcels + 1, c->n_parcels * sizeof(c->parcels[0]));
    }
    return n;
}

int ipc_flush(struct ipc *c)
{
    while (ipc_wants_write(c)) {
        ssize_t n = flush_some(c);
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

static int keep_parcel(struct ipc *c, int fd)
{
    int copy = c->n_parcels < FDS_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0)
        return -EMFILE;
    c->parcels[c->n_parcels++] = (struct parcel){c->out.len, copy};
    return 0;
}

int ipc_send(struct ipc *c, enum ipc_type type, uint32_t id, uint16_t status, const void *a,
             size_t a_len, const void *b, size_t b_len)
{
    return ipc_send_fd(c, type, id, status, a, a_len, b, b_len, -1);
}

int ipc_send_fd(struct ipc *c, enum ipc_type type, uint32_t id, uint16_t status, const void *a,
                size_t a_len, const void *b, size_t b_len, int fd)
{
    if (c->error < 0)
        return -EPIPE;
    if (a_len > IPC_PAYLOAD_MAX || b_len > IPC_PAYLOAD_MAX - a_len)
        return -EMSGSIZE;
    size_t queued = c->out.len - c->out_at;
    if (a_len + b_len + sizeof(struct header) > QUEUE_MAX - queued)
        return -ENOBUFS;
    struct header h = {
        .length = (uint32_t)(a_len + b_len),
        .id = id,
        .type = (uint16_t)type,
        .status = status,
        .flags = fd >= 0 ? FLAG_FD : 0,
    };
    struct iovec iov[] = {{&h, sizeof(h)}, {(void *)a, a_len}, {(void *)b, b_len}};
    ssize_t written = 0;
    if (queued == 0) {
        written = write_some(c, iov, ARRAY_LEN(iov), fd);
        if (written < 0)
            return (int)written;
        if ((size_t)written == sizeof(h) + a_len + b_len)
            return 0;
    }
    if (fd >= 0 && written == 0) {
        int r = keep_parcel(c, fd);
        if (r < 0)
            return r;
    }
    int r = queue_rest(c, iov, ARRAY_LEN(iov), (size_t)written);
    if (r < 0 && fd >= 0 && written == 0)
        close(c->parcels[--c->n_parcels].fd);
    return r;
}

static void keep_arrived(struct ipc *c, struct msghdr *msg)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
        int fd;
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        // There is room for one; the kernel closes what is more.
        memcpy(&fd, CMSG_DATA(h), sizeof(fd));
        if (c->n_arrived < FDS_MAX) {
            c->arrived[c->n_arrived++] = fd;
        } else {
            close(fd);
            c->error = -EPROTO;
        }
    }
}

static ssize_t receive(struct ipc *c, void *data, size_t n)
{
    if (!c->takes_fds)
        return recv(c->fd, data, n, MSG_DONTWAIT);
    struct iovec iov = {data, n};
    union fd_space space;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = space.bytes,
                         .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t r = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (r >= 0)
        keep_arrived(c, &msg);
    return r;
}

// Bytes read, 0 where there are none now; errors are kept.
static size_t read_some(struct ipc *c, void *data, size_t n)
{
    ssize_t r;
    do
        r = receive(c, data, n);
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
           h->status <= STATUS_LAST && (h->flags == 0 || (h->flags == FLAG_FD && c->takes_fds));
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

void ipc_accept_fds(struct ipc *c)
{
    c->takes_fds = true;
}

int ipc_take_fd(struct ipc *c)
{
    int fd = c->given_fd;
    c->given_fd = -1;
    return fd;
}

// The descriptor that belongs to the frame just read; false where it did not come.
static bool pick_fd(struct ipc *c)
{
    if (c->header.flags == 0)
        return true;
    if (c->n_arrived == 0)
        return false;
    c->given_fd = c->arrived[0];
    c->n_arrived--;
    memmove(c->arrived, c->arrived + 1, c->n_arrived * sizeof(c->arrived[0]));
    return true;
}

int ipc_recv(struct ipc *c, struct ipc_frame *ret)
{
    closep(&c->given_fd);
    c->given_fd = -1;
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
    if (!pick_fd(c)) {
        c->error = -EPROTO;
        return c->error;
    }
    *ret = (struct ipc_frame){
        .id = c->header.id,
        .type = c->header.type,
        .status = c->header.status,
        .payload = c->payload,
        .len = c->header.length,
        .fd = c->given_fd,
    };
    return 1;
}

char *ipc_take_payload(struct ipc *c)
{
    c->payload_cap = 0;
    return TAKE_PTR(c->payload);
}

// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_IPC_H
#define NET_IPC_H

/*
 * How vherd's processes talk.
 *
 * Peers (core–web, core–act, core–send) exchange frames over a stream socket: a 16-byte header in
 * host byte order {u32 length, u32 id, u16 type, u16 status, u32 flags} and a payload. A frame
 * that is malformed or too large closes the connection. Flag 1: a descriptor comes along
 * (SCM_RIGHTS, with the frame's first byte).
 *
 * The supervisor talks to each process over a seqpacket socket (its descriptor 3): one message a
 * packet, {u32 type, text}, with at most one descriptor passed along.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define IPC_PAYLOAD_MAX (256u * 1024 * 1024)
#define IPC_CONTROL_FD 3

enum ipc_type {
    IPC_REQUEST = 1, /**< web to core: see ipc_request; core to act: verb, JSON arguments */
    IPC_RESPONSE,    /**< `status` = HTTP status; payload: content type, NUL, body */
    IPC_CANCEL,      /**< the asker no longer waits for `id` */
    IPC_REPORT,      /**< unasked: act's or send's state for core; JSON */
    IPC_SAMPLES,     /**< to core: a frame of net/samples.h; with an id other than 0 answered by: */
    IPC_WRITTEN,     /**< from core: samples_written */
    IPC_NEXT,        /**< send to core: samples_ask; the id is the remote's number */
    IPC_BATCH,       /**< core to send: samples_batch and a frame; the id as asked */
    IPC_DONE,        /**< send to core: the remote's place up to which all is delivered, its name */
    IPC_FAMILIES,    /**< core to send: a frame of metadata only */
    IPC_BEGIN,       /**< in place of IPC_RESPONSE: its first piece, IPC_PIECEs follow */
    IPC_PIECE,       /**< more of the body */
    IPC_END,         /**< the body is whole; `status` other than 0: it broke off */
    IPC_MORE,        /**< web to core: another piece of `id` may come */
    IPC_NOTIFY,      /**< core to send: the message's id, receiver's name, JSON; NUL between them */
    IPC_NOTIFIED,    /**< send to core: `status` = enum notify_outcome; id, why, pause in ms */
    IPC_IMPORT,      /**< as IPC_SAMPLES, with an id: history, of any age */
    IPC_SHARED,      /**< as IPC_RESPONSE; the receiver keeps a copy until the next of these */
    IPC_IMPORT_TRY,  /**< as IPC_IMPORT, but nothing is taken */
    IPC_AGAIN,       /**< the same answer as the connection's last IPC_SHARED; no payload */
    IPC_TYPE_END,
};

/** Pieces of an answer (IPC_BEGIN among them) that may be under way before the first IPC_MORE, and
 * how long one should be: so much memory a slow client costs on either side. */
#define IPC_PIECES_AHEAD 2
#define IPC_PIECE_BYTES ((size_t)160 * 1024)

/** One frame as received; the payload is valid until the next call on the connection. */
struct ipc_frame {
    uint32_t id;
    uint16_t type;
    uint16_t status;
    const char *payload; /**< not NUL-terminated */
    size_t len;
    int fd; /**< that came along, or -1; closed at the next call, see ipc_take_fd() */
};

struct ipc; /**< one end of a peer connection; used by one thread */

/** Take over a connected stream socket (made non-blocking); the caller owns the result. */
struct ipc *ipc_new(int fd, size_t payload_max);
void ipc_free(struct ipc *c);

int ipc_fd(const struct ipc *c);

/** Queue a frame whose payload is two pieces laid end to end (either may be empty), and try to
 * write it. Returns 0, -EPIPE (the peer is gone), -EMSGSIZE (over IPC_PAYLOAD_MAX), -ENOBUFS (over
 * 1 GiB queued). */
int ipc_send(struct ipc *c, enum ipc_type type, uint32_t id, uint16_t status, const void *a,
             size_t a_len, const void *b, size_t b_len);

/** Bytes that wait for the socket. */
size_t ipc_queued(const struct ipc *c);

/**
 * The same with a descriptor, which is copied; -1 = none. -EMFILE: no descriptor is left for a copy
 * that must wait.
 */
int ipc_send_fd(struct ipc *c, enum ipc_type type, uint32_t id, uint16_t status, const void *a,
                size_t a_len, const void *b, size_t b_len, int fd);

/** Let descriptors come along from now on; without it those that come are dropped by the kernel. */
void ipc_accept_fds(struct ipc *c);

/** Take over the descriptor of the frame that ipc_recv() gave last; -1 = none. */
int ipc_take_fd(struct ipc *c);

/** True while queued bytes wait for the socket: poll for writing, then ipc_flush(). */
bool ipc_wants_write(const struct ipc *c);
int ipc_flush(struct ipc *c);

/**
 * The next whole frame, reading what the socket has. 1: *ret holds one; 0: none yet;
 * -EPIPE: closed; -EPROTO: malformed.
 */
int ipc_recv(struct ipc *c, struct ipc_frame *ret);

/**
 * Take over the payload of the frame that ipc_recv() gave last, instead of copying it. May be NULL
 * where it is empty. The caller owns the result (free()).
 */
char *ipc_take_payload(struct ipc *c);

/** What web asks core, decoded; texts point into the frame's payload copy owned by it. */
struct ipc_request {
    const char *method;    /**< "GET", "POST" */
    const char *path;      /**< decoded, absolute, without query */
    const char *query;     /**< raw, without "?"; "" where there is none */
    const char *form;      /**< the body of a POST: a form, raw, or JSON; "" where there is none */
    const char *accept;    /**< Accept header or "" */
    const char *principal; /**< a grant (auth/grant.h); "": the connection that comes along says */
    const char *address; /**< where it came from, for the audit log; "" where that is no address */
    char *storage;       /**< owned */
};

/** Encode: seven NUL-ended texts. The result is in `out`. */
void ipc_request_encode(const struct ipc_request *r, struct buf *out);

/** Decode (copies); 0 or -EPROTO. Free with ipc_request_done(). */
int ipc_request_decode(const char *payload, size_t len, struct ipc_request *ret);
void ipc_request_done(struct ipc_request *r);

/** The value of `name` in a raw query string, decoded into fresh memory; NULL where absent. */
char *ipc_query_param(const char *query, const char *name);

/** The same for a name that may stand several times: starts at *query and moves it behind what it
 * found; call until it returns NULL. */
char *ipc_query_param_next(const char **query, const char *name);

/** The value of a parameter in a request's form or, failing that, its query; NULL where absent. */
char *ipc_request_param(const struct ipc_request *r, const char *name);

/* The supervisor's channel. */

enum control_type {
    CONTROL_CONFIG = 1,  /**< to a process: the whole configuration, conf_encode() */
    CONTROL_PEER,        /**< to a process: text = peer's name, descriptor = its stream socket */
    CONTROL_LISTEN,      /**< to web: text = address as configured, for HTTPS with "tls " in front;
                            descriptor listens */
    CONTROL_START,       /**< to a process: all of the first round has been said; go */
    CONTROL_READY,       /**< from a process: it serves; text = its sandbox in words */
    CONTROL_STOP,        /**< to a process: end in order */
    CONTROL_PROCESSES,   /**< to core: JSON [{"name","pid","restarts","sandbox"}] */
    CONTROL_CERTIFICATE, /**< to web: PEM, before the listening sockets */
    CONTROL_TLS_KEY,     /**< to web: its private key, PEM */
    CONTROL_KEY,         /**< to core and act: text = the key of grants, in hex */
    CONTROL_FATAL,       /**< from a process: a sentence for the person; it will exit */
    CONTROL_STRAY,       /**< from act: "ID UUID look" or "ID UUID end", for a VM's process of which
                            libvirt does not know; to act: "ID N", a PID, 0 = none, or -errno */
    CONTROL_TYPE_END,
};

#define CONTROL_TEXT_MAX (128u * 1024)

/** Send one message; fd -1 = none. Blocks. 0 or -errno. */
int control_send(int control_fd, enum control_type type, const char *text, int fd);

/**
 * Receive one message; blocks unless the socket is non-blocking (-EAGAIN). The caller owns
 * *ret_text (NUL-terminated) and *ret_fd (-1 = none). Returns 0, -EPIPE at the end, -EPROTO.
 */
int control_recv(int control_fd, enum control_type *ret_type, char **ret_text, int *ret_fd);

#endif

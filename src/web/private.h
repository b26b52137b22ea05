// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_PRIVATE_H
#define WEB_PRIVATE_H

/*
 * What the server's files share. One thread. MHD and the link are never entered from each other's
 * callbacks, only marked (`mhd_due`).
 */

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "conn.h"
#include "gate.h"
#include "limit.h"
#include "link.h"
#include "server.h"
#include "write.h"

#define RESPONSE_NS (30 * NS_PER_S)
#define LISTENERS_MAX 32

struct listener {
    struct server *server;
    struct watch watch;
    bool is_unix;
    bool is_tls;
};

// MHD speaks either HTTP or HTTPS.
enum { PLAIN, TLS, ENGINES };

struct engine {
    struct MHD_Daemon *mhd; // NULL: there is no certificate
    struct watch watch;
};

struct server {
    struct loop *loop;
    const struct clock *clock;
    struct engine engines[ENGINES];
    bool mhd_due; // something was resumed or added since MHD ran
    struct link link;
    struct gate gate; // to act
    struct limit *limit;
    int64_t rate_limit; // requests a second

    struct listener listeners[LISTENERS_MAX];
    size_t n_listeners;
    bool accepting;

    struct conn *conns;
    struct conn *adding; // while MHD takes it over
    size_t n_tcp, n_unix, max;
    int64_t next_sweep_ns; // INT64_MAX: nothing to wait for
    int64_t finish_ns;     // 0: not yet told to end
    int64_t orphan_ns;     // when to stop hoping for core; 0: it is there
    size_t in_flight;
    size_t body_bytes; // of answers that clients have not taken yet
    char own_name[256];
    // Borrowed from the configuration in force.
    struct conf_list hosts, origins;
    int64_t query_timeout_ns;
    struct write_door *door;
    size_t receive_max;  // of one body with samples
    size_t upload_bytes; // of bodies that are being read
};

int64_t server_now_ns(const struct server *s);
void conn_set_deadline(struct conn *c, enum conn_phase phase, int64_t after_ns);

/* core.c: what a request comes to, and core's part in it. */

/** The answer; `response` is taken over, of `len` bytes that count as waiting for the client. */
void request_decide(struct request *r, unsigned status, struct MHD_Response *response, size_t len);
/** A problem as the answer, with the headers that belong to its status. */
void request_refuse(struct request *r, unsigned status, const char *detail);
/** A header that came, or NULL. */
const char *request_header(const struct request *r, const char *name);
/** Suspend it until somebody decides it, this long at most. */
void request_wait(struct request *r, int64_t patience_ns);

/** Ask core with the grant that act gave, or as the connection that it is. */
void core_ask(struct request *r);
/** Core is gone, or ended a stream: `whole` or not. */
void core_lost(void *asker);
void core_ended(void *asker, bool whole);
extern const struct link_events core_events;

/* login.c: who asks. */

/** Find out who asks; then core or act is asked. */
void login_proceed(struct request *r);
/** What act said of a credential. */
void login_answered(void *asker, const struct verdict *v);

/* body.c: bodies on their way in. */

/** Refuse it, or get ready to read. */
void body_begin(struct request *r);
/** False: more than may come; the connection is closed, as MHD has no other way in mid-body. */
bool body_take(struct request *r, const char *data, size_t len);
void body_drop(struct request *r);
/** Whether the verb's body is samples; then these go to core by body_write(). */
bool body_is_samples(const struct request *r);
void body_write(struct request *r);
/** Core has taken them, or not; `payload` is taken over. */
void body_written(struct request *r, const struct ipc_frame *frame, char *payload);

/* exchange.c: MHD's callbacks for requests. */

enum MHD_Result exchange_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_len, void **context);
void *exchange_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
void exchange_completed(void *cls, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode why);
/** request_check() decodes the address itself, from the text that came. */
size_t exchange_escapes(void *cls, struct MHD_Connection *mhd, char *text);

/* accept.c: listening sockets and connections. */

/** Listen where there is room for connections. */
void accept_update(struct server *s);
/** MHD's callback for connections. */
void accept_connection(void *cls, struct MHD_Connection *mhd, void **context,
                       enum MHD_ConnectionNotificationCode code);

#endif

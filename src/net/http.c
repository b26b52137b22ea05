// SPDX-License-Identifier: GPL-3.0-or-later
// The clients' way to the daemon: libcurl over its Unix socket or TCP, on a kept-open connection.
// A client belongs to one thread.
#include "net/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/mem.h"

#define BODY_MAX ((size_t)256 * 1024 * 1024)
#define CONNECT_TIMEOUT_MS 5000L

struct http_client {
    CURL *curl;
    char *socket; // NULL where `url` is used
    char *url;    // without a slash at its end
    char *token, *ca, *pin;
};

static void init_library(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_client *http_client_new(const struct http_target *target)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    struct http_client *c = mem_zalloc(sizeof(*c));
    c->curl = curl_easy_init();
    if (!c->curl)
        abort();
    if (target->socket)
        c->socket = mem_strdup(target->socket);
    c->url = mem_strdup(target->socket ? "http://localhost" : target->url);
    c->token = mem_strdup(target->token);
    c->ca = mem_strdup(target->ca);
    c->pin = mem_strdup(target->pin);
    for (size_t n = strlen(c->url); n > 0 && c->url[n - 1] == '/'; n--)
        c->url[n - 1] = '\0';
    return c;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    free(c->socket);
    free(c->url);
    if (c->token)
        explicit_bzero(c->token, strlen(c->token));
    free(c->token);
    free(c->ca);
    free(c->pin);
    free(c);
}

struct sink {
    struct buf *body;
    bool too_large;
};

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct sink *sink = arg;
    size_t len = size * n;
    if (len > BODY_MAX - MIN_OF(BODY_MAX, sink->body->len)) {
        sink->too_large = true;
        return 0;
    }
    buf_put(sink->body, data, len);
    sink->too_large = sink->body->error != 0;
    return sink->too_large ? 0 : len;
}

static int explain_permission(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_set(err, EACCES, "no permission for %s: use sudo, or ask who runs vherd", path);
    struct group *group = (st.st_mode & S_IWGRP) ? getgrgid(st.st_gid) : NULL;
    if (group && st.st_gid != 0)
        return err_set(err, EACCES,
                       "no permission for %s: only members of the group \"%s\" may use it "
                       "(`adduser YOU %s`, then log in again), or use sudo",
                       path, group->gr_name, group->gr_name);
    struct passwd *owner = getpwuid(st.st_uid);
    return err_set(err, EACCES,
                   "no permission for %s: it is open to %s only; use sudo, or let a group in "
                   "with web.socket_group",
                   path, owner ? owner->pw_name : "its owner");
}

// Asks the kernel again what is wrong with the socket: libcurl's own words do not say.
static int explain_socket(const char *path, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(addr.sun_path))
        return err_set(err, ENAMETOOLONG, "the socket's path is longer than %zu bytes: %s",
                       sizeof(addr.sun_path) - 1, path);
    memcpy(addr.sun_path, path, strlen(path));
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, errno, "cannot open a socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno == EAGAIN)
        return err_set(err, EAGAIN, "vherd at %s closed the connection: try again", path);
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return err_set(err, ENOENT,
                       "vherd is not running (no socket at %s): start it with `vherd daemon`",
                       path);
    case ECONNREFUSED:
        return err_set(err, ECONNREFUSED,
                       "vherd is not running (nobody answers on %s): start it with `vherd daemon`",
                       path);
    case EACCES:
    case EPERM:
        return explain_permission(path, err);
    default:
        return err_set(err, errno, "cannot reach vherd at %s: %s", path, strerror(errno));
    }
}

static int explain(struct http_client *c, CURLcode code, int timeout_ms, const struct sink *sink,
                   struct err *err)
{
    const char *where = c->socket ? c->socket : c->url;
    if (sink->too_large)
        return err_set(err, EFBIG, "vherd at %s answered with more than can be taken", where);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ETIMEDOUT, "vherd at %s did not answer within %g s", where,
                       timeout_ms / 1000.0);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return err_set(err, EINVAL, "\"%s\" is not an address such as http://127.0.0.1:9177",
                       where);
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return err_set(err, EHOSTUNREACH, "no such host: %s", where);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
        return err_set(err, EKEYREJECTED,
                       "the certificate of %s cannot be trusted: give --ca-file or --pin, as "
                       "vherd's log there names it",
                       where);
    if (code != CURLE_COULDNT_CONNECT)
        return err_set(err, EIO, "cannot talk to vherd at %s: %s", where, curl_easy_strerror(code));
    if (c->socket)
        return explain_socket(c->socket, err);
    long os_errno = 0;
    curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == 0 || os_errno == ECONNREFUSED)
        return err_set(err, ECONNREFUSED,
                       "vherd is not running (nobody answers at %s): start it with `vherd daemon`",
                       where);
    return err_set(err, (int)os_errno, "cannot reach vherd at %s: %s", where,
                   strerror((int)os_errno));
}

static void set_options(struct http_client *c, const char *url, int timeout_ms, struct sink *sink)
{
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    if (c->socket)
        curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
    // A VM may be called "..".
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    // What http_proxy in the environment names knows nothing of this machine's daemon.
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "vherd");
    curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS,
                     MIN_OF((long)timeout_ms, CONNECT_TIMEOUT_MS));
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, sink);
}

static void set_security(struct http_client *c)
{
    if (c->token) {
        curl_easy_setopt(c->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(c->curl, CURLOPT_XOAUTH2_BEARER, c->token);
    }
    curl_easy_setopt(c->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (c->ca)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->ca);
    if (c->pin) {
        curl_easy_setopt(c->curl, CURLOPT_PINNEDPUBLICKEY, c->pin);
        // The key itself is known: who signed it, and for which name, adds nothing.
        curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

// A body of that type; of no type: a form. `data` NULL: none.
struct content {
    const char *method, *type, *data;
    size_t len;
};

static struct curl_slist *set_body(struct http_client *c, const struct content *content)
{
    bool is_post = strcmp(content->method, "POST") == 0;
    if (content->data) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)content->len);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, content->data);
    }
    if (strcmp(content->method, "GET") != 0 && !(is_post && content->data))
        curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, content->method);
    if (!content->type)
        return NULL;
    CLEANUP(freep) char *type = mem_printf("Content-Type: %s", content->type);
    struct curl_slist *headers = curl_slist_append(NULL, type);
    headers = curl_slist_append(headers, "Expect:"); // nothing here asks before it sends
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    return headers;
}

static int perform(struct http_client *c, const char *path, const struct content *content,
                   int timeout_ms, int *ret_status, struct buf *body, struct err *err)
{
    CLEANUP(freep) char *url = mem_printf("%s%s", c->url, path);
    struct sink sink = {.body = body};
    struct curl_slist *headers = NULL;
    curl_easy_reset(c->curl);
    set_options(c, url, timeout_ms, &sink);
    set_security(c);
    headers = set_body(c, content);
    CURLcode code = curl_easy_perform(c->curl);
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return explain(c, code, timeout_ms, &sink, err);
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    *ret_status = (int)status;
    return 0;
}

int http_get(struct http_client *c, const char *path, int timeout_ms, int *ret_status,
             struct buf *body, struct err *err)
{
    return perform(c, path, &(struct content){.method = "GET"}, timeout_ms, ret_status, body, err);
}

int http_post_form(struct http_client *c, const char *path, const char *form, int timeout_ms,
                   int *ret_status, struct buf *body, struct err *err)
{
    struct content content = {"POST", NULL, form, strlen(form)};
    return perform(c, path, &content, timeout_ms, ret_status, body, err);
}

int http_send(struct http_client *c, const char *method, const char *path, const char *json,
              int timeout_ms, int *ret_status, struct buf *body, struct err *err)
{
    struct content content = {method, json ? "application/json" : NULL, json,
                              json ? strlen(json) : 0};
    return perform(c, path, &content, timeout_ms, ret_status, body, err);
}

int http_post(struct http_client *c, const char *path, const char *content_type, const char *data,
              size_t len, int timeout_ms, int *ret_status, struct buf *body, struct err *err)
{
    struct content content = {"POST", content_type, data, len};
    return perform(c, path, &content, timeout_ms, ret_status, body, err);
}

struct stream {
    struct http_client *client;
    http_take_fn *take;
    void *arg;
    int result;
    struct sink problem;
};

static size_t take_piece(char *data, size_t size, size_t n, void *arg)
{
    struct stream *s = arg;
    long status = 0;
    curl_easy_getinfo(s->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return take_body(data, size, n, &s->problem);
    s->result = s->take(s->arg, data, size * n);
    return s->result < 0 ? 0 : size * n;
}

int http_get_stream(struct http_client *c, const char *path, int idle_ms, http_take_fn *take,
                    void *arg, int *ret_status, struct buf *problem, struct err *err)
{
    CLEANUP(freep) char *url = mem_printf("%s%s", c->url, path);
    struct stream s = {.client = c, .take = take, .arg = arg, .problem.body = problem};
    curl_easy_reset(c->curl);
    set_options(c, url, 0, &s.problem);
    set_security(c);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, (long)(idle_ms + 999) / 1000);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_piece);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &s);
    CURLcode code = curl_easy_perform(c->curl);
    if (s.result < 0)
        return err_set(err, -s.result, "%s", strerror(-s.result));
    if (code != CURLE_OK)
        return explain(c, code, idle_ms, &s.problem, err);
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    *ret_status = (int)status;
    return 0;
}

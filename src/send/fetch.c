// SPDX-License-Identifier: GPL-3.0-or-later
// Invariant: a line with `busy` is in the multi handle; its body counts in the pool's memory until
// `done` was called.
#include "fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "version.h"

#define SECRET_MAX 8192
#define EXTRA_MAX 8
#define REDIRECTS_MAX 10L
// A body this large is not kept for the next answer.
#define KEEP_BYTES (256u * 1024)

struct fetch_pool {
    CURLM *multi; // made with the first line: who has nothing to fetch does not need the libraries
    size_t used, max;
};

struct fetch_line {
    struct fetch_pool *pool;
    CURL *curl;
    char *url, *host_header;
    const struct conf_http *http;
    char *user_password, *authorization; // secrets, or NULL
    const struct conf_receiver *mail;    // of a line to a mail server
    struct curl_slist *recipients;
    struct fetch_mail letter; // under way
    size_t letter_at;
    struct curl_slist *headers, *connect_to;
    fetch_done *done;
    void *arg;
    struct buf body;
    size_t limit;
    bool busy, cut_limit, cut_memory, confirmed;
    int64_t started_ns;
    char error[CURL_ERROR_SIZE];
};

static void init_library(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct fetch_pool *fetch_pool_new(size_t memory_bytes)
{
    struct fetch_pool *p = mem_zalloc(sizeof(*p));
    p->max = memory_bytes;
    return p;
}

static void open_pool(struct fetch_pool *p)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (p->multi)
        return;
    pthread_once(&once, init_library);
    p->multi = curl_multi_init();
    if (!p->multi)
        abort();
}

void fetch_pool_free(struct fetch_pool *p)
{
    if (!p)
        return;
    if (p->multi)
        curl_multi_cleanup(p->multi);
    free(p);
}

// Answers

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct fetch_line *l = arg;
    size_t len = size * n;
    l->cut_limit = len > l->limit - MIN_OF(l->limit, l->body.len);
    l->cut_memory = len > l->pool->max - MIN_OF(l->pool->max, l->pool->used);
    if (l->cut_limit || l->cut_memory)
        return 0;
    buf_put(&l->body, data, len);
    l->pool->used += len;
    return l->body.error ? 0 : len;
}

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
    static const char prefix[] = "X-Prometheus-Remote-Write-", suffix[] = "-Written";
    struct fetch_line *l = arg;
    size_t len = size * n;
    const char *colon = memchr(data, ':', len);
    size_t name = colon ? (size_t)(colon - data) : 0;
    if (name > sizeof(prefix) + sizeof(suffix) - 2 &&
        strncasecmp(data, prefix, sizeof(prefix) - 1) == 0 &&
        strncasecmp(colon - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) == 0)
        l->confirmed = true;
    return len;
}

static const char *explain(const struct fetch_line *l, CURLcode code)
{
    if (l->cut_limit)
        return "the answer is larger than body_size_limit";
    if (l->cut_memory)
        return "no memory is left for this answer beside those of others";
    return l->error[0] ? l->error : curl_easy_strerror(code);
}

static void finish(struct fetch_line *l, CURLcode code)
{
    long status = 0;
    char *type = NULL;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(l->curl, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(l->curl, CURLINFO_RETRY_AFTER, &retry_after);
    // An answer that was cut after its status still is that answer.
    bool cut = l->cut_limit || l->cut_memory || (l->mail && status >= 400);
    struct fetch_answer a = {
        .status = code == CURLE_OK || (cut && status > 0) ? (int)status : 0,
        .why = code == CURLE_OK ? NULL : explain(l, code),
        .body = l->body.len ? l->body.data : "",
        .len = l->body.len,
        .content_type = type,
        .retry_after_ns = retry_after > 0 ? (int64_t)retry_after * NS_PER_S : -1,
        .confirmed = l->confirmed,
        .took_ns = clock_mono_ns(&clock_system) - l->started_ns,
    };
    curl_multi_remove_handle(l->pool->multi, l->curl);
    l->busy = false;
    l->done(l->arg, &a);
    // `done` may have begun the next request, which emptied the body itself.
    if (!l->busy)
        l->pool->used -= l->body.len;
    size_t limit = l->body.limit;
    if (!l->busy && l->body.cap > KEEP_BYTES) {
        buf_done(&l->body);
        buf_init(&l->body, limit);
    } else if (!l->busy) {
        buf_reset(&l->body);
    }
}

void fetch_turn(struct fetch_pool *p, struct pollfd *extra, unsigned n, int timeout_ms)
{
    struct curl_waitfd waits[EXTRA_MAX] = {0};
    int running = 0, left = 0;
    n = MIN_OF(n, (unsigned)EXTRA_MAX);
    if (!p->multi) {
        (void)poll(extra, n, timeout_ms);
        return;
    }
    unsigned used = 0;
    for (unsigned i = 0; i < n; i++)
        if (extra[i].fd >= 0)
            waits[used++] = (struct curl_waitfd){
                .fd = extra[i].fd,
                .events = (short)((extra[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
                                  (extra[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0))};
    curl_multi_poll(p->multi, waits, used, timeout_ms, NULL);
    for (unsigned i = 0; i < n; i++)
        extra[i].revents = 0;
    (void)poll(extra, n, 0);
    curl_multi_perform(p->multi, &running);
    struct CURLMsg *m;
    while ((m = curl_multi_info_read(p->multi, &left))) {
        struct fetch_line *l = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&l);
        finish(l, code);
    }
}

// Lines

// The first line of a file, without the blanks around it.
int fetch_secret(const char *path, char **ret, struct err *err)
{
    if (strncmp(path, "env:", 4) == 0) {
        const char *value = getenv(path + 4);
        if (!value || !*value)
            return err_set(err, ENOENT, "%s: there is no such variable in vherd's environment",
                           path);
        *ret = mem_strdup(value);
        return 0;
    }
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, SECRET_MAX, &text, &len);
    if (r < 0)
        return err_set(err, -r, "%s: %s", path, strerror(-r));
    const char *from = text + strspn(text, " \t\r\n");
    size_t n = strcspn(from, "\r\n");
    while (n > 0 && (from[n - 1] == ' ' || from[n - 1] == '\t'))
        n--;
    if (n == 0)
        return err_set(err, EINVAL, "%s: holds nothing", path);
    *ret = mem_strndup(from, n);
    return 0;
}

static int read_secrets(struct fetch_line *l, struct err *err)
{
    const struct conf_http *http = l->http;
    CLEANUP(freep) char *secret = NULL;
    int r = 0;
    if (*http->basic_auth.username) {
        if (*http->basic_auth.password_file)
            r = fetch_secret(http->basic_auth.password_file, &secret, err);
        l->user_password = mem_printf("%s:%s", http->basic_auth.username, secret ? secret : "");
    } else if (*http->authorization.credentials_file) {
        r = fetch_secret(http->authorization.credentials_file, &secret, err);
        l->authorization =
            mem_printf("Authorization: %s %s", http->authorization.type, secret ? secret : "");
    }
    return r;
}

// TLS asks for another name than the address has: connect there, but call it by that name.
static void rename_server(struct fetch_line *l)
{
    const char *name = l->http->tls.server_name;
    if (!*name || strncasecmp(l->url, "https://", 8) != 0)
        return;
    const char *host = l->url + 8;
    size_t n = strcspn(host, "/?#");
    CLEANUP(freep) char *authority = mem_strndup(host, n);
    const char *bracket = strchr(authority, ']');
    char *colon = strchr(bracket ? bracket : authority, ':');
    CLEANUP(freep) char *port = mem_strdup(colon ? colon + 1 : "443");
    l->host_header = mem_printf("Host: %s", authority);
    if (colon)
        *colon = '\0';
    CLEANUP(freep) char *rule = mem_printf("%s:%s:%s:%s", name, port, authority, port);
    l->connect_to = curl_slist_append(NULL, rule);
    char *url = mem_printf("https://%s:%s%s", name, port, host + n);
    free(l->url);
    l->url = url;
}

int fetch_line_new(struct fetch_pool *p, const char *url, const struct conf_http *http,
                   fetch_done *done, void *arg, struct fetch_line **ret, struct err *err)
{
    struct fetch_line *l = mem_zalloc(sizeof(*l));
    open_pool(p);
    l->pool = p;
    l->url = mem_strdup(url);
    l->http = http;
    l->done = done;
    l->arg = arg;
    buf_init(&l->body, (size_t)1 << 30);
    int r = read_secrets(l, err);
    l->curl = r == 0 ? curl_easy_init() : NULL;
    if (r == 0 && !l->curl)
        r = err_set(err, ENOMEM, "libcurl: out of memory");
    if (r < 0) {
        fetch_line_free(l);
        return r;
    }
    rename_server(l);
    *ret = l;
    return 0;
}

void fetch_line_free(struct fetch_line *l)
{
    if (!l)
        return;
    if (l->busy)
        curl_multi_remove_handle(l->pool->multi, l->curl);
    l->pool->used -= l->busy ? l->body.len : 0;
    curl_easy_cleanup(l->curl);
    curl_slist_free_all(l->headers);
    curl_slist_free_all(l->connect_to);
    curl_slist_free_all(l->recipients);
    buf_done(&l->body);
    free(l->user_password);
    free(l->authorization);
    free(l->host_header);
    free(l->url);
    free(l);
}

static void add_header(struct fetch_line *l, const char *text)
{
    struct curl_slist *longer = curl_slist_append(l->headers, text);
    if (longer)
        l->headers = longer;
}

static void set_headers(struct fetch_line *l, const struct fetch_request *r)
{
    curl_slist_free_all(TAKE_PTR(l->headers));
    for (const char *const *h = r->headers; h && *h; h++)
        add_header(l, *h);
    for (size_t i = 0; i < l->http->headers.n; i++) {
        CLEANUP(freep)
        char *text =
            mem_printf("%s: %s", l->http->headers.items[i].name, l->http->headers.items[i].value);
        add_header(l, text);
    }
    if (l->authorization)
        add_header(l, l->authorization);
    if (l->host_header)
        add_header(l, l->host_header);
    if (r->body)
        add_header(l, "Expect:");
}

static void set_tls(struct fetch_line *l, const struct conf_tls *tls)
{
    long verify = tls->insecure_skip_verify ? 0 : 1;
    curl_easy_setopt(l->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(l->curl, CURLOPT_SSL_VERIFYPEER, verify);
    curl_easy_setopt(l->curl, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    if (*tls->ca_file)
        curl_easy_setopt(l->curl, CURLOPT_CAINFO, tls->ca_file);
    if (*tls->cert_file) {
        curl_easy_setopt(l->curl, CURLOPT_SSLCERT, tls->cert_file);
        curl_easy_setopt(l->curl, CURLOPT_SSLKEY, tls->key_file);
    }
}

static void set_options(struct fetch_line *l, const struct fetch_request *r)
{
    long ms = (long)MAX_OF(r->timeout_ns / NS_PER_MS, INT64_C(1));
    curl_easy_reset(l->curl);
    curl_easy_setopt(l->curl, CURLOPT_PRIVATE, l);
    curl_easy_setopt(l->curl, CURLOPT_URL, l->url);
    curl_easy_setopt(l->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(l->curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(l->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(l->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(l->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(l->curl, CURLOPT_USERAGENT, "vherd/" VHERD_VERSION);
    curl_easy_setopt(l->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(l->curl, CURLOPT_TIMEOUT_MS, ms);
    curl_easy_setopt(l->curl, CURLOPT_CONNECTTIMEOUT_MS, ms);
    curl_easy_setopt(l->curl, CURLOPT_FOLLOWLOCATION, l->http->follow_redirects ? 1L : 0L);
    curl_easy_setopt(l->curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(l->curl, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    curl_easy_setopt(l->curl, CURLOPT_ERRORBUFFER, l->error);
    curl_easy_setopt(l->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(l->curl, CURLOPT_WRITEDATA, l);
    curl_easy_setopt(l->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(l->curl, CURLOPT_HEADERDATA, l);
    curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, l->headers);
    if (l->connect_to)
        curl_easy_setopt(l->curl, CURLOPT_CONNECT_TO, l->connect_to);
    if (l->user_password)
        curl_easy_setopt(l->curl, CURLOPT_USERPWD, l->user_password);
    if (r->body) {
        curl_easy_setopt(l->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(l->curl, CURLOPT_POSTFIELDS, r->body);
        curl_easy_setopt(l->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
    }
    set_tls(l, &l->http->tls);
}

int fetch_start(struct fetch_line *l, const struct fetch_request *r)
{
    l->pool->used -= l->body.len;
    buf_reset(&l->body);
    l->limit = r->limit_bytes;
    l->cut_limit = l->cut_memory = l->confirmed = false;
    l->error[0] = '\0';
    l->started_ns = clock_mono_ns(&clock_system);
    set_headers(l, r);
    set_options(l, r);
    if (curl_multi_add_handle(l->pool->multi, l->curl) != CURLM_OK)
        return -ENOMEM;
    l->busy = true;
    return 0;
}

// Mail

int fetch_mail_line_new(struct fetch_pool *p, const struct conf_receiver *mail, fetch_done *done,
                        void *arg, struct fetch_line **ret, struct err *err)
{
    struct fetch_line *l = mem_zalloc(sizeof(*l));
    CLEANUP(freep) char *password = NULL;
    open_pool(p);
    l->pool = p;
    l->mail = mail;
    l->done = done;
    l->arg = arg;
    l->url = mem_printf("%s://%s", mail->email.tls == CONF_MAIL_TLS ? "smtps" : "smtp",
                        mail->email.smarthost);
    buf_init(&l->body, (size_t)1 << 20);
    int r = *mail->email.username ? fetch_secret(mail->email.password_file, &password, err) : 0;
    if (password)
        l->user_password = mem_strdup(password);
    l->curl = r == 0 ? curl_easy_init() : NULL;
    if (r == 0 && !l->curl)
        r = err_set(err, ENOMEM, "libcurl: out of memory");
    if (r < 0) {
        fetch_line_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

static size_t give_letter(char *out, size_t size, size_t n, void *arg)
{
    struct fetch_line *l = arg;
    size_t len = MIN_OF(size * n, l->letter.len - l->letter_at);
    memcpy(out, l->letter.data + l->letter_at, len);
    l->letter_at += len;
    return len;
}

// A reply is for a person to read; it comes as a header.
static size_t take_reply(char *data, size_t size, size_t n, void *arg)
{
    struct fetch_line *l = arg;
    size_t len = size * n;
    if (len > 3 && (data[0] == '4' || data[0] == '5') && l->body.len + len < l->limit) {
        buf_put(&l->body, data, len);
        l->pool->used += len;
    }
    return len;
}

static void set_mail_options(struct fetch_line *l)
{
    long ms = (long)MAX_OF(l->letter.timeout_ns / NS_PER_MS, INT64_C(1));
    curl_easy_reset(l->curl);
    curl_easy_setopt(l->curl, CURLOPT_PRIVATE, l);
    curl_easy_setopt(l->curl, CURLOPT_URL, l->url);
    curl_easy_setopt(l->curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(l->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(l->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(l->curl, CURLOPT_TIMEOUT_MS, ms);
    curl_easy_setopt(l->curl, CURLOPT_CONNECTTIMEOUT_MS, ms);
    curl_easy_setopt(l->curl, CURLOPT_ERRORBUFFER, l->error);
    curl_easy_setopt(l->curl, CURLOPT_USE_SSL,
                     l->mail->email.tls == CONF_MAIL_PLAIN ? (long)CURLUSESSL_NONE
                                                           : (long)CURLUSESSL_ALL);
    set_tls(l, &l->mail->email.tls_config);
    if (l->user_password) {
        curl_easy_setopt(l->curl, CURLOPT_USERNAME, l->mail->email.username);
        curl_easy_setopt(l->curl, CURLOPT_PASSWORD, l->user_password);
    }
    curl_easy_setopt(l->curl, CURLOPT_MAIL_FROM, l->letter.from);
    curl_easy_setopt(l->curl, CURLOPT_MAIL_RCPT, l->recipients);
    curl_easy_setopt(l->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(l->curl, CURLOPT_READFUNCTION, give_letter);
    curl_easy_setopt(l->curl, CURLOPT_READDATA, l);
    curl_easy_setopt(l->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(l->curl, CURLOPT_WRITEDATA, l);
    curl_easy_setopt(l->curl, CURLOPT_HEADERFUNCTION, take_reply);
    curl_easy_setopt(l->curl, CURLOPT_HEADERDATA, l);
}

int fetch_start_mail(struct fetch_line *l, const struct fetch_mail *m)
{
    l->pool->used -= l->body.len;
    buf_reset(&l->body);
    l->limit = 4096;
    l->cut_limit = l->cut_memory = l->confirmed = false;
    l->error[0] = '\0';
    l->started_ns = clock_mono_ns(&clock_system);
    l->letter = *m;
    l->letter_at = 0;
    curl_slist_free_all(TAKE_PTR(l->recipients));
    for (size_t i = 0; i < m->to->n; i++) {
        struct curl_slist *longer = curl_slist_append(l->recipients, m->to->items[i]);
        l->recipients = longer ? longer : l->recipients;
    }
    set_mail_options(l);
    if (curl_multi_add_handle(l->pool->multi, l->curl) != CURLM_OK)
        return -ENOMEM;
    l->busy = true;
    return 0;
}

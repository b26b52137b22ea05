// SPDX-License-Identifier: GPL-3.0-or-later
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "manage/auto.h"
#include "manage/schedule.h"
#include "manage/task.h"

#define RETRY_NS (5 * NS_PER_S)
#define SWEEP_NS (600 * NS_PER_S)
#define HEAD_NS (24 * INT64_C(3600) * NS_PER_S)
// On average one refusal a second, twenty at once.
#define REFUSAL_NS NS_PER_S
#define REFUSAL_BURST 20

static const struct store_schema *const schemas[] = {&audit_schema, &account_schema, &task_schema,
                                                     &auto_schema, &schedule_schema};

// The directories above it, which others may look into.
static void make_parents(const char *path)
{
    CLEANUP(freep) char *copy = mem_strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0755);
        *slash = '/';
    }
}

void state_init(struct act_state *s, const struct conf *conf)
{
    struct err err = {0};
    free(s->directory);
    s->directory = conf_act_state(conf);
    // What is wrong is told when it is opened.
    make_parents(s->directory);
    (void)store_directory(s->directory, &err);
}

static void close_all(struct act_state *s)
{
    accounts_free(TAKE_PTR(s->accounts));
    audit_free(TAKE_PTR(s->audit));
    store_close(TAKE_PTR(s->store));
}

void state_done(struct act_state *s)
{
    close_all(s);
    free(TAKE_PTR(s->directory));
}

static int open_all(struct act_state *s)
{
    CLEANUP(freep) char *path = mem_printf("%s/act.db", s->directory);
    make_parents(s->directory);
    int r = store_directory(s->directory, &s->err);
    if (r == 0)
        r = store_open(path, schemas, ARRAY_LEN(schemas), &s->store, &s->err);
    if (r < 0)
        return r;
    r = audit_new(s->store, &clock_system, &s->audit);
    if (r == 0)
        r = accounts_new(s->store, &clock_system, &s->accounts);
    return r < 0 ? err_set(&s->err, -r, "%s: %s", path, strerror(-r)) : 0;
}

bool state_ready(struct act_state *s, int64_t now_ns)
{
    if (s->store)
        return true;
    if (!s->directory || now_ns < s->retry_ns)
        return false;
    int before = s->err.code;
    s->err = (struct err){0};
    s->retry_ns = now_ns + RETRY_NS;
    int r = open_all(s);
    if (r == 0)
        return true;
    close_all(s);
    if (s->err.code != before)
        log_error("accounts and audit log: %s; until then nobody can log in, use a token, or have "
                  "anything done",
                  s->err.message);
    return false;
}

static void log_head(struct act_state *s)
{
    CLEANUP(buf_done) struct buf text;
    unsigned char hash[AUDIT_HASH_BYTES];
    int64_t seq = 0;
    audit_head(s->audit, &seq, hash);
    if (seq == 0)
        return;
    buf_init(&text, 256);
    audit_anchor_format(seq, hash, &text);
    log_info("audit log: head %s", text.data);
}

void state_step(struct act_state *s, int64_t now_ns)
{
    if (!state_ready(s, now_ns))
        return;
    if (now_ns >= s->sweep_ns)
        (void)accounts_sweep(s->accounts);
    if (now_ns >= s->sweep_ns)
        s->sweep_ns = now_ns + SWEEP_NS;
    if (now_ns >= s->head_ns) {
        log_head(s);
        s->head_ns = now_ns + HEAD_NS;
    }
}

void state_refused(struct act_state *s, const struct audit_entry *e, int64_t now_ns)
{
    if (!state_ready(s, now_ns))
        return;
    s->refusals_ns = MAX_OF(s->refusals_ns, now_ns - REFUSAL_BURST * REFUSAL_NS);
    if (s->refusals_ns >= now_ns) {
        s->unwritten++;
        return;
    }
    s->refusals_ns += REFUSAL_NS;
    struct audit_entry entry = *e;
    CLEANUP(freep)
    char *detail = mem_printf("%s (and %u refusals before that were not written)",
                              e->detail ? e->detail : "", s->unwritten);
    entry.result = AUDIT_REFUSED;
    if (s->unwritten > 0)
        entry.detail = detail;
    int r = audit_event(s->audit, &entry);
    if (r == 0)
        s->unwritten = 0;
    else
        log_error("a refusal could not be written to the audit log: %s", strerror(-r));
}

int state_check_grant(const struct act_state *s, const char *text, struct grant *ret)
{
    if (!s->has_key || grant_decode(text, &s->key, clock_mono_ns(&clock_system), ret) < 0)
        return 401;
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
// Rules run over a small list of labels whose texts are either the caller's or owned by the run;
// what an action may do is a row of `actions`.
#include "model/relabel.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "regex/regex.h"

#define RULES_MAX 1000
#define TEXT_MAX LABELS_BYTES_MAX

const char *const relabel_action_names[RELABEL_ACTION_MAX + 1] = {
    "replace",  "keep",      "drop",      "keepequal", "dropequal", "hashmod",
    "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase", NULL,
};

struct rule {
    enum relabel_action action;
    char **source;
    size_t n_source;
    char *separator;
    struct regex *regex;
    uint64_t modulus;
    char *target;
    char *replacement;
};

struct relabel {
    size_t n;
    struct rule rule[];
};

// One label during a run; a text that is not NULL in `own_…` is ours.
struct entry {
    const char *name, *value;
    char *own_name, *own_value;
};

struct run {
    struct entry *entry;
    size_t n, cap;
    struct buf source, result;
    int error;
};

// The set

static struct entry *find(struct run *run, const char *name)
{
    for (size_t i = 0; i < run->n; i++)
        if (strcmp(run->entry[i].name, name) == 0)
            return &run->entry[i];
    return NULL;
}

static const char *value_of(struct run *run, const char *name)
{
    struct entry *e = find(run, name);
    return e ? e->value : "";
}

static void entry_done(struct entry *e)
{
    free(e->own_name);
    free(e->own_value);
}

static void remove_entry(struct run *run, struct entry *e)
{
    entry_done(e);
    *e = run->entry[--run->n];
}

// An empty value removes the label.
static void set(struct run *run, const char *name, const char *value)
{
    struct entry *e = find(run, name);
    if (!*value) {
        if (e)
            remove_entry(run, e);
        return;
    }
    if (!e) {
        if (run->n >= LABELS_MAX) {
            run->error = -EINVAL;
            return;
        }
        mem_grow(&run->entry, &run->cap, run->n, sizeof(*run->entry));
        e = &run->entry[run->n++];
        *e = (struct entry){.own_name = mem_strdup(name)};
        e->name = e->own_name;
    }
    char *copy = mem_strdup(value);
    free(e->own_value);
    e->value = e->own_value = copy;
}

static void join_sources(struct run *run, const struct rule *rule)
{
    buf_reset(&run->source);
    for (size_t i = 0; i < rule->n_source; i++) {
        if (i > 0)
            buf_puts(&run->source, rule->separator);
        buf_puts(&run->source, value_of(run, rule->source[i]));
    }
    buf_putc(&run->source, '\0');
    if (run->source.error)
        run->error = -EINVAL;
}

static bool source_matches(struct run *run, const struct rule *rule)
{
    return regex_match(rule->regex, run->source.data, run->source.len - 1);
}

// Expands `pattern` with the groups of the match of `text`. False: no match.
static bool expand(struct run *run, const struct rule *rule, const char *text, const char *pattern)
{
    buf_reset(&run->result);
    bool matched = regex_expand(rule->regex, text, strlen(text), pattern, &run->result);
    buf_putc(&run->result, '\0');
    if (run->result.error)
        run->error = -EINVAL;
    return matched && run->error == 0;
}

// Actions: true to go on, false to drop the set.

static bool do_replace(struct run *run, const struct rule *rule)
{
    if (!expand(run, rule, run->source.data, rule->target))
        return true;
    CLEANUP(freep) char *target = mem_strdup(run->result.data);
    if (!*target || strlen(target) > 1024)
        return true;
    if (expand(run, rule, run->source.data, rule->replacement))
        set(run, target, run->result.data);
    return true;
}

static bool do_keep(struct run *run, const struct rule *rule)
{
    return source_matches(run, rule);
}

static bool do_drop(struct run *run, const struct rule *rule)
{
    return !source_matches(run, rule);
}

static bool do_keepequal(struct run *run, const struct rule *rule)
{
    return strcmp(run->source.data, value_of(run, rule->target)) == 0;
}

static bool do_dropequal(struct run *run, const struct rule *rule)
{
    return strcmp(run->source.data, value_of(run, rule->target)) != 0;
}

static bool do_case(struct run *run, const struct rule *rule)
{
    bool upper = rule->action == RELABEL_UPPERCASE;
    for (char *c = run->source.data; *c; c++)
        *c = (char)(upper ? toupper((unsigned char)*c) : tolower((unsigned char)*c));
    set(run, rule->target, run->source.data);
    return true;
}

static bool do_labelmap(struct run *run, const struct rule *rule)
{
    // What is set on the way is not looked at.
    size_t n = run->n;
    for (size_t i = 0; i < n && run->error == 0; i++) {
        if (!expand(run, rule, run->entry[i].name, rule->replacement) || !run->result.data[0])
            continue;
        CLEANUP(freep) char *name = mem_strdup(run->result.data);
        CLEANUP(freep) char *value = mem_strdup(run->entry[i].value);
        set(run, name, value);
    }
    return true;
}

static bool do_label_filter(struct run *run, const struct rule *rule)
{
    bool keep = rule->action == RELABEL_LABELKEEP;
    for (size_t i = run->n; i-- > 0;) {
        struct entry *e = &run->entry[i];
        if (regex_match(rule->regex, e->name, strlen(e->name)) != keep)
            remove_entry(run, e);
    }
    return true;
}

// MD5 (RFC 1321): what Prometheus takes for hashmod, so that shards agree with its own.

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static const uint32_t md5_sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static void md5_block(uint32_t state[4], const unsigned char *block)
{
    static const unsigned char turns[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t word[16], a = state[0], b = state[1], c = state[2], d = state[3];
    memcpy(word, block, sizeof(word));
    for (unsigned i = 0; i < 64; i++) {
        uint32_t f[4] = {(b & c) | (~b & d), (d & b) | (~d & c), b ^ c ^ d, c ^ (b | ~d)};
        unsigned at[4] = {i, 5 * i + 1, 3 * i + 5, 7 * i};
        uint32_t sum = f[i / 16] + a + md5_sines[i] + word[at[i / 16] % 16];
        a = d;
        d = c;
        c = b;
        b += rotate(sum, turns[i / 16][i % 4]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

// The last 8 bytes of the digest as a big-endian number.
static uint64_t md5_tail(const char *text, size_t len)
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    unsigned char last[128] = {0};
    size_t whole = len / 64 * 64, rest = len - whole;
    for (size_t at = 0; at < whole; at += 64)
        md5_block(state, (const unsigned char *)text + at);
    memcpy(last, text + whole, rest);
    last[rest] = 0x80;
    size_t end = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)len * 8;
    memcpy(last + end - 8, &bits, sizeof(bits));
    for (size_t at = 0; at < end; at += 64)
        md5_block(state, last + at);
    return (uint64_t)__builtin_bswap32(state[2]) << 32 | __builtin_bswap32(state[3]);
}

static bool do_hashmod(struct run *run, const struct rule *rule)
{
    char number[24];
    struct buf b = {.limit = sizeof(number)};
    buf_u64(&b, md5_tail(run->source.data, run->source.len - 1) % rule->modulus);
    set(run, rule->target, b.data);
    buf_done(&b);
    return true;
}

static const struct {
    bool (*run)(struct run *run, const struct rule *rule);
    bool target, modulus, regex_only;
} actions[RELABEL_ACTION_MAX] = {
    [RELABEL_REPLACE] = {do_replace, true, false, false},
    [RELABEL_KEEP] = {do_keep, false, false, false},
    [RELABEL_DROP] = {do_drop, false, false, false},
    [RELABEL_KEEPEQUAL] = {do_keepequal, true, false, false},
    [RELABEL_DROPEQUAL] = {do_dropequal, true, false, false},
    [RELABEL_HASHMOD] = {do_hashmod, true, true, false},
    [RELABEL_LABELMAP] = {do_labelmap, false, false, false},
    [RELABEL_LABELDROP] = {do_label_filter, false, false, true},
    [RELABEL_LABELKEEP] = {do_label_filter, false, false, true},
    [RELABEL_LOWERCASE] = {do_case, true, false, false},
    [RELABEL_UPPERCASE] = {do_case, true, false, false},
};

// Compiling

static void rule_done(struct rule *rule)
{
    for (size_t i = 0; i < rule->n_source; i++)
        free(rule->source[i]);
    free(rule->source);
    free(rule->separator);
    regex_free(rule->regex);
    free(rule->target);
    free(rule->replacement);
}

static int check_spec(const struct relabel_spec *s, struct err *err)
{
    const char *name = relabel_action_names[s->action];
    if (actions[s->action].target && !s->target_label[0])
        return err_set(err, EINVAL, "action %s needs target_label", name);
    if (actions[s->action].target && s->action != RELABEL_REPLACE && strchr(s->target_label, '$'))
        return err_set(err, EINVAL, "action %s takes no $ in target_label", name);
    if (actions[s->action].modulus && s->modulus == 0)
        return err_set(err, EINVAL, "action %s needs a modulus of at least 1", name);
    if (actions[s->action].regex_only && s->n_source_labels > 0)
        return err_set(err, EINVAL, "action %s takes regex only", name);
    return 0;
}

static int compile(const struct relabel_spec *s, struct rule *rule, struct err *err)
{
    int r = check_spec(s, err);
    if (r < 0)
        return r;
    rule->action = s->action;
    r = regex_new(s->regex, true, &rule->regex, err);
    if (r < 0)
        return err_wrap(err, "regex");
    rule->n_source = s->n_source_labels;
    rule->source = mem_zalloc((s->n_source_labels + 1) * sizeof(char *));
    for (size_t i = 0; i < s->n_source_labels; i++)
        rule->source[i] = mem_strdup(s->source_labels[i]);
    rule->separator = mem_strdup(s->separator);
    rule->modulus = s->modulus;
    rule->target = mem_strdup(s->target_label);
    rule->replacement = mem_strdup(s->replacement);
    return 0;
}

int relabel_new(const struct relabel_spec *spec, size_t n, struct relabel **ret, struct err *err)
{
    if (n > RULES_MAX)
        return err_set(err, EINVAL, "at most %d relabelling rules", RULES_MAX);
    struct relabel *r = mem_zalloc(sizeof(*r) + n * sizeof(r->rule[0]));
    for (size_t i = 0; i < n; i++) {
        r->n = i + 1;
        if (compile(&spec[i], &r->rule[i], err) < 0) {
            relabel_free(r);
            return n > 1 ? err_wrap(err, "rule %zu", i + 1) : -EINVAL;
        }
    }
    *ret = r;
    return 0;
}

void relabel_free(struct relabel *r)
{
    for (size_t i = 0; r && i < r->n; i++)
        rule_done(&r->rule[i]);
    free(r);
}

size_t relabel_count(const struct relabel *r)
{
    return r ? r->n : 0;
}

// Running

static int finish(struct run *run, struct labels **ret)
{
    struct label *label = mem_zalloc((run->n + 1) * sizeof(*label));
    for (size_t i = 0; i < run->n; i++)
        label[i] = (struct label){run->entry[i].name, run->entry[i].value};
    *ret = labels_new(label, run->n);
    free(label);
    return *ret ? 1 : -EINVAL;
}

static bool run_rules(const struct relabel *r, struct run *run)
{
    for (size_t i = 0; i < relabel_count(r) && run->error == 0; i++) {
        join_sources(run, &r->rule[i]);
        if (run->error == 0 && !actions[r->rule[i].action].run(run, &r->rule[i]))
            return false;
    }
    return true;
}

int relabel_apply(const struct relabel *r, const struct label *label, size_t n, struct labels **ret)
{
    struct run run = {0};
    if (relabel_count(r) == 0) {
        *ret = labels_new(label, n);
        return *ret ? 1 : -EINVAL;
    }
    if (n > LABELS_MAX)
        return -EINVAL;
    buf_init(&run.source, TEXT_MAX);
    buf_init(&run.result, TEXT_MAX);
    run.entry = mem_zalloc((n + 1) * sizeof(*run.entry));
    run.cap = n + 1;
    for (size_t i = 0; i < n; i++)
        if (label[i].value[0])
            run.entry[run.n++] = (struct entry){.name = label[i].name, .value = label[i].value};
    bool kept = run_rules(r, &run);
    int result = run.error ? run.error : kept ? finish(&run, ret) : 0;
    for (size_t i = 0; i < run.n; i++)
        entry_done(&run.entry[i]);
    free(run.entry);
    buf_done(&run.source);
    buf_done(&run.result);
    return result;
}

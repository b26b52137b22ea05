// SPDX-License-Identifier: GPL-3.0-or-later
// A series without the label counts as having "", as in Prometheus: a matcher that "" fulfils takes
// away the series whose value does not fulfil it, any other keeps those whose value does.
#include "match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "regex/regex.h"

uint64_t *match_new(uint32_t n)
{
    return calloc(MATCH_WORDS(n) + 1, sizeof(uint64_t));
}

static bool fulfils(const struct query_matcher *m, const char *value)
{
    switch (m->match) {
    case QUERY_EQUAL:
        return strcmp(m->value, value) == 0;
    case QUERY_NOT_EQUAL:
        return strcmp(m->value, value) != 0;
    case QUERY_REGEX:
        return regex_match(m->regex, value, strlen(value));
    case QUERY_NOT_REGEX:
        return !regex_match(m->regex, value, strlen(value));
    }
    return false;
}

static bool fails(const struct query_matcher *m, const char *value)
{
    return !fulfils(m, value);
}

static bool is_regex(const struct query_matcher *m)
{
    return m->match == QUERY_REGEX || m->match == QUERY_NOT_REGEX;
}

// The bits of the series that have the label with a value that the matcher's text or pattern
// matches; negation apart.
static int matched(const struct match_index *index, const struct query_matcher *m, uint64_t *bits)
{
    if (!is_regex(m))
        return index->find(index->arg, m->name, m->value, bits);
    const char *const *text = NULL;
    size_t n = regex_set(m->regex, &text);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = index->find(index->arg, m->name, text[i], bits);
    if (n > 0 || r < 0)
        return r;
    bool negated = m->match == QUERY_NOT_REGEX;
    return index->scan(index->arg, m->name, regex_prefix(m->regex), negated ? fails : fulfils, m,
                       bits);
}

static int apply(const struct match_index *index, const struct query_matcher *m, uint64_t *all,
                 uint64_t *bits, size_t words)
{
    bool with_absent = fulfils(m, "");
    bool negated = m->match == QUERY_NOT_EQUAL || m->match == QUERY_NOT_REGEX;
    memset(bits, 0, words * sizeof(*bits));
    // Take away what the text matches (negated), or what it does not.
    bool take_away = with_absent;
    int r = negated == with_absent
                ? matched(index, m, bits)
                : index->scan(index->arg, m->name, "", with_absent ? fails : fulfils, m, bits);
    for (size_t i = 0; i < words; i++)
        all[i] &= take_away ? ~bits[i] : bits[i];
    return r;
}

int match_bits(const struct match_index *index, const struct query_matcher *matcher, size_t n,
               uint64_t **ret)
{
    size_t words = MATCH_WORDS(index->n_series);
    CLEANUP(freep) uint64_t *all = match_new(index->n_series);
    CLEANUP(freep) uint64_t *bits = match_new(index->n_series);
    if (!all || !bits)
        return -ENOMEM;
    // One that only series with the label fulfil spares walking over all series: as a rule the
    // name.
    size_t first = 0;
    while (first < n && fulfils(&matcher[first], ""))
        first++;
    if (first < n)
        memset(all, 0xff, words * sizeof(*all));
    else
        index->all(index->arg, all);
    int r = first < n ? apply(index, &matcher[first], all, bits, words) : 0;
    for (size_t i = 0; i < n && r == 0; i++)
        if (i != first)
            r = apply(index, &matcher[i], all, bits, words);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(all);
    return 0;
}

uint32_t match_next(const uint64_t *bits, uint32_t n, uint32_t from)
{
    for (size_t word = from / 64; word < MATCH_WORDS(n); word++) {
        uint64_t rest = bits[word];
        if (word == from / 64)
            rest &= ~UINT64_C(0) << from % 64;
        if (rest)
            return (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(rest);
    }
    return UINT32_MAX;
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/query.h"

#include <stdlib.h>

#include "base/mem.h"
#include "regex/regex.h"

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

bool query_matches(const struct query_matcher *matcher, size_t n, const struct labels *labels)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = labels_get(labels, matcher[i].name);
        if (!fulfils(&matcher[i], value ? value : ""))
            return false;
    }
    return true;
}

void query_texts_done(struct query_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->text[i]);
    free(texts->text);
    *texts = (struct query_texts){0};
}

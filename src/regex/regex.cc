// SPDX-License-Identifier: GPL-3.0-or-later
// The only C++ of the project: a thin face before RE2. No exception leaves it.
#include "regex/regex.h"

#include <ctype.h>
#include <errno.h>
#include <re2/re2.h>
#include <stdlib.h>
#include <string.h>

#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#define GROUPS_MAX 100
#define SET_MAX 1000

struct regex {
    std::unique_ptr<re2::RE2> re;
    bool anchored;
    std::vector<std::string> set;
    std::vector<const char *> set_texts;
    std::string prefix;
};

// "a|b|c" of plain letters, digits and a few characters that mean nothing to RE2.
static bool is_plain(char c)
{
    return isalnum((unsigned char)c) || strchr("_-:/ @%=,~", c) || (unsigned char)c >= 0x80;
}

static void find_set(struct regex *r, const char *pattern)
{
    std::string word;
    for (const char *p = pattern;; p++) {
        if (*p == '|' || *p == '\0') {
            r->set.push_back(word);
            word.clear();
            if (*p == '\0')
                break;
        } else if (*p == '\\' && p[1] && strchr(".+*?()|[]{}^$\\", p[1])) {
            word += *++p;
        } else if (*p != '\0' && is_plain(*p)) {
            word += *p;
        } else {
            r->set.clear();
            return;
        }
        if (r->set.size() > SET_MAX) {
            r->set.clear();
            return;
        }
    }
    for (const std::string &text : r->set)
        r->set_texts.push_back(text.c_str());
}

static void find_prefix(struct regex *r, const char *pattern)
{
    std::string prefix;
    const char *p = pattern;
    while (*p && is_plain(*p))
        prefix += *p++;
    // What follows may make the last character optional, or the whole one of several.
    if (*p && strchr("*?{", *p) && !prefix.empty())
        prefix.pop_back();
    for (; *p; p++)
        if (*p == '|')
            return;
    r->prefix = prefix;
}

int regex_new(const char *pattern, bool anchored, struct regex **ret, struct err *err)
{
    try {
        re2::RE2::Options options;
        options.set_log_errors(false);
        options.set_dot_nl(true);
        options.set_max_mem(REGEX_MEMORY_MAX);
        std::unique_ptr<struct regex> r(new struct regex);
        r->anchored = anchored;
        r->re.reset(new re2::RE2(pattern, options));
        if (!r->re->ok())
            return err_set(err,
                           r->re->error_code() == re2::RE2::ErrorPatternTooLarge ? E2BIG : EINVAL,
                           "%s", r->re->error().c_str());
        if (anchored) {
            find_set(r.get(), pattern);
            find_prefix(r.get(), pattern);
        }
        *ret = r.release();
        return 0;
    } catch (const std::bad_alloc &) {
        return err_set(err, ENOMEM, "no memory for a regular expression");
    }
}

void regex_free(struct regex *re)
{
    delete re;
}

bool regex_match(const struct regex *re, const char *text, size_t len)
{
    return re->re->Match(re2::StringPiece(text, len), 0, len,
                         re->anchored ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED, nullptr, 0);
}

static int group_of(const struct regex *re, const std::string &name)
{
    if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos)
        return name.size() > 3 ? -1 : (int)strtol(name.c_str(), nullptr, 10);
    const std::map<std::string, int> &names = re->re->NamedCapturingGroups();
    auto found = names.find(name);
    return found == names.end() ? -1 : found->second;
}

// Go's rules: $name takes the longest run of letters, digits and underscores.
static void expand(const struct regex *re, const re2::StringPiece *groups, int n,
                   const char *replacement, struct buf *out)
{
    for (const char *p = replacement; *p; p++) {
        if (*p != '$') {
            buf_putc(out, *p);
            continue;
        }
        if (p[1] == '$') {
            buf_putc(out, '$');
            p++;
            continue;
        }
        bool braced = p[1] == '{';
        const char *begin = p + 1 + braced, *end = begin;
        while (isalnum((unsigned char)*end) || *end == '_')
            end++;
        if (end == begin || (braced && *end != '}')) {
            buf_putc(out, '$');
            continue;
        }
        int group = group_of(re, std::string(begin, end));
        if (group >= 0 && group < n && groups[group].data())
            buf_put(out, groups[group].data(), groups[group].size());
        p = braced ? end : end - 1;
    }
}

static int group_count(const struct regex *re)
{
    int n = re->re->NumberOfCapturingGroups() + 1;
    return n > GROUPS_MAX ? GROUPS_MAX : n;
}

bool regex_expand(const struct regex *re, const char *text, size_t len, const char *replacement,
                  struct buf *out)
{
    re2::StringPiece groups[GROUPS_MAX];
    int n = group_count(re);
    if (!re->re->Match(re2::StringPiece(text, len), 0, len,
                       re->anchored ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED, groups, n))
        return false;
    expand(re, groups, n, replacement, out);
    return true;
}

void regex_replace_all(const struct regex *re, const char *text, size_t len,
                       const char *replacement, struct buf *out)
{
    re2::StringPiece whole(text, len), groups[GROUPS_MAX];
    int n = group_count(re);
    size_t at = 0, copied = 0;
    bool after_match = false; // Go lets no empty match stand right behind a match
    while (at <= len && re->re->Match(whole, at, len, re2::RE2::UNANCHORED, groups, n)) {
        size_t begin = (size_t)(groups[0].data() - text), size = groups[0].size();
        if (size == 0 && after_match && begin == copied) {
            at = begin + 1;
            after_match = false;
            continue;
        }
        buf_put(out, text + copied, begin - copied);
        expand(re, groups, n, replacement, out);
        copied = begin + size;
        at = size ? copied : begin + 1;
        after_match = true;
        while (!size && at < len && ((unsigned char)text[at] & 0xc0) == 0x80)
            at++;
    }
    buf_put(out, text + copied, len - copied);
}

size_t regex_set(const struct regex *re, const char *const **ret)
{
    *ret = re->set_texts.data();
    return re->set_texts.size();
}

const char *regex_prefix(const struct regex *re)
{
    return re->prefix.c_str();
}

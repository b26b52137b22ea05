// SPDX-License-Identifier: GPL-3.0-or-later
#include "tui/format.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/human.h"
#include "base/mem.h"
#include "base/number.h"
#include "tui/api.h"

void format_text(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    const char *text = api_text(object, field);
    buf_puts(out, text ? text : "");
}

// Reasons that say no more than the state does are left out.
static bool reason_matters(const char *state, const char *reason)
{
    static const char *const always[] = {
        "panicked", "crashed",   "failed",        "I/O error", "watchdog",         "saving",
        "dump",     "migration", "shutting down", "post-copy", "post-copy failed", "snapshot"};
    if (strcmp(state, reason) == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (strcmp(always[i], reason) == 0)
            return true;
    return false;
}

static void put_state(const char *state, const char *reason, struct buf *out)
{
    if (state && reason)
        buf_printf(out, "%s (%s)", state, reason);
    else if (state)
        buf_puts(out, state);
}

void format_state(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    const char *state = api_text(object, "state"), *reason = api_text(object, "state_reason");
    put_state(state, state && reason && reason_matters(state, reason) ? reason : NULL, out);
}

void format_state_whole(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    put_state(api_text(object, "state"), api_text(object, "state_reason"), out);
}

void format_bytes(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    human_bytes(api_number(object, field), out);
}

void format_bytes_short(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    human_bytes_short(api_number(object, field), out);
}

void format_size(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    const char *text = api_text(object, field);
    double bytes = NAN;
    if (text && number_parse_f64(text, &bytes) == 0)
        human_bytes(bytes, out);
}

void format_rate(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    size_t before = out->len;
    human_bytes(api_number(object, field), out);
    buf_puts(out, out->len > before ? "/s" : "");
}

void format_percent(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    human_percent(api_number(object, field), out);
}

void format_count(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    human_count(api_number(object, field), out);
}

void format_whole(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    double v = api_number(object, field);
    if (!isnan(v))
        buf_printf(out, "%.0f", v);
}

void format_vcpus(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    double v = api_number(object, field);
    if (!isnan(v))
        buf_printf(out, "%.0f vCPU%s", v, v == 1 ? "" : "s");
}

void format_domains(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    double all = api_number(object, "domains"), running = api_number(object, "domains_running");
    if (isnan(all))
        return;
    buf_printf(out, "%.0f", all);
    if (all > 0 && running == all)
        buf_puts(out, ", all running");
    else if (all > 0 && !isnan(running))
        buf_printf(out, ", %.0f running", running);
}

void format_latency(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    human_latency(api_number(object, field), utf8, out);
}

void format_latency_short(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    size_t from = out->len;
    human_latency(api_number(object, field), utf8, out);
    char *blank = out->len > from ? strchr(out->data + from, ' ') : NULL;
    if (blank) {
        memmove(blank, blank + 1, strlen(blank));
        out->len--;
    }
}

void format_age(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    human_age(api_number(object, field), out);
}

void format_since(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    double since = api_number(object, field), now = api_number(object, "time");
    format_time(since, now, out);
    if (isnan(since) || isnan(now))
        return;
    buf_puts(out, " (");
    human_age(now - since, out);
    buf_puts(out, ")");
}

void format_yes_no(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    double v = api_number(object, field);
    if (!isnan(v))
        buf_puts(out, v != 0 ? "yes" : "no");
}

void format_used(const json_t *object, const char *field, bool utf8, struct buf *out)
{
    human_percent(api_number(object, "used_bytes") / api_number(object, "total_bytes"), out);
}

void format_time(double unix_time, double now, struct buf *out)
{
    if (!(unix_time > 0 && unix_time < 1e12))
        return;
    time_t t = (time_t)unix_time;
    struct tm tm;
    char text[64];
    if (!localtime_r(&t, &tm))
        return;
    bool recent = isfinite(now) && fabs(now - unix_time) < 20 * 3600;
    strftime(text, sizeof(text), recent ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
    buf_puts(out, text);
}

static bool is_libvirt_away(const json_t *answer)
{
    const char *status = api_text(json_object_get(answer, "libvirt"), "status");
    return status && strcmp(status, "connected") != 0;
}

const char *format_no_vms(const json_t *answer)
{
    return is_libvirt_away(answer) ? "No VM is known: libvirt is away."
                                   : "There are no VMs on this host.";
}

void format_libvirt_hint(const json_t *answer, bool utf8, struct buf *out)
{
    const json_t *libvirt = json_object_get(answer, "libvirt");
    if (!is_libvirt_away(answer))
        return;
    buf_printf(out, "libvirt: %s", api_text(libvirt, "status"));
    CLEANUP(buf_done) struct buf since;
    buf_init(&since, 100);
    format_time(api_number(libvirt, "since"), api_number(answer, "time"), &since);
    if (since.len)
        buf_printf(out, " since %s", since.data);
    buf_printf(out, " %s kernel data only", utf8 ? "–" : "-");
}

// SPDX-License-Identifier: GPL-3.0-or-later
// The guest agent's answers. All of it is the guest's word: numbers and texts of any size, names
// with any byte. Lengths and counts are capped here, escaping is the sinks' business.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/number.h"
#include "libvirt_priv.h"

#define FILESYSTEMS_MAX 256
#define USERS_SHOWN 64

static void cut_text(const char *text, char out[VIRT_GUEST_TEXT_MAX + 1])
{
    size_t len = strnlen(text, VIRT_GUEST_TEXT_MAX);
    while (text[len] && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    memcpy(out, text, len);
    out[len] = '\0';
}

static bool not_answered(int code)
{
    return code == VIR_ERR_AGENT_UNRESPONSIVE || code == VIR_ERR_AGENT_UNSYNCED;
}

// The agent answered, if only to say that it will not: the command is unknown or switched off.
// libvirt has no code of its own for that; the source tells it from errors of the connection.
static bool answered_no(void)
{
    virErrorPtr e = virGetLastError();
    return e && e->domain == VIR_FROM_QEMU &&
           (e->code == VIR_ERR_INTERNAL_ERROR || e->code == VIR_ERR_OPERATION_UNSUPPORTED);
}

// libvirt uses one code for an agent whose channel is closed (known at once) and for one that does
// not answer within the time allowed.
static int agent_error(struct virt *v, const char *what, int64_t began_ns, int timeout_s,
                       struct batch *out, struct err *err)
{
    int code = virGetLastErrorCode();
    int r = virt_libvirt_error(err, what);
    if (code == VIR_ERR_ARGUMENT_UNSUPPORTED)
        return err_set(err, ENOTCONN, "the domain has no channel for a guest agent");
    if (!not_answered(code))
        return r;
    batch_fact(out, 0, FACT_VM_AGENT_UP, 0);
    bool waited = clock_mono_ns(v->clock) - began_ns >= timeout_s * NS_PER_S / 2;
    if (err)
        err->code = waited ? ETIMEDOUT : ENOTCONN;
    return waited ? -ETIMEDOUT : -ENOTCONN;
}

// libvirt keeps the timeout with the running domain and writes the domain's state to disk whenever
// it is set: once for each domain and channel is enough, and with what is asked seldom.
static virDomainPtr agent_domain(struct use *use, const struct uuid *uuid, int timeout_s,
                                 bool again, struct err *err)
{
    struct channel *ch = use->channel;
    if (ch->agent_timeout_s != timeout_s || map_count(ch->agents) >= VIRT_DOMAINS_KEPT) {
        map_free(ch->agents);
        ch->agents = map_new();
    }
    ch->agent_timeout_s = timeout_s;
    virDomainPtr d = virt_libvirt_domain(use, uuid, err);
    if (!d || (!again && map_get(ch->agents, uuid->b, UUID_BYTES)))
        return d;
    // Refused where there is no agent, which the call itself then says better.
    if (virDomainAgentSetResponseTimeout(d, timeout_s, 0) == 0)
        map_put(ch->agents, uuid->b, UUID_BYTES, ch);
    return d;
}

int virt_libvirt_agent_ping(struct virt *v, const struct uuid *uuid, int timeout_s,
                            struct batch *out, struct err *err)
{
    USE(use, v, err);
    virDomainPtr d CLEANUP(domain_freep) = agent_domain(&use, uuid, timeout_s, false, err);
    if (!d)
        return err ? -err->code : -ENOENT;
    long long seconds = 0;
    unsigned nanoseconds = 0;
    int64_t began = clock_mono_ns(v->clock);
    int64_t before = clock_real_ns(v->clock);
    int r = virDomainGetTime(d, &seconds, &nanoseconds, 0);
    int64_t after = clock_real_ns(v->clock);
    double offset = NAN;
    if (r < 0 && !answered_no())
        return agent_error(v, "asking the guest agent", began, timeout_s, out, err);
    if (r == 0)
        offset = (double)seconds * 1e9 + nanoseconds - ((double)before + (double)after) / 2;
    if (r < 0)
        batch_unavailable(out, "guest_time", "the guest agent does not offer it");
    batch_fact(out, 0, FACT_VM_AGENT_UP, 1);
    batch_fact(out, 0, FACT_VM_TIME_OFFSET, offset);
    return 0;
}

/* What the agent tells about the guest. */

struct info {
    struct typed_params params;
    struct batch *out;
};

static const char *text_param(const struct info *in, const char *name)
{
    const char *s = NULL;
    virTypedParamsGetString(in->params.items, in->params.n, name, &s);
    return s;
}

static double number_param(const struct info *in, const char *name)
{
    const virTypedParameter *p = virTypedParamsGet(in->params.items, in->params.n, name);
    return p ? virt_param_number(p) : NAN;
}

static void put_text(struct info *in, uint32_t key, enum attr attr, const char *text)
{
    char cut[VIRT_GUEST_TEXT_MAX + 1];
    if (text)
        cut_text(text, cut);
    batch_attr(in->out, key, attr, text ? cut : NULL);
}

static void put_named(struct info *in, enum attr attr, const char *name)
{
    put_text(in, 0, attr, text_param(in, name));
}

static void put_os(struct info *in)
{
    const char *name = text_param(in, "os.pretty-name");
    put_text(in, 0, ATTR_VM_GUEST_OS, name ? name : text_param(in, "os.name"));
    put_named(in, ATTR_VM_GUEST_OS_ID, "os.id");
    put_named(in, ATTR_VM_GUEST_KERNEL, "os.kernel-release");
}

static void put_hostname(struct info *in)
{
    put_named(in, ATTR_VM_GUEST_HOSTNAME, "hostname");
}

static void put_timezone(struct info *in)
{
    double offset = number_param(in, "timezone.offset");
    const char *name = text_param(in, "timezone.name");
    if (name || isnan(offset)) {
        put_text(in, 0, ATTR_VM_GUEST_TIMEZONE, name);
        return;
    }
    char text[32];
    long minutes = lround(fmin(fmax(offset, -86400), 86400) / 60);
    snprintf(text, sizeof(text), "UTC%c%02ld:%02ld", minutes < 0 ? '-' : '+', labs(minutes) / 60,
             labs(minutes) % 60);
    batch_attr(in->out, 0, ATTR_VM_GUEST_TIMEZONE, text);
}

static void put_users(struct info *in)
{
    double count = number_param(in, "user.count");
    struct buf names CLEANUP(buf_done);
    buf_init(&names, VIRT_GUEST_TEXT_MAX);
    for (int i = 0; i < USERS_SHOWN && i < count; i++) {
        char field[32];
        snprintf(field, sizeof(field), "user.%d.name", i);
        const char *name = text_param(in, field);
        if (!name || names.len + strnlen(name, VIRT_GUEST_TEXT_MAX) + 2 > VIRT_GUEST_TEXT_MAX)
            continue;
        buf_puts(&names, names.len ? "," : "");
        buf_puts(&names, name);
    }
    batch_fact(in->out, 0, FACT_VM_USERS, count);
    batch_attr(in->out, 0, ATTR_VM_GUEST_USERS, names.len ? names.data : NULL);
}

static const struct {
    const char *field;
    enum fact fact;
} fs_numbers[] = {
    {"total-bytes", FACT_FS_TOTAL},
    {"used-bytes", FACT_FS_USED},
};

static const struct {
    const char *field;
    enum attr attr;
} fs_texts[] = {
    {"name", ATTR_FS_NAME},
    {"fstype", ATTR_FS_TYPE},
};

static void put_filesystem(struct info *in, int i)
{
    char field[64], mountpoint[VIRT_GUEST_TEXT_MAX + 1];
    snprintf(field, sizeof(field), "fs.%d.mountpoint", i);
    const char *at = text_param(in, field);
    if (!at || !*at)
        return;
    cut_text(at, mountpoint);
    uint32_t key = batch_key(in->out, mountpoint);
    for (size_t f = 0; f < ARRAY_LEN(fs_texts); f++) {
        snprintf(field, sizeof(field), "fs.%d.%s", i, fs_texts[f].field);
        put_text(in, key, fs_texts[f].attr, text_param(in, field));
    }
    for (size_t f = 0; f < ARRAY_LEN(fs_numbers); f++) {
        snprintf(field, sizeof(field), "fs.%d.%s", i, fs_numbers[f].field);
        batch_fact(in->out, key, fs_numbers[f].fact, number_param(in, field));
    }
}

static void put_filesystems(struct info *in)
{
    double count = number_param(in, "fs.count");
    for (int i = 0; i < FILESYSTEMS_MAX && i < count; i++)
        put_filesystem(in, i);
}

static const struct {
    unsigned type;
    const char *what; // as vherd_unavailable names it
    void (*put)(struct info *in);
} infos[] = {
    {VIR_DOMAIN_GUEST_INFO_OS, "guest_os", put_os},
    {VIR_DOMAIN_GUEST_INFO_HOSTNAME, "guest_hostname", put_hostname},
    {VIR_DOMAIN_GUEST_INFO_TIMEZONE, "guest_timezone", put_timezone},
    {VIR_DOMAIN_GUEST_INFO_USERS, "guest_users", put_users},
    {VIR_DOMAIN_GUEST_INFO_FILESYSTEM, "guest_filesystems", put_filesystems},
};

static int ask(virDomainPtr d, unsigned types, struct info *in)
{
    return virDomainGetGuestInfo(d, types, &in->params.items, &in->params.n, 0);
}

// One kind of information after the other, as one that the agent refuses spoils a common call.
static int ask_apart(struct virt *v, virDomainPtr d, int timeout_s, struct batch *out,
                     struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
        struct info in = {.out = out};
        int64_t began = clock_mono_ns(v->clock);
        if (ask(d, infos[i].type, &in) == 0)
            infos[i].put(&in);
        else if (!answered_no())
            return agent_error(v, "asking the guest agent", began, timeout_s, out, err);
        else
            batch_unavailable(out, infos[i].what, "the guest agent does not offer it");
        typed_params_done(&in.params);
    }
    return 0;
}

int virt_libvirt_agent_info(struct virt *v, const struct uuid *uuid, int timeout_s,
                            struct batch *out, struct err *err)
{
    USE(use, v, err);
    virDomainPtr d CLEANUP(domain_freep) = agent_domain(&use, uuid, timeout_s, true, err);
    if (!d)
        return err ? -err->code : -ENOENT;
    unsigned all = 0;
    for (size_t i = 0; i < ARRAY_LEN(infos); i++)
        all |= infos[i].type;
    struct info in = {.out = out};
    int64_t began = clock_mono_ns(v->clock);
    if (ask(d, all, &in) == 0) {
        for (size_t i = 0; i < ARRAY_LEN(infos); i++)
            infos[i].put(&in);
        typed_params_done(&in.params);
        return 0;
    }
    if (!answered_no())
        return agent_error(v, "asking the guest agent", began, timeout_s, out, err);
    return ask_apart(v, d, timeout_s, out, err);
}

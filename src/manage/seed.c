// SPDX-License-Identifier: GPL-3.0-or-later
// A seed for cloud-init out of typed fields, and its place among a VM's disks.
#include "manage/seed.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "run.h"

#define LABEL_MAX 63
#define USER_MAX 32

void seed_done(struct seed *s)
{
    free(s->user_data);
    free(s->meta_data);
    free(s->network_config);
    *s = (struct seed){0};
}

/* What a field may be. */

static bool is_hostname(const char *text)
{
    size_t len = 0;
    for (const char *p = text; *p; p++) {
        bool dot = *p == '.';
        if (!dot && !isalnum((unsigned char)*p) && (*p != '-' || len == 0))
            return false;
        if (dot && (len == 0 || p[-1] == '-'))
            return false;
        len = dot ? 0 : len + 1;
        if (len > LABEL_MAX)
            return false;
    }
    return len > 0 && text[strlen(text) - 1] != '-';
}

static bool is_user(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return text[n] == '\0' && n <= USER_MAX && (islower((unsigned char)*text) || *text == '_');
}

static bool is_package(const char *text)
{
    size_t n =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._:=~");
    return n > 0 && n <= 255 && text[n] == '\0' && isalnum((unsigned char)*text);
}

static bool is_key(const char *text)
{
    static const char *const kinds[] = {"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
            return strchr(text, ' ') != NULL;
    return false;
}

// 4 or 6; 0: no address.
static int family_of(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, text, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, text, bytes) == 1 ? 6 : 0;
}

// The family of "ADDRESS/PREFIX".
static int family_of_network(const char *text)
{
    const char *slash = strchr(text, '/');
    uint64_t prefix = 0;
    CLEANUP(freep) char *address = mem_strndup(text, slash ? (size_t)(slash - text) : 0);
    int family = family_of(address);
    if (!slash || number_parse_u64(slash + 1, &prefix) < 0)
        return 0;
    return prefix <= (family == 4 ? 32u : 128u) ? family : 0;
}

/* The files. */

static char *dump(const char *head, json_t *owned)
{
    char *text = json_dumps(owned, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_SORT_KEYS);
    char *whole = mem_printf("%s%s\n", head, text ? text : "{}");
    free(text);
    json_decref(owned);
    return whole;
}

static json_t *find_user(json_t *users, const char *name)
{
    size_t i;
    json_t *u;
    json_array_foreach(users, i, u)
    {
        if (strcmp(run_member(u, "name"), name) == 0)
            return u;
    }
    u = json_pack("{s:s, s:b, s:s}", "name", name, "lock_passwd", 1, "shell", "/bin/bash");
    json_array_append_new(users, u);
    return u;
}

static int add_user(json_t *users, const json_t *wanted, struct err *err)
{
    const char *name = run_member(wanted, "name"), *key = run_member(wanted, "ssh_key");
    if (!is_user(name))
        return err_set(err, EINVAL,
                       "seed_users: \"%s\" cannot be a user: at most %d small letters, digits, "
                       "'_' and '-', a letter or '_' first",
                       name, USER_MAX);
    if (key && !is_key(key))
        return err_set(err, EINVAL,
                       "seed_users: the ssh_key of %s is no public key such as \"ssh-ed25519 …\"",
                       name);
    json_t *u = find_user(users, name);
    if (json_is_true(json_object_get(wanted, "sudo")))
        json_object_set_new(u, "sudo", json_string("ALL=(ALL) NOPASSWD:ALL"));
    if (!key)
        return 0;
    if (!json_object_get(u, "ssh_authorized_keys"))
        json_object_set_new(u, "ssh_authorized_keys", json_array());
    return json_array_append_new(json_object_get(u, "ssh_authorized_keys"), json_string(key));
}

static int add_users(const json_t *body, json_t *data, struct err *err)
{
    const json_t *list = json_object_get(body, "seed_users"), *wanted;
    size_t i;
    if (!list)
        return 0;
    json_t *users = json_array();
    json_object_set_new(data, "users", users);
    json_array_foreach(list, i, wanted)
    {
        int r = add_user(users, wanted, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_packages(const json_t *body, json_t *data, struct err *err)
{
    json_t *list = json_object_get(body, "seed_packages"), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        if (!is_package(json_string_value(one)))
            return err_set(err, EINVAL, "seed_packages: \"%s\" is no package's name",
                           json_string_value(one));
    }
    if (list) {
        json_object_set_new(data, "package_update", json_true());
        json_object_set(data, "packages", list);
    }
    return 0;
}

static int write_user_data(const json_t *body, const char *hostname, char **ret, struct err *err)
{
    json_t *data = json_pack("{s:s}", "hostname", hostname);
    json_t *commands = json_object_get(body, "seed_commands");
    int r = add_users(body, data, err);
    if (r == 0)
        r = add_packages(body, data, err);
    if (r < 0) {
        json_decref(data);
        return r;
    }
    if (commands)
        json_object_set(data, "runcmd", commands);
    *ret = dump("#cloud-config\n", data);
    return 0;
}

static int add_servers(const char *text, json_t *link, struct err *err)
{
    json_t *list = json_array();
    json_object_set_new(link, "nameservers", json_pack("{s:o}", "addresses", list));
    while (*(text += strspn(text, " "))) {
        size_t n = strcspn(text, " ");
        CLEANUP(freep) char *one = mem_strndup(text, n);
        if (family_of(one) == 0)
            return err_set(err, EINVAL, "seed.dns: \"%s\" is no address", one);
        json_array_append_new(list, json_string(one));
        text += n;
    }
    return 0;
}

static int add_address(const json_t *seed, json_t *link, struct err *err)
{
    const char *address = run_member(seed, "address"), *gateway = run_member(seed, "gateway");
    int family = address ? family_of_network(address) : 0;
    if (!address && gateway)
        return err_set(err, EINVAL, "seed.gateway needs seed.address");
    if (!address) {
        json_object_set_new(link, "dhcp4", json_true());
        return 0;
    }
    if (family == 0)
        return err_set(err, EINVAL, "seed.address: \"%s\" is none such as 10.0.0.5/24", address);
    json_object_set_new(link, "addresses", json_pack("[s]", address));
    if (!gateway)
        return 0;
    if (family_of(gateway) != family)
        return err_set(err, EINVAL, "seed.gateway: \"%s\" is no address of the same kind", gateway);
    return json_object_set_new(
        link, "routes",
        json_pack("[{s:s, s:s}]", "to", family == 4 ? "0.0.0.0/0" : "::/0", "via", gateway));
}

static int write_network(const json_t *seed, char **ret, struct err *err)
{
    const char *dns = run_member(seed, "dns");
    // Whatever the guest's kernel calls its first card.
    json_t *link = json_pack("{s:{s:s}}", "match", "name", "e*");
    int r = add_address(seed, link, err);
    if (r == 0 && dns)
        r = add_servers(dns, link, err);
    json_t *config = json_pack("{s:i, s:{s:o}}", "version", 2, "ethernets", "nic0", link);
    if (r == 0)
        *ret = dump("", config);
    else
        json_decref(config);
    return r;
}

int seed_write(const json_t *body, const char *instance, const char *name, struct seed *ret,
               struct err *err)
{
    const json_t *seed = json_object_get(body, "seed");
    const char *given = run_member(seed, "hostname"), *hostname = given ? given : name;
    struct seed s = {0};
    if (!is_hostname(hostname))
        return err_set(err, EINVAL,
                       "seed.hostname: \"%s\" cannot be a host's name: letters, digits, '-' and "
                       "'.'",
                       hostname);
    int r = write_user_data(body, hostname, &s.user_data, err);
    if (r == 0)
        r = write_network(seed, &s.network_config, err);
    if (r < 0) {
        seed_done(&s);
        return r;
    }
    s.meta_data =
        dump("", json_pack("{s:s, s:s}", "instance-id", instance, "local-hostname", hostname));
    *ret = s;
    return 0;
}

/* Among the disks. */

#define SEED_HEAD "seed-"
#define SEED_TAIL ".iso"

char *run_seed_volume(const struct uuid *uuid)
{
    char text[UUID_TEXT];
    uuid_format(uuid, text);
    return mem_printf(SEED_HEAD "%s" SEED_TAIL, text);
}

bool run_is_seed(const char *volume)
{
    size_t len = strlen(volume), head = strlen(SEED_HEAD), tail = strlen(SEED_TAIL);
    struct uuid uuid;
    return len == head + UUID_TEXT - 1 + tail && strncmp(volume, SEED_HEAD, head) == 0 &&
           strcmp(volume + len - tail, SEED_TAIL) == 0 &&
           uuid_parse(volume + head, UUID_TEXT - 1, &uuid);
}

int run_check_seed(struct manage_run *r, struct err *err)
{
    static const char *const needing[] = {"seed_users", "seed_packages", "seed_commands"};
    const json_t *seed = json_object_get(r->body, "seed");
    static const struct uuid any;
    CLEANUP(freep) char *volume = run_seed_volume(&any);
    CLEANUP(seed_done) struct seed files = {0};
    for (size_t i = 0; !seed && i < ARRAY_LEN(needing); i++)
        if (json_object_get(r->body, needing[i]))
            return err_set(err, EINVAL, "%s needs seed, which says in which pool", needing[i]);
    if (!seed)
        return 0;
    int w = seed_write(r->body, "-", run_text(r, "name"), &files, err);
    if (w == 0)
        w = run_check_absent(r, run_member(seed, "pool"), volume, err);
    if (w == 0)
        run_say(r, "make a seed image for cloud-init in the pool %s", run_member(seed, "pool"));
    return w;
}

static char *free_target(const struct virt_spec *spec)
{
    for (char c = 'a'; c <= 'z'; c++) {
        char *target = mem_printf("vd%c", c);
        size_t i = 0;
        while (i < spec->n_disks && strcmp(spec->disks[i].target, target) != 0)
            i++;
        if (i == spec->n_disks)
            return target;
        free(target);
    }
    return NULL;
}

// A disk of its own, read only: seen by every guest that sees its other disks.
static int add_disk(struct virt_spec *spec, const char *pool, const char *volume, struct err *err)
{
    char *target = free_target(spec);
    if (!target || spec->n_disks == VIRT_SPEC_DISKS_MAX) {
        free(target);
        return err_set(err, E2BIG, "there is no place for another disk");
    }
    spec->disks[spec->n_disks++] = (struct virt_disk){
        .source = {.pool = mem_strdup(pool), .volume = mem_strdup(volume)},
        .target = target,
        .format = mem_strdup("raw"),
        .read_only = true,
    };
    return 0;
}

int run_make_seed(struct manage_run *r, struct virt_spec *spec, struct err *err)
{
    const json_t *seed = json_object_get(r->body, "seed");
    char instance[UUID_TEXT];
    CLEANUP(seed_done) struct seed files = {0};
    CLEANUP(buf_done) struct buf image;
    buf_init(&image, SEED_BYTES_MAX);
    if (!seed)
        return 0;
    uuid_format(&spec->uuid, instance);
    CLEANUP(freep) char *volume = run_seed_volume(&spec->uuid);
    const char *pool = run_member(seed, "pool");
    int w = seed_write(r->body, instance, spec->name, &files, err);
    if (w == 0)
        w = seed_image(&files, &image, err);
    if (w == 0)
        w = run_note_volume(r, pool, volume, err);
    const struct virt_volume_spec wanted = {
        .pool = pool, .volume = volume, .format = "raw", .capacity_bytes = image.len};
    if (w == 0)
        w = r->manage->create_volume(r->virt, &wanted, err);
    if (w == 0)
        w = r->manage->fill_volume(r->virt, pool, volume, image.data, image.len, err);
    return w < 0 ? w : add_disk(spec, pool, volume, err);
}

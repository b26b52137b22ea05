// SPDX-License-Identifier: GPL-3.0-or-later
// Defaults, the places that apply to this user, and the whole as YAML, Markdown and manual page.
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/esc.h"
#include "base/mem.h"
#include "keys.h"

struct conf *conf_new(void)
{
    struct conf *c = mem_zalloc(sizeof(*c));
    c->path = mem_strdup("");
    for (size_t i = 0; i < conf_keys_count; i++)
        conf_value_default(&conf_keys[i], c);
    for (size_t i = 0; i < conf_lists_count; i++)
        conf_value_default(&conf_lists[i], c);
    return c;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < conf_keys_count; i++)
        conf_value_done(&conf_keys[i], c);
    for (size_t i = 0; i < conf_lists_count; i++)
        conf_value_done(&conf_lists[i], c);
    free(c->path);
    free(c);
}

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static char *user_config_path(void)
{
    if (env("XDG_CONFIG_HOME"))
        return mem_printf("%s/vherd/vherd.yaml", env("XDG_CONFIG_HOME"));
    return mem_printf("%s/.config/vherd/vherd.yaml", env("HOME") ? env("HOME") : "");
}

char *conf_default_path(bool *ret_exists)
{
    char *path = env("VHERD_CONFIG") ? mem_strdup(env("VHERD_CONFIG"))
                 : geteuid() == 0    ? mem_strdup("/etc/vherd/vherd.yaml")
                                     : user_config_path();
    *ret_exists = access(path, F_OK) == 0;
    return path;
}

char *conf_socket_path(const struct conf *c)
{
    if (*c->web.socket)
        return mem_strdup(c->web.socket);
    if (geteuid() == 0)
        return mem_strdup("/run/vherd/vherd.sock");
    if (env("XDG_RUNTIME_DIR"))
        return mem_printf("%s/vherd/vherd.sock", env("XDG_RUNTIME_DIR"));
    return mem_printf("/tmp/vherd-%lu/vherd.sock", (unsigned long)geteuid());
}

char *conf_store_path(const struct conf *c)
{
    if (*c->store.path)
        return mem_strdup(c->store.path);
    if (geteuid() == 0)
        return mem_strdup("/var/lib/vherd/data");
    if (env("XDG_STATE_HOME"))
        return mem_printf("%s/vherd/data", env("XDG_STATE_HOME"));
    return mem_printf("%s/.local/state/vherd/data", env("HOME") ? env("HOME") : "");
}

char *conf_templates_path(const struct conf *c)
{
    if (*c->act.templates)
        return mem_strdup(c->act.templates);
    if (geteuid() == 0)
        return mem_strdup("/etc/vherd/templates");
    if (env("XDG_CONFIG_HOME"))
        return mem_printf("%s/vherd/templates", env("XDG_CONFIG_HOME"));
    return mem_printf("%s/.config/vherd/templates", env("HOME") ? env("HOME") : "");
}

char *conf_act_state(const struct conf *c)
{
    if (*c->act.state)
        return mem_strdup(c->act.state);
    if (geteuid() == 0)
        return mem_strdup("/var/lib/vherd/act");
    if (env("XDG_STATE_HOME"))
        return mem_printf("%s/vherd/act", env("XDG_STATE_HOME"));
    return mem_printf("%s/.local/state/vherd/act", env("HOME") ? env("HOME") : "");
}

char *conf_libvirt_uri(const struct conf *c)
{
    if (*c->libvirt.uri)
        return mem_strdup(c->libvirt.uri);
    return mem_strdup(geteuid() == 0 ? "qemu:///system" : "qemu:///session");
}

void conf_encode(const struct conf *c, struct buf *out)
{
    const char *section = "";
    for (size_t i = 0; i < conf_keys_count; i++) {
        const struct conf_key *key = &conf_keys[i];
        if (strcmp(section, key->section) != 0)
            buf_printf(out, "%s:\n", key->section);
        section = key->section;
        buf_printf(out, "  %s: ", key->name);
        conf_value_encode(key, c, out);
        buf_putc(out, '\n');
    }
    for (size_t i = 0; i < conf_lists_count; i++) {
        buf_printf(out, "%s: ", conf_lists[i].name);
        conf_value_encode(&conf_lists[i], c, out);
        buf_putc(out, '\n');
    }
}

void conf_encode_json(const struct conf *c, struct buf *out)
{
    const char *section = NULL;
    for (size_t i = 0; i < conf_keys_count; i++) {
        const struct conf_key *key = &conf_keys[i];
        if (!section || strcmp(section, key->section) != 0)
            buf_printf(out, "%s\"%s\":{", section ? "}," : "{", key->section);
        else
            buf_putc(out, ',');
        section = key->section;
        buf_printf(out, "\"%s\":", key->name);
        conf_value_encode_json(key, c, out);
    }
    buf_putc(out, '}');
    for (size_t i = 0; i < conf_lists_count; i++) {
        buf_printf(out, ",\"%s\":", conf_lists[i].name);
        conf_value_encode_json(&conf_lists[i], c, out);
    }
    buf_putc(out, '}');
}

DEFINE_FREEP(struct conf, conf_free, conf_freep)

static void reference_key(const struct conf_key *key, const void *defaults, struct buf *out)
{
    buf_puts(out, "| `");
    conf_key_path(key, out);
    buf_puts(out, "` | ");
    if (key->required) {
        buf_puts(out, "must be given");
    } else {
        buf_putc(out, '`');
        conf_value_encode(key, defaults, out);
        buf_putc(out, '`');
    }
    buf_puts(out, " | ");
    conf_value_allowed(key, out);
    buf_printf(out, " | %s%s |\n", key->help, key->restart ? " Needs a restart." : "");
}

#define TABLE_HEAD "| key | default | allowed | meaning |\n| --- | --- | --- | --- |\n"

static void reference_section(const struct conf_section *section, const struct conf *defaults,
                              struct buf *out)
{
    buf_printf(out, "\n## `%s`\n\n%s\n\n" TABLE_HEAD, section->name, section->help);
    for (size_t i = 0; i < conf_keys_count; i++)
        if (strcmp(conf_keys[i].section, section->name) == 0)
            reference_key(&conf_keys[i], defaults, out);
}

static void reference_object(const struct conf_object *object, struct buf *out)
{
    CLEANUP(freep) void *defaults = mem_zalloc(object->size);
    conf_object_default(object, defaults);
    buf_printf(out, "\n## `%s`\n\n%s\n\n" TABLE_HEAD, object->name, object->help);
    for (size_t i = 0; i < object->n_keys; i++)
        reference_key(&object->keys[i], defaults, out);
    conf_object_done(object, defaults);
}

void conf_reference(struct buf *out)
{
    CLEANUP(conf_freep) struct conf *defaults = conf_new();
    buf_puts(out, "# Configuration\n\n"
                  "One YAML file of sections with keys; every key has a default, and an empty or "
                  "missing file\nmeans all of them. `vherd config check [FILE]` checks a file, "
                  "`vherd config show` prints what is\nin force. SIGHUP makes the daemon read its "
                  "file again; a file with an error is refused as a\nwhole, with line and column, "
                  "and the old configuration stays.\n\n"
                  "The file is `$VHERD_CONFIG`, else `/etc/vherd/vherd.yaml` as root, else\n"
                  "`$XDG_CONFIG_HOME/vherd/vherd.yaml` (`~/.config/vherd/vherd.yaml`).\n\n"
                  "    libvirt:\n      interval: 10s\n    web:\n      listen:\n"
                  "        - 127.0.0.1:9177\n        - \"[::1]:9177\"\n");
    for (size_t i = 0; i < conf_sections_count; i++)
        reference_section(&conf_sections[i], defaults, out);
    for (size_t i = 0; i < conf_objects_count; i++)
        reference_object(conf_objects[i], out);
}

static void manual_key(const struct conf_key *key, const void *defaults, struct buf *out)
{
    CLEANUP(buf_done) struct buf value;
    buf_init(&value, 4096);
    buf_printf(out, ".TP\n.B %s\n", key->name);
    esc_roff(out, key->help);
    buf_puts(out, key->restart ? " Needs a restart.\n.br\nAllowed: " : "\n.br\nAllowed: ");
    conf_value_allowed(key, &value);
    esc_roff(out, value.data);
    buf_reset(&value);
    if (key->required) {
        buf_puts(out, ".\n.br\nMust be given.\n");
        return;
    }
    conf_value_encode(key, defaults, &value);
    buf_puts(out, ".\n.br\nDefault: ");
    esc_roff(out, value.data);
    buf_putc(out, '\n');
}

static void manual_head(const char *name, const char *help, struct buf *out)
{
    buf_printf(out, ".SS %s\n", name);
    esc_roff(out, help);
    buf_putc(out, '\n');
}

static void manual_object(const struct conf_object *object, struct buf *out)
{
    CLEANUP(freep) void *defaults = mem_zalloc(object->size);
    conf_object_default(object, defaults);
    manual_head(object->name, object->help, out);
    for (size_t i = 0; i < object->n_keys; i++)
        manual_key(&object->keys[i], defaults, out);
    conf_object_done(object, defaults);
}

void conf_manual(struct buf *out)
{
    CLEANUP(conf_freep) struct conf *defaults = conf_new();
    for (size_t i = 0; i < conf_sections_count; i++) {
        manual_head(conf_sections[i].name, conf_sections[i].help, out);
        for (size_t k = 0; k < conf_keys_count; k++)
            if (strcmp(conf_keys[k].section, conf_sections[i].name) == 0)
                manual_key(&conf_keys[k], defaults, out);
    }
    for (size_t i = 0; i < conf_objects_count; i++)
        manual_object(conf_objects[i], out);
}

// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd apply FILE`: what a file wants, compared with what is, and the deeds that close the gap.
// The comparison sees only fields that the file names, so that applying twice asks for nothing
// twice.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/mem.h"
#include "command.h"
#include "conf/yaml_json.h"

#define FILE_MAX (4u << 20)
#define TIMEOUT_MS 65000

// Fields that `vm set` can change, and what is only said when a VM is made.
static const char *const settable[] = {"vcpus",     "max_vcpus", "memory", "max_memory",
                                       "autostart", "owner",     "labels"};

struct apply {
    struct cli *cli;
    json_t *tasks;  // asked for
    size_t changes; // wanted, whether asked for or not
    int64_t after;  // this VM's task before
    bool dry;
    struct err err;
};

static void say(struct apply *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct apply *a, const char *format, ...)
{
    CLEANUP(freep) char *text = NULL;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        text = NULL;
    va_end(ap);
    if (cli_option(a->cli, "json"))
        return;
    esc_terminal(&a->cli->out, text ? text : "");
    buf_putc(&a->cli->out, '\n');
}

// Ask for a deed, after this VM's last one. Takes `body` over.
static int want(struct apply *a, enum deed_id id, const char *vm, json_t *body)
{
    const struct deed *deed = &deeds[id];
    CLEANUP(json_decrefp) json_t *owned = body;
    json_t *answer = NULL;
    a->changes++;
    if (a->dry)
        return 0;
    if (a->after)
        json_object_set_new(owned, "after", json_integer(a->after));
    CLEANUP(freep) char *path = deed_path(deed, vm);
    int r = cli_post(a->cli, path, owned, TIMEOUT_MS, &answer, &a->err);
    if (r < 0)
        return err_wrap(&a->err, "%s", vm);
    a->after = json_integer_value(json_object_get(answer, "id"));
    json_array_append_new(a->tasks, answer);
    return 0;
}

/* What differs. */

static char *shown(const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    char *copy = mem_strdup(text ? text : "nothing");
    free(text);
    return copy;
}

static int compare_fields(struct apply *a, const char *name, const json_t *wanted, const json_t *is)
{
    json_t *body = json_object();
    for (size_t i = 0; i < ARRAY_LEN(settable); i++) {
        json_t *value = json_object_get(wanted, settable[i]);
        const json_t *old = json_object_get(is, settable[i]);
        if (!value || (old && json_equal(value, (json_t *)old)))
            continue;
        CLEANUP(freep) char *before = shown(old);
        CLEANUP(freep) char *after = shown(value);
        say(a, "~ %s: %s %s -> %s", name, settable[i], before, after);
        json_object_set(body, settable[i], value);
    }
    if (json_object_size(body) > 0)
        return want(a, DEED_SET, name, body);
    json_decref(body);
    return 0;
}

static bool has_target(const json_t *disks, const char *target)
{
    size_t i;
    const json_t *d;
    json_array_foreach(disks, i, d)
    {
        const char *is = api_text(d, "target");
        if (is && strcmp(is, target) == 0)
            return true;
    }
    return false;
}

static int compare_disks(struct apply *a, const char *name, const json_t *wanted, const json_t *is)
{
    size_t i;
    const json_t *disk;
    json_array_foreach(json_object_get(wanted, "disks"), i, disk)
    {
        const char *given = api_text(disk, "target");
        CLEANUP(freep)
        char *target = given ? mem_strdup(given) : mem_printf("vd%c", (char)('a' + i % 26));
        if (has_target(json_object_get(is, "disks"), target))
            continue;
        say(a, "+ %s: disk %s", name, target);
        json_t *body = json_deep_copy(disk);
        json_object_set_new(body, "target", json_string(target));
        int r = want(a, DEED_ATTACH_DISK, name, body);
        if (r < 0)
            return r;
    }
    return 0;
}

static int compare_state(struct apply *a, const char *name, const char *wanted, const char *is)
{
    if (!wanted)
        return 0;
    bool runs = is && strcmp(is, "shut off") != 0 && strcmp(is, "crashed") != 0;
    bool paused = is && strcmp(is, "paused") == 0;
    if (strcmp(wanted, "running") == 0 && (!runs || paused)) {
        say(a, "~ %s: %s -> running", name, is ? is : "new");
        return want(a, paused ? DEED_RESUME : DEED_START, name, json_object());
    }
    if (strcmp(wanted, "off") == 0 && runs) {
        say(a, "~ %s: %s -> off", name, is);
        return want(a, DEED_SHUTDOWN, name, json_object());
    }
    return 0;
}

/* One VM. */

static int fetch(struct apply *a, const char *name, json_t **ret)
{
    CLEANUP(freep) char *path = api_vm_path(name, "/definition");
    a->err = (struct err){0};
    int r = cli_get(a->cli, path, TIMEOUT_MS, ret, &a->err);
    // Without a client there is no daemon, not no VM.
    return r == -ENOENT && !a->cli->client ? -ECONNREFUSED : r;
}

static int make(struct apply *a, const char *name, const json_t *wanted)
{
    const char *state = api_text(wanted, "state");
    if (!json_object_get(wanted, "memory") && !json_object_get(wanted, "template"))
        return err_set(&a->err, EINVAL, "%s: memory is missing, and there is no such VM yet", name);
    json_t *body = json_deep_copy(wanted);
    json_object_del(body, "state");
    say(a, "+ %s", name);
    int r = want(a, DEED_CREATE, name, body);
    // The VM cannot be named in a path before it is there: create starts it itself.
    if (r == 0 && state && strcmp(state, "running") == 0)
        say(a, "+ %s: running", name);
    return r;
}

static int bring(struct apply *a, const json_t *wanted)
{
    const char *name = api_text(wanted, "name"), *state = api_text(wanted, "state");
    CLEANUP(json_decrefp) json_t *is = NULL;
    a->after = 0;
    int r = fetch(a, name, &is);
    if (r == -ENOENT && state && strcmp(state, "absent") == 0)
        return 0;
    if (r == -ENOENT)
        return make(a, name, wanted);
    if (r < 0)
        return r;
    if (state && strcmp(state, "absent") == 0) {
        say(a, "- %s", name);
        return want(a, DEED_DELETE, name, json_pack("{s:s}", "disks", "keep"));
    }
    r = compare_fields(a, name, wanted, is);
    if (r == 0)
        r = compare_disks(a, name, wanted, is);
    return r < 0 ? r : compare_state(a, name, state, api_text(is, "state"));
}

/* The file. */

static int check_state(const json_t *vm, struct err *err)
{
    static const char *const states[] = {"running", "off", "absent"};
    const json_t *state = json_object_get(vm, "state");
    const char *text = json_string_value(state);
    if (!state)
        return 0;
    for (size_t i = 0; text && i < ARRAY_LEN(states); i++)
        if (strcmp(states[i], text) == 0)
            return 0;
    return err_set(err, EINVAL, "state must be running, off or absent");
}

// As create checks them; but memory may be left out, of a VM that is there or made of a template.
static int check_fields(json_t *vm, struct err *err)
{
    bool has_memory = json_object_get(vm, "memory");
    if (!has_memory)
        json_object_set_new(vm, "memory", json_string("1G"));
    int r = deed_check(&deeds[DEED_CREATE], vm, err);
    if (!has_memory)
        json_object_del(vm, "memory");
    return r;
}

// The fields are those of create; sizes become numbers. An absent VM needs its name only.
static int check_vm(json_t *vm, struct err *err)
{
    const char *state = api_text(vm, "state");
    int r =
        json_is_object(vm) ? check_state(vm, err) : err_set(err, EINVAL, "it must be a mapping");
    if (r < 0)
        return r;
    if (state && strcmp(state, "absent") == 0) {
        const char *name = api_text(vm, "name");
        return name && deed_name(name, strlen(name)) ? 0 : err_set(err, EINVAL, "name is missing");
    }
    json_t *kept = json_incref(json_object_get(vm, "state"));
    json_object_del(vm, "state");
    r = check_fields(vm, err);
    for (const struct field *f = deed_common_fields; r == 0 && f->name; f++)
        if (json_object_get(vm, f->name))
            r = err_set(err, EINVAL, "there is no field %s", f->name);
    if (r == 0 && kept && strcmp(json_string_value(kept), "running") == 0)
        json_object_set_new(vm, "start", json_true());
    if (kept)
        json_object_set_new(vm, "state", kept);
    return r;
}

static int check_file(const json_t *root, struct err *err)
{
    const json_t *vms = json_object_get(root, "vms");
    size_t i;
    json_t *vm;
    if (!json_is_array(vms) || json_object_size(root) != 1)
        return err_set(err, EINVAL, "the file must hold a list `vms`, and nothing else");
    json_array_foreach(vms, i, vm)
    {
        if (check_vm(vm, err) < 0)
            return err_wrap(err, "vms[%zu]", i);
    }
    return 0;
}

static int load(const char *path, json_t **ret, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, FILE_MAX, &text, &len);
    if (r < 0)
        return err_set(err, -r, "%s: %s", path, strerror(-r));
    r = yaml_json(text, len, ret, err);
    if (r == 0)
        r = check_file(*ret, err);
    return r < 0 ? err_wrap(err, "%s", path) : 0;
}

static int finish(struct apply *a, int status)
{
    struct err err = {0};
    size_t i;
    const json_t *t;
    if (json_array_size(a->tasks) > 0) {
        int waited = task_wait(a->cli, a->tasks, &err);
        status = MAX_OF(status, waited);
    }
    if (cli_option(a->cli, "json")) {
        json_t *all = json_pack("{s:I, s:b, s:O}", "changes", (json_int_t)a->changes, "dry_run",
                                a->dry, "tasks", a->tasks);
        char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(15));
        cli_put_json(a->cli, text ? text : "", text ? strlen(text) : 0);
        free(text);
        json_decref(all);
        return status;
    }
    json_array_foreach(a->tasks, i, t) task_line(a->cli, t);
    if (a->changes == 0 && status == EXIT_WELL)
        say(a, "everything is as wanted");
    return status;
}

int cmd_apply(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *root = NULL;
    CLEANUP(json_decrefp) json_t *tasks = json_array();
    struct apply a = {.cli = cli, .tasks = tasks};
    size_t i;
    const json_t *vm;
    int status = EXIT_WELL;
    a.dry = cli_option(cli, "diff") || cli_option(cli, "dry-run");
    if (load(cli->operands[0], &root, &a.err) < 0)
        return cli_fail(&a.err, EXIT_USAGE);
    json_array_foreach(json_object_get(root, "vms"), i, vm)
    {
        if (bring(&a, vm) == 0)
            continue;
        status = cli_fail(&a.err, EXIT_FAILED);
        if (!cli->client)
            return EXIT_USAGE;
    }
    return finish(&a, status);
}

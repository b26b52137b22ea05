// SPDX-License-Identifier: GPL-3.0-or-later
#include "verdict.h"

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void describe(const struct virt_spec *s, struct auth_label labels[VIRT_LABELS_MAX],
                     struct auth_object *ret)
{
    for (size_t i = 0; i < s->n_labels; i++)
        labels[i] = (struct auth_label){s->labels[i].name, s->labels[i].value};
    *ret = (struct auth_object){s->name, s->owner, labels, s->n_labels};
}

enum auth_verdict verdict_on(const struct grant *grant, enum verb_role role,
                             const struct virt_spec *spec)
{
    struct auth_label labels[VIRT_LABELS_MAX];
    struct auth_object is;
    describe(spec, labels, &is);
    return auth_allows(grant, role, &is);
}

static bool names_a_volume(const struct deed *deed, const json_t *body)
{
    return deed->id == DEED_ATTACH_DISK &&
           (json_object_get(body, "volume") || json_object_get(body, "image"));
}

// What the VM, or the one that is made beside it, will be as far as scopes go. The body is checked.
static void foresee(const struct deed *deed, const json_t *body, struct auth_object *o,
                    struct auth_label labels[VIRT_LABELS_MAX])
{
    const char *name = text_of(body, "name"), *owner = text_of(body, "owner");
    const char *label;
    json_t *value;
    if ((deed->id == DEED_RENAME || deed->id == DEED_CLONE) && name)
        o->vm = name;
    if (deed->id != DEED_SET)
        return;
    if (owner)
        o->owner = owner;
    json_t *wanted = json_object_get(body, "labels");
    if (!wanted)
        return;
    o->labels = labels;
    o->n_labels = 0;
    json_object_foreach(wanted, label, value)
    {
        if (o->n_labels < VIRT_LABELS_MAX)
            labels[o->n_labels++] = (struct auth_label){label, json_string_value(value)};
    }
}

enum auth_verdict verdict_on_deed(const struct grant *grant, const struct deed *deed,
                                  const json_t *body, const struct virt_spec *spec)
{
    struct auth_label labels[VIRT_LABELS_MAX], new_labels[VIRT_LABELS_MAX];
    struct auth_object is, becomes;
    bool beyond = names_a_volume(deed, body) && !auth_covers_all(grant);
    describe(spec, labels, &is);
    becomes = is;
    foresee(deed, body, &becomes, new_labels);
    return auth_allows_change(grant, beyond ? ROLE_MAX : deed->role, &is, &becomes);
}

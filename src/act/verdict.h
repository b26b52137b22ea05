// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_VERDICT_H
#define ACT_VERDICT_H

// Who may do what to a VM, by what libvirt says of it. Pure.

#include <jansson.h>

#include "auth/grant.h"
#include "verb/deed.h"
#include "virt/manage.h"

// What needs this role of this VM.
enum auth_verdict verdict_on(const struct grant *grant, enum verb_role role,
                             const struct virt_spec *spec);

// A deed on a VM, with a body that deed_check() took. What the VM becomes must lie in the scope
// too, and who may not see all VMs may not name a volume, which has no owner.
enum auth_verdict verdict_on_deed(const struct grant *grant, const struct deed *deed,
                                  const json_t *body, const struct virt_spec *spec);

#endif

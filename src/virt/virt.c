// SPDX-License-Identifier: GPL-3.0-or-later
// What all back ends share: choosing one, freeing what they return.
#include "virt/virt.h"

#include <stdlib.h>
#include <string.h>

const struct virt_ops *virt_ops_for_uri(const char *uri)
{
    // Nothing can be done to a simulated VM: act finds an empty herd in its place.
    static const char *const memory[] = {"memory:", "simulate:"};
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
        if (strncmp(uri, memory[i], strlen(memory[i])) == 0)
            return &virt_memory;
    return &virt_libvirt;
}

void virt_domain_done(struct virt_domain *d)
{
    free(d->name);
    d->name = NULL;
}

void virt_domains_free(struct virt_domain *domains, size_t n)
{
    if (!domains)
        return;
    for (size_t i = 0; i < n; i++)
        virt_domain_done(&domains[i]);
    free(domains);
}

void virt_names_free(char **names, size_t n)
{
    if (!names)
        return;
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

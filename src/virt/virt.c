// SPDX-License-Identifier: GPL-3.0-or-later
// What all back ends share: choosing one, freeing what they return.
#include "virt/virt.h"

#include <stdlib.h>
#include <string.h>

const struct virt_ops *virt_ops_for_uri(const char *uri)
{
    static const char memory[] = "memory:";
    return strncmp(uri, memory, sizeof(memory) - 1) == 0 ? &virt_memory : &virt_libvirt;
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

// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "host_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kvm_layout layout;
    size_t need = 0;
    int r = parse_kvm_layout(data, size, &layout, &need);
    if (r == -EAGAIN && (need <= size || need > KVM_LAYOUT_MAX))
        abort();
    if (r < 0)
        return 0;
    if (layout.begin >= layout.end || layout.end - layout.begin > KVM_LAYOUT_MAX)
        abort();
    for (int i = 0; i < KVM_STATS; i++)
        if (layout.offset[i] &&
            (layout.offset[i] < layout.begin || layout.offset[i] + 8 > layout.end))
            abort();
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
// Definitions as libvirt gives them: what is read can be written and read again.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "virt/manage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct virt_spec spec = {0}, again = {0};
    struct err err = {0};
    CLEANUP(freep) char *copy = NULL;
    CLEANUP(buf_done) struct buf xml;
    const struct uuid fresh = {{1}};
    (void)virt_plugged_vcpus((const char *)data, size);
    if (virt_spec_read((const char *)data, size, &spec, &err) < 0) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    buf_init(&xml, 16 << 20);
    virt_spec_write(&spec, "qemu", &xml);
    if (!xml.error && virt_spec_read(xml.data, xml.len, &again, &err) < 0)
        abort();
    if (virt_spec_copy((const char *)data, size, "copy", &fresh, NULL, 0, &copy, &err) < 0)
        abort();
    virt_spec_done(&spec);
    virt_spec_done(&again);
    return 0;
}

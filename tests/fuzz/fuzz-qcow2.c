// SPDX-License-Identifier: GPL-3.0-or-later
// Headers of images, which a guest may have written.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "virt/qcow2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct virt_qcow2 image;
    struct err err = {0};
    int r = virt_qcow2_read(data, size, &image, &err);
    if (r == 0 && (strlen(image.backing) > VIRT_QCOW2_BACKING_MAX ||
                   (!image.qcow2 && (image.backing[0] || image.data_file))))
        abort();
    if (r < 0 && !err.message[0])
        abort();
    return 0;
}

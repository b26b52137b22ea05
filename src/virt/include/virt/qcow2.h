// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_QCOW2_H
#define VIRT_QCOW2_H

/*
 * The first bytes of an image, which its guest may have written: what QEMU would open besides it.
 * Format: QEMU's docs/interop/qcow2.rst. No other format's references are known here, so images
 * that are neither qcow2 nor raw are not taken.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** As much of an image as virt_qcow2_read() wants to see. */
#define VIRT_QCOW2_HEAD 65536

#define VIRT_QCOW2_BACKING_MAX 1023

struct virt_qcow2 {
    bool qcow2;     /**< else it is raw, or of a format that is not known here */
    bool data_file; /**< its data is in another file, which its header names */
    char backing[VIRT_QCOW2_BACKING_MAX + 1]; /**< as the header has it; "" = none */
};

/**
 * Read the beginning of an image (all of it where it is shorter). -EINVAL where it begins like
 * qcow2 and does not go on like one, or like another format that refers to other files.
 */
int virt_qcow2_read(const void *head, size_t len, struct virt_qcow2 *ret, struct err *err);

#endif

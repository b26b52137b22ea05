// SPDX-License-Identifier: GPL-3.0-or-later
#include "virt/qcow2.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define HEADER_MIN 72 // version 2
#define INCOMPATIBLE_AT 72
#define DATA_FILE_BIT 4u

// Other formats that QEMU or libvirt would recognise, and whose references are not looked at here.
static const struct {
    const char *name, *magic;
    size_t len, at;
} others[] = {
    {"VMDK", "KDMV", 4, 0},
    {"VMDK", "COWD", 4, 0},
    {"VMDK", "# Disk DescriptorFile", 21, 0},
    {"VHDX", "vhdxfile", 8, 0},
    {"VHD", "conectix", 8, 0},
    {"QED", "QED\0", 4, 0},
    {"qcow", "QFI\xfb\0\0\0\1", 8, 0},
    {"VDI", "\x7f\x10\xda\xbe", 4, 64},
    {"Parallels", "WithoutFreeSpace", 16, 0},
    {"Parallels", "WithouFreSpacExt", 16, 0},
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
    return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static const char *other_format(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (len >= others[i].at + others[i].len &&
            memcmp(p + others[i].at, others[i].magic, others[i].len) == 0)
            return others[i].name;
    return NULL;
}

static int read_backing(const uint8_t *p, size_t len, struct virt_qcow2 *ret, struct err *err)
{
    uint64_t at = be64(p + 8);
    uint32_t size = be32(p + 16);
    if (at == 0 || size == 0)
        return 0;
    if (size > VIRT_QCOW2_BACKING_MAX || at > len || size > len - at || memchr(p + at, 0, size))
        return err_set(err, EINVAL, "its header's backing file makes no sense");
    memcpy(ret->backing, p + at, size);
    ret->backing[size] = '\0';
    return 0;
}

int virt_qcow2_read(const void *head, size_t len, struct virt_qcow2 *ret, struct err *err)
{
    const uint8_t *p = head;
    const char *other = other_format(p, len);
    *ret = (struct virt_qcow2){0};
    if (other)
        return err_set(err, EINVAL, "it is a %s image, a format that is not taken", other);
    if (len < 4 || memcmp(p, "QFI\xfb", 4) != 0)
        return 0;
    uint32_t version = len >= 8 ? be32(p + 4) : 0;
    if (len < HEADER_MIN || version < 2 || version > 3 ||
        (version == 3 && len < INCOMPATIBLE_AT + 8))
        return err_set(err, EINVAL, "its header is no qcow2 header of version 2 or 3");
    ret->qcow2 = true;
    ret->data_file = version == 3 && (be64(p + INCOMPATIBLE_AT) & DATA_FILE_BIT);
    return read_backing(p, len, ret, err);
}

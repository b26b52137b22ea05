// SPDX-License-Identifier: GPL-3.0-or-later
// Landlock by its system calls: neither glibc nor a library in Debian 12 wraps them. The numbers
// below are the kernel's ABI, so that a build against old headers still uses a new kernel.
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define CREATE_RULESET_VERSION 1u

#define RULE_PATH_BENEATH 1

#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define NET_BIND_TCP 1u
#define NET_BIND_CONNECT_TCP 3u
#define SCOPE_ABSTRACT_SOCKETS_SIGNALS 3u

struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

// What an ABI can forbid, and how much of the structure it reads. File rights are numbered from
// bit 0 without gaps.
static const struct {
    unsigned fs_rights;
    uint64_t net;
    uint64_t scoped;
    size_t size;
} abis[] = {
    {13, 0, 0, 8}, // 1: Linux 5.13
    {14, 0, 0, 8}, // 2: refer
    {15, 0, 0, 8}, // 3: truncate
    {15, NET_BIND_CONNECT_TCP, 0, 16},
    {16, NET_BIND_CONNECT_TCP, 0, 16}, // 5: ioctl of devices
    {16, NET_BIND_CONNECT_TCP, SCOPE_ABSTRACT_SOCKETS_SIGNALS, 24},
};

struct path_rule {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static int allow_path(int rules, const char *path)
{
    CLEANUP(closep) int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    struct path_rule rule = {
        .allowed = S_ISDIR(st.st_mode) ? FS_READ_FILE | FS_READ_DIR : FS_READ_FILE, .parent = fd};
    return syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int restrict_self(const char *const *paths, struct err *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (abi <= 0)
        return 0;
    size_t row = MIN_OF((size_t)abi, ARRAY_LEN(abis)) - 1;
    struct ruleset rules = {
        .fs = (UINT64_C(1) << abis[row].fs_rights) - 1,
        .net = paths ? abis[row].net & NET_BIND_TCP : abis[row].net,
        .scoped = abis[row].scoped,
    };
    CLEANUP(closep)
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, abis[row].size, 0);
    int r = fd < 0 ? -errno : 0;
    for (const char *const *p = paths; r == 0 && p && *p; p++)
        r = allow_path(fd, *p);
    if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        r = -errno;
    return r < 0 ? err_set(err, -r, "Landlock: %s", strerror(-r)) : (int)abi;
}

int landlock_forbid_all(struct err *err)
{
    return restrict_self(NULL, err);
}

int landlock_allow_reading(const char *const *read_paths, struct err *err)
{
    return restrict_self(read_paths, err);
}

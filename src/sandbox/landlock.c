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

#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_TRUNCATE (UINT64_C(1) << 14)
// Of a directory whose plain files a process makes, changes and removes; of a file alone.
#define FS_KEEP                                                                                    \
    (FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE)
#define FS_OF_FILES (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)
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

// `wanted`: what a directory is opened for; a file gets of it what files have.
static int allow_path(int rules, const char *path, uint64_t wanted)
{
    CLEANUP(closep) int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    struct path_rule rule = {.allowed = S_ISDIR(st.st_mode) ? wanted : wanted & FS_OF_FILES,
                             .parent = fd};
    return syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int allow_paths(int rules, const char *const *paths, uint64_t wanted)
{
    int r = 0;
    for (const char *const *p = paths; r == 0 && p && *p; p++)
        r = allow_path(rules, *p, wanted);
    return r;
}

// `net`: which of the network's rights are taken away.
static int restrict_self(const char *const *read_paths, const char *const *write_paths,
                         uint64_t net, struct err *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (abi <= 0)
        return 0;
    size_t row = MIN_OF((size_t)abi, ARRAY_LEN(abis)) - 1;
    const struct ruleset rules = {
        .fs = (UINT64_C(1) << abis[row].fs_rights) - 1,
        .net = abis[row].net & net,
        .scoped = abis[row].scoped,
    };
    CLEANUP(closep)
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, abis[row].size, 0);
    int r = fd < 0 ? -errno : 0;
    if (r == 0)
        r = allow_paths(fd, read_paths, FS_READ_FILE | FS_READ_DIR);
    // A right that this kernel does not know is not taken away either.
    if (r == 0)
        r = allow_paths(fd, write_paths, FS_KEEP & rules.fs);
    if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        r = -errno;
    return r < 0 ? err_set(err, -r, "Landlock: %s", strerror(-r)) : (int)abi;
}

int landlock_forbid_all(struct err *err)
{
    return restrict_self(NULL, NULL, NET_BIND_CONNECT_TCP, err);
}

int landlock_allow_reading(const char *const *read_paths, struct err *err)
{
    return restrict_self(read_paths, NULL, NET_BIND_TCP, err);
}

int landlock_allow_keeping(const char *const *read_paths, const char *const *write_paths,
                           struct err *err)
{
    return restrict_self(read_paths, write_paths, NET_BIND_CONNECT_TCP, err);
}

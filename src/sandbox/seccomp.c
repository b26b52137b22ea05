// SPDX-License-Identifier: GPL-3.0-or-later
// The allow-list of a process that serves descriptors it was given and touches nothing else; and
// what is added for one that goes out to servers.
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/mem.h"

static const int allowed[] = {
    // descriptors that are open or were passed
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(accept4),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    // memory (mmap and mprotect: below)
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    // time, randomness, locks
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(futex),
    // signals to itself, and the end
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

static const int allowed_outside[] = {
    // connections; bind() is for the resolver's netlink socket, Landlock keeps it from TCP
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(ioctl),
    SCMP_SYS(socketpair),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1),
    // reading files (openat: below)
    SCMP_SYS(newfstatat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(getdents64),
    SCMP_SYS(pread64),
    SCMP_SYS(readlink),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    // a thread that looks up a name (clone: below)
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(membarrier),
    SCMP_SYS(prlimit64),
};

// Sockets of these families are made, others are refused without being killed for it: a C library
// tries what a system may have (nscd, vsock).
static const int families[] = {AF_INET, AF_INET6, AF_NETLINK};

static int add_network_rules(scmp_filter_ctx filter)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(allowed_outside); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_outside[i], 0);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(families); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    for (int family = 0; r == 0 && family < AF_MAX; family++)
        if (family != AF_INET && family != AF_INET6 && family != AF_NETLINK)
            r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
    // Reading only; writing is refused.
    const scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC;
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
    // Threads, not processes. clone3() hides its flags, so that the C library must use clone().
    if (r == 0)
        r = seccomp_rule_add(
            filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return r;
}

static int add_rules(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
        if (r < 0)
            return r;
    }
    static const int without_exec[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
    for (size_t i = 0; i < ARRAY_LEN(without_exec); i++) {
        int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, without_exec[i], 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (r < 0)
            return r;
    }
    return 0;
}

int seccomp_allow_list(bool network, struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return err_set(err, ENOMEM, "seccomp: out of memory");
    int r = add_rules(filter);
    if (r == 0 && network)
        r = add_network_rules(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r < 0 ? err_set(err, -r, "seccomp: %s", strerror(-r)) : 0;
}

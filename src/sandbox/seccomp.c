// SPDX-License-Identifier: GPL-3.0-or-later
// The allow-list of a process that serves descriptors it was given and touches nothing else.
#include "parts.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>

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

int seccomp_allow_list(struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return err_set(err, ENOMEM, "seccomp: out of memory");
    int r = add_rules(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r < 0 ? err_set(err, -r, "seccomp: %s", strerror(-r)) : 0;
}

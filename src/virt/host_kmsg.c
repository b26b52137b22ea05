// SPDX-License-Identifier: GPL-3.0-or-later
// /dev/kmsg gives one record for each read(); a recorded file gives many lines at once. A record's
// further lines begin with a blank and say nothing that is counted.
#include "host_kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "host_file.h"

// A burst longer than this is read on in the next second.
#define RECORDS_MAX 2000

void kmsg_open(struct kmsg *k, int root)
{
    *k = (struct kmsg){.fd = openat(root, "dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    if (k->fd < 0 || lseek(k->fd, 0, SEEK_END) < 0) {
        k->error = -errno;
        closep(&k->fd);
    }
}

static void count_lines(struct kmsg *k, const char *text, size_t len)
{
    for (const char *p = text, *end = text + len; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);
        enum kmsg_kind kind = parse_kmsg(p, n);
        if (kind != KMSG_OTHER)
            k->counts[kind]++;
        p += n + 1;
    }
}

static void drain(struct kmsg *k, char *buf, size_t size)
{
    for (int i = 0; i < RECORDS_MAX && k->fd >= 0; i++) {
        ssize_t n = read(k->fd, buf, size - 1);
        if (n > 0) {
            buf[n] = '\0';
            count_lines(k, buf, (size_t)n);
        } else if (n == 0 || errno == EAGAIN) {
            return;
        } else if (errno != EPIPE && errno != EINTR) { // EPIPE: the oldest were overwritten
            k->error = -errno;
            closep(&k->fd);
        }
    }
}

void kmsg_sample(struct kmsg *k, char *buf, size_t size, struct batch *b)
{
    static const enum fact facts[KMSG_MAX] = {
        [KMSG_MCE] = FACT_HOST_KMSG_MCE,
        [KMSG_SOFT_LOCKUP] = FACT_HOST_KMSG_SOFT_LOCKUP,
        [KMSG_HARD_LOCKUP] = FACT_HOST_KMSG_HARD_LOCKUP,
        [KMSG_HUNG_TASK] = FACT_HOST_KMSG_HUNG_TASK,
        [KMSG_OOM_KILL] = FACT_HOST_KMSG_OOM_KILL,
        [KMSG_IO_ERROR] = FACT_HOST_KMSG_IO_ERROR,
        [KMSG_KVM] = FACT_HOST_KMSG_KVM,
    };
    drain(k, buf, size);
    for (int i = 0; i < KMSG_MAX; i++)
        batch_fact(b, 0, facts[i], k->error ? NAN : (double)k->counts[i]);
    if (k->error)
        batch_unavailable(b, "kernel_messages", source_reason(k->error));
}

void kmsg_close(struct kmsg *k)
{
    closep(&k->fd);
}

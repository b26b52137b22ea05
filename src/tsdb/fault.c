// SPDX-License-Identifier: GPL-3.0-or-later
// As systemd does for its journal: the handler lays a page of zeros over the one that cannot be
// read. It looks through a table without a lock; rows are written by others under one.
#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/** A mapping; `end` 0: free. */
struct guard {
    atomic_uintptr_t start, end;
    atomic_bool is_hit;
};

static struct guard guards[FAULT_GUARDS_MAX];
static atomic_int n_guards; // rows that were ever used
static int first_free;      // no lower row is free
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static long page_bytes;

static bool note_hit(uintptr_t at)
{
    bool found = false;
    int n = atomic_load(&n_guards);
    for (int i = 0; i < n; i++) {
        struct guard *g = &guards[i];
        if (at >= atomic_load(&g->start) && at < atomic_load(&g->end)) {
            atomic_store(&g->is_hit, true);
            found = true;
        }
    }
    return found;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    int error = errno;
    uintptr_t at = (uintptr_t)info->si_addr;
    void *page = (void *)(at & ~((uintptr_t)page_bytes - 1));
    // Raised by somebody, or not ours: as it was before, when the instruction is tried again.
    if (info->si_code != BUS_ADRERR || !note_hit(at) ||
        mmap(page, (size_t)page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED) {
        sigaction(SIGBUS, &before, NULL);
        if (info->si_code <= 0)
            raise(SIGBUS);
    }
    errno = error;
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    page_bytes = sysconf(_SC_PAGESIZE);
    sigaction(SIGBUS, &action, &before);
}

void fault_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}

int fault_guard(const void *data, size_t size)
{
    pthread_mutex_lock(&lock);
    int i = first_free, n = atomic_load(&n_guards);
    while (i < n && atomic_load(&guards[i].end))
        i++;
    if (i < FAULT_GUARDS_MAX) {
        struct guard *g = &guards[i];
        atomic_store(&g->is_hit, false);
        atomic_store(&g->start, (uintptr_t)data);
        atomic_store(&g->end, (uintptr_t)data + size);
        if (i == n)
            atomic_store(&n_guards, n + 1);
        first_free = i + 1;
    }
    pthread_mutex_unlock(&lock);
    return i < FAULT_GUARDS_MAX ? i : -1;
}

void fault_release(int guard)
{
    if (guard < 0)
        return;
    pthread_mutex_lock(&lock);
    atomic_store(&guards[guard].end, 0);
    if (guard < first_free)
        first_free = guard;
    pthread_mutex_unlock(&lock);
}

void fault_let_go(void)
{
    pthread_mutex_lock(&lock); // none is released meanwhile
    int n = atomic_load(&n_guards);
    for (int i = 0; i < n; i++) {
        uintptr_t start = atomic_load(&guards[i].start), end = atomic_load(&guards[i].end);
        if (end && !atomic_load(&guards[i].is_hit))
            (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    pthread_mutex_unlock(&lock);
}

bool fault_is_hit(int guard)
{
    return guard >= 0 && atomic_load_explicit(&guards[guard].is_hit, memory_order_relaxed);
}

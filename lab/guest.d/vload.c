// SPDX-License-Identifier: GPL-3.0-or-later
// Load generator of the lab guest: makes exact, bounded amounts of CPU, memory, disk and network
// load, and hangs the machine on request. Linked statically; runs as a child of the guest's init.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define KIB 1024LL
#define MIB (1024LL * KIB)
#define MAX_CPUS 64

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
    struct timespec ts = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        ;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "vload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t parse_number(const char *text, int64_t max)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0 || value > max) {
        fprintf(stderr, "vload: bad number: %s\n", text);
        exit(2);
    }
    return value;
}

static void on_every_cpu(void *(*body)(void *), void *arg)
{
    long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[MAX_CPUS];
    if (n_cpus > MAX_CPUS)
        n_cpus = MAX_CPUS;
    for (long cpu = 0; cpu < n_cpus; cpu++) {
        cpu_set_t set;
        pthread_attr_t attr;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        pthread_attr_init(&attr);
        pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
        errno = pthread_create(&threads[cpu], &attr, body, arg);
        if (errno != 0)
            die("pthread_create");
        pthread_attr_destroy(&attr);
    }
    for (long cpu = 0; cpu < n_cpus; cpu++)
        pthread_join(threads[cpu], NULL);
}

static void spin_until(int64_t end_ns)
{
    volatile uint32_t sink = 0;
    while (now_ns() < end_ns)
        for (int i = 0; i < 2000; i++)
            sink = sink * 1664525U + 1013904223U;
}

static void *cpu_body(void *arg)
{
    const int64_t percent = *(const int64_t *)arg;
    const int64_t period_ns = NS_PER_S / 10;
    int64_t start_ns = now_ns();
    for (;;) {
        spin_until(start_ns + period_ns * percent / 100);
        start_ns += period_ns;
        int64_t late_ns = now_ns() - start_ns;
        if (late_ns > 0)
            start_ns += late_ns; // the host took the time: do not try to catch up
        else
            sleep_until(start_ns);
    }
    return NULL;
}

static int run_cpu(char **argv)
{
    int64_t percent = parse_number(argv[0], 100);
    on_every_cpu(cpu_body, &percent);
    return 0;
}

// Grows to the size asked at the rate asked, then keeps every page in use.
static int run_mem(char **argv)
{
    const int64_t size_bytes = parse_number(argv[0], 1 << 20) * MIB;
    const int64_t rate_bytes = parse_number(argv[1], 1 << 20) * MIB;
    const long page_bytes = sysconf(_SC_PAGESIZE);
    unsigned char *area = mmap(NULL, size_bytes ? size_bytes : 1, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED)
        die("mmap");
    int64_t next_ns = now_ns();
    for (int64_t done = 0; done < size_bytes;) {
        int64_t step = rate_bytes ? (rate_bytes + 9) / 10 : size_bytes;
        for (int64_t end = done + step; done < end && done < size_bytes; done += page_bytes)
            memset(area + done, 1 + (int)(done / page_bytes % 255), page_bytes);
        next_ns += NS_PER_S / 10;
        if (rate_bytes)
            sleep_until(next_ns);
    }
    for (unsigned char round = 0;; round++) {
        sleep(5);
        for (int64_t at = 0; at < size_bytes; at += page_bytes)
            area[at] = round;
    }
}

// O_DIRECT | O_DSYNC, so that each write is one request of the virtual disk.
static int run_write(char **argv)
{
    const int64_t rate_bytes = parse_number(argv[0], 1 << 22) * KIB;
    const char *path = argv[1];
    const int64_t file_bytes = 4 * MIB;
    int64_t chunk_bytes = rate_bytes / 10 / (4 * KIB) * (4 * KIB);
    if (chunk_bytes < 4 * KIB)
        chunk_bytes = 4 * KIB;
    if (chunk_bytes > MIB)
        chunk_bytes = MIB;
    void *buf;
    if (rate_bytes == 0)
        return 0;
    errno = posix_memalign(&buf, 4096, chunk_bytes);
    if (errno != 0)
        die("posix_memalign");
    memset(buf, 0x5a, chunk_bytes);
    int fd = open(path, O_WRONLY | O_CREAT | O_DIRECT | O_DSYNC, 0600);
    if (fd < 0)
        die(path);
    int64_t next_ns = now_ns();
    int64_t offset = 0;
    for (;;) {
        if (pwrite(fd, buf, chunk_bytes, offset) != chunk_bytes)
            die("write");
        offset = (offset + chunk_bytes) % file_bytes;
        if (offset + chunk_bytes > file_bytes)
            offset = 0;
        next_ns += NS_PER_S * chunk_bytes / rate_bytes;
        if (next_ns < now_ns())
            next_ns = now_ns();
        sleep_until(next_ns);
    }
}

static int run_net(char **argv)
{
    const int64_t rate_bytes = parse_number(argv[0], 1 << 22) * KIB;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    const int on = 1;
    char packet[1024] = {0};
    if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        die("address");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
    if (rate_bytes == 0)
        return 0;
    // Several packets per wake-up, so that a slow guest still reaches its rate.
    const int64_t tick_ns = NS_PER_S / 20;
    int64_t start_ns = now_ns();
    int64_t sent_bytes = 0;
    for (;;) {
        int64_t due_bytes = (now_ns() - start_ns) / 1000000 * rate_bytes / 1000;
        while (sent_bytes < due_bytes) {
            if (sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) < 0 &&
                errno != ECONNREFUSED && errno != ENOBUFS && errno != ENETUNREACH)
                die("sendto");
            sent_bytes += sizeof(packet);
        }
        sleep_until(now_ns() + tick_ns);
    }
}

// Fills the file system and keeps the file; leaves when nothing more fits.
static int run_fill(char **argv)
{
    static char block[64 * KIB];
    int fd = open(argv[0], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0)
        die(argv[0]);
    for (size_t want = sizeof(block); want >= KIB;) {
        ssize_t n = write(fd, block, want);
        if (n < 0 && errno == ENOSPC)
            want /= 2;
        else if (n < 0)
            die("write");
    }
    fsync(fd);
    return 0;
}

// Programs the i6300esb watchdog of the virtual machine by itself: unlocked by two magic writes,
// its two stages count half the time each, and the machine fails when both have run out.
static int run_watchdog(char **argv)
{
    enum { TIMER1 = 0x00, TIMER2 = 0x04, RELOAD = 0x0c };
    enum { CONFIG_LOCK = 0x68, LOCK_ENABLE = 0x02, RELOAD_NOW = 0x100 };
    const int64_t timeout_s = parse_number(argv[0], 1000);
    const char *config_path = argv[1];
    const char *registers_path = argv[2];
    const unsigned char enable = LOCK_ENABLE;
    int config = open(config_path, O_RDWR);
    int fd = open(registers_path, O_RDWR | O_SYNC);
    if (config < 0 || fd < 0)
        die(config < 0 ? config_path : registers_path);
    volatile unsigned char *registers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (registers == MAP_FAILED)
        die("watchdog registers");
    volatile uint16_t *reload = (volatile uint16_t *)(registers + RELOAD);
    for (int timer = TIMER1; timer <= TIMER2; timer += TIMER2 - TIMER1) {
        *reload = 0x80;
        *reload = 0x86;
        *(volatile uint32_t *)(registers + timer) = (uint32_t)timeout_s << 9;
    }
    if (pwrite(config, &enable, 1, CONFIG_LOCK) != 1)
        die("watchdog enable");
    for (;;) {
        *reload = 0x80;
        *reload = 0x86;
        *reload = RELOAD_NOW;
        sleep_until(now_ns() + NS_PER_S);
    }
}

struct hang {
    volatile uint32_t *apic; // NULL when the local APIC could not be mapped
    pthread_barrier_t ready;
};

// With its local APIC off, a vCPU gets no timer tick and no interrupt any more: a loop in user
// space then never gives the processor back, as a loop with interrupts disabled would not.
static void *hang_body(void *arg)
{
    enum { APIC_SPURIOUS = 0xf0 / 4, APIC_LVT_TIMER = 0x320 / 4, APIC_MASKED = 1 << 16 };
    struct hang *hang = arg;
    struct sched_param prio = {.sched_priority = 99};
    sched_setscheduler(0, SCHED_FIFO, &prio);
    pthread_barrier_wait(&hang->ready);
    if (hang->apic) {
        hang->apic[APIC_LVT_TIMER] = APIC_MASKED;
        hang->apic[APIC_SPURIOUS] = 0xff; // bit 8 clear: software disabled
    }
    for (;;)
        ;
    return NULL;
}

static int run_hang(char **argv)
{
    (void)argv;
    struct hang hang = {0};
    long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int fd = open("/dev/mem", O_RDWR | O_SYNC);
    if (fd >= 0) {
        void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0xfee00000);
        if (map != MAP_FAILED)
            hang.apic = map;
    }
    fprintf(stderr, "vload: hang: interrupts %s\n", hang.apic ? "off" : "on");
    mlockall(MCL_CURRENT | MCL_FUTURE);
    int rt = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);
    if (rt < 0 || write(rt, "-1", 2) != 2)
        fprintf(stderr, "vload: hang: real-time throttling stays on\n");
    pthread_barrier_init(&hang.ready, NULL, n_cpus > MAX_CPUS ? MAX_CPUS : n_cpus);
    on_every_cpu(hang_body, &hang);
    return 1;
}

static const struct command {
    const char *name;
    int n_args;
    int (*run)(char **argv);
    const char *help;
} commands[] = {
    {"cpu", 1, run_cpu, "PERCENT: use PERCENT of every processor"},
    {"mem", 2, run_mem, "MIB MIB_PER_S: grow to MIB and hold it (rate 0: at once)"},
    {"write", 2, run_write, "KIB_PER_S FILE: write through to the disk"},
    {"net", 2, run_net, "KIB_PER_S ADDRESS: send UDP packets"},
    {"fill", 1, run_fill, "FILE: fill the file system"},
    {"watchdog", 3, run_watchdog, "SECONDS CONFIG REGISTERS: start and feed the i6300esb watchdog"},
    {"hang", 0, run_hang, "stop the machine: spin on every processor, interrupts off"},
};

int main(int argc, char **argv)
{
    const size_t n_commands = sizeof(commands) / sizeof(commands[0]);
    for (size_t i = 0; i < n_commands; i++)
        if (argc >= 2 && strcmp(argv[1], commands[i].name) == 0 && argc == 2 + commands[i].n_args)
            return commands[i].run(argv + 2);
    for (size_t i = 0; i < n_commands; i++)
        fprintf(stderr, "vload %s %s\n", commands[i].name, commands[i].help);
    return 2;
}

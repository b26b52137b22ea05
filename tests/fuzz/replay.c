// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a fuzz target over every file of the directories given, over every beginning of it and over
// some damaged copies, without libFuzzer; the same each time. One TAP line for each file.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1 << 20)
#define PREFIXES_MAX 2000
#define DAMAGED 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A copy of exactly that size, so that a sanitizer sees each byte read past the end.
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void run_damaged(const uint8_t *data, size_t size)
{
    static const uint8_t nasty[] = {0, 0xFF, 0x7F, 0x80, '"', '\\', '\n', '<', '%', '-', '9', '{'};
    uint64_t state = 0x9E3779B97F4A7C15 ^ size;
    uint8_t *copy = malloc(size);
    if (!copy)
        abort();
    for (int i = 0; i < DAMAGED; i++) {
        memcpy(copy, data, size);
        for (uint64_t n = 1 + next_random(&state) % 4; n > 0; n--) {
            uint8_t *byte = &copy[next_random(&state) % size];
            uint64_t how = next_random(&state);
            *byte = how % 2 ? nasty[how / 2 % sizeof(nasty)] : (uint8_t)(*byte ^ 1u << how / 2 % 8);
        }
        run(copy, size);
    }
    free(copy);
}

static int replay(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    uint8_t *data = malloc(FILE_MAX);
    if (fd < 0 || !data)
        abort();
    ssize_t size = read(fd, data, FILE_MAX);
    close(fd);
    if (size < 0) {
        free(data);
        return -errno;
    }
    run(data, (size_t)size);
    for (size_t n = 0; n < (size_t)size && n < PREFIXES_MAX; n++)
        run(data, n);
    if (size > 0)
        run_damaged(data, (size_t)size);
    free(data);
    return 0;
}

static int replay_directory(const char *path, int *n)
{
    int failed = 0;
    DIR *d = opendir(path);
    if (!d) {
        printf("not ok %d - %s: %s\n", ++*n, path, strerror(errno));
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        printf("# %s\n", entry->d_name);
        int r = replay(dirfd(d), entry->d_name);
        printf("%s %d - %s\n", r < 0 ? "not ok" : "ok", ++*n, entry->d_name);
        failed += r < 0;
    }
    closedir(d);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0, n = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        int before = n;
        failed += replay_directory(argv[i], &n);
        if (n == before) {
            printf("not ok %d - %s holds no file\n", ++n, argv[i]);
            failed++;
        }
    }
    printf("1..%d\n", n);
    return failed > 0;
}

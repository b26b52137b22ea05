// SPDX-License-Identifier: GPL-3.0-or-later
// The order matters: each step takes away what the ones before it needed.
#include "sandbox/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "parts.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static void add_word(struct buf *words, const char *text)
{
    if (words->len > 0)
        buf_puts(words, ", ");
    buf_puts(words, text);
}

static int find_user(const char *name, const struct passwd **ret, struct err *err)
{
    const char *const usual[] = {"vherd", "nobody"};
    for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
        const struct passwd *user = getpwnam(name[0] != '\0' ? name : usual[i]);
        if (user) {
            *ret = user;
            return 0;
        }
    }
    if (name[0] != '\0')
        return err_set(err, ENOENT, "web.user: there is no user \"%s\"", name);
    return err_set(err, ENOENT, "there is neither a user \"vherd\" nor \"nobody\"; set web.user");
}

// Also empties the bounding set, which needs a capability that then goes too.
static int become(const struct passwd *user, struct err *err)
{
    if (user->pw_uid == 0)
        return err_set(err, EINVAL, "web.user must not be root");
    capng_clear(CAPNG_SELECT_ALL);
    int r = capng_change_id((int)user->pw_uid, (int)user->pw_gid,
                            CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (r != 0)
        return err_set(err, EPERM, "cannot become user %s (step %d)", user->pw_name, r);
    if (setuid(0) == 0 || getuid() != user->pw_uid || geteuid() != user->pw_uid)
        return err_set(err, EPERM, "still root after becoming user %s", user->pw_name);
    return 0;
}

int sandbox_enter_as_user(const char *name, struct err *err)
{
    CLEANUP(buf_done) struct buf words;
    const struct passwd *user = NULL;
    buf_init(&words, 4096);
    if (geteuid() == 0) {
        int r = find_user(name, &user, err);
        if (r < 0)
            return r;
        if (user->pw_uid == 0)
            return err_set(err, EINVAL, "web.user must not be root");
        capng_clear(CAPNG_SELECT_ALL);
        r = capng_change_id((int)user->pw_uid, (int)user->pw_gid,
                            CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
        if (r != 0 || setuid(0) == 0)
            return err_set(err, EPERM, "cannot become user %s (step %d)", user->pw_name, r);
    }
    return sandbox_drop_capabilities(&words, err);
}

int sandbox_drop_capabilities(struct buf *words, struct err *err)
{
    if (capng_get_caps_process() != 0)
        return err_set(err, EIO, "cannot read the process's capabilities");
    bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    capng_clear(CAPNG_SELECT_ALL);
    if (bounding && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return err_set(err, EPERM, "cannot empty the bounding set");
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return err_set(err, EPERM, "cannot give up capabilities");
    if (capng_get_caps_process() != 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
        return err_set(err, EPERM, "capabilities remain");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_set(err, errno, "no_new_privs: %s", strerror(errno));
    add_word(words, "no capabilities");
    return 0;
}

static void limit(int what, rlim_t value)
{
    struct rlimit r = {value, value};
    (void)setrlimit(what, &r);
}

static void set_limits(bool threads)
{
    limit(RLIMIT_CORE, 0);
    // Threads count as processes; where they are needed, the filter keeps from forking.
    if (!SANITIZED && !threads)
        limit(RLIMIT_NPROC, 0);
    // The log may be a file that must go on growing.
    struct stat st;
    if (fstat(STDERR_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
        limit(RLIMIT_FSIZE, 0);
    signal(SIGXFSZ, SIG_IGN);
}

// What the C library and the TLS library read on behalf of any connection.
static const char *const resolver_paths[] = {
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ssl/certs",
    "/etc/gnutls",
    "/run/systemd/resolve",
    "/usr/share/ca-certificates",
    NULL,
};

static size_t count_paths(const char *const *paths)
{
    size_t n = 0;
    while (paths && paths[n])
        n++;
    return n;
}

static const char **join_paths(const char *const *own, const char *const *more)
{
    size_t n = count_paths(own), m = count_paths(more);
    const char **all = mem_zalloc((n + m + 1) * sizeof(char *));
    memcpy(all, own, n * sizeof(char *));
    if (m > 0)
        memcpy(all + n, more, m * sizeof(char *));
    return all;
}

static int landlock_for_network(const struct sandbox_network *network, struct err *err)
{
    CLEANUP(freep) const char **all = join_paths(resolver_paths, network->read_paths);
    return landlock_allow_reading(all, err);
}

static int say_landlock(int abi, struct buf *words)
{
    if (abi < 0)
        return abi;
    CLEANUP(freep)
    char *word =
        abi > 0 ? mem_printf("landlock ABI %d", abi) : mem_strdup("landlock: kernel without it");
    add_word(words, word);
    return 0;
}

static int enter_landlock(const struct sandbox_network *network, struct buf *words, struct err *err)
{
    int abi = network ? landlock_for_network(network, err) : landlock_forbid_all(err);
    return say_landlock(abi, words);
}

static int enter_seccomp(const struct sandbox_plan *plan, struct buf *words, struct err *err)
{
    if (!plan->seccomp) {
        add_word(words, "seccomp: off by web.sandbox");
        return 0;
    }
    int r = seccomp_allow_list(plan->network != NULL, err);
    if (r == 0)
        add_word(words, "seccomp");
    return r;
}

int sandbox_enter(const struct sandbox_plan *plan, struct buf *words, struct err *err)
{
    // Privileges lost mean the parent's death signal lost as well.
    int death_signal = 0;
    (void)prctl(PR_GET_PDEATHSIG, &death_signal);
    if (geteuid() == 0) {
        const struct passwd *user = NULL;
        int r = find_user(plan->user, &user, err);
        if (r == 0)
            r = become(user, err);
        if (r < 0)
            return r;
        buf_printf(words, "user %s", user->pw_name);
    } else {
        buf_printf(words, "uid %u", (unsigned)geteuid());
    }
    int r = sandbox_drop_capabilities(words, err);
    if (r < 0)
        return r;
    (void)prctl(PR_SET_PDEATHSIG, death_signal);
    set_limits(plan->network != NULL);
    if (SANITIZED) {
        // The leak checker needs to read /proc and to trace at exit.
        (void)prctl(PR_SET_DUMPABLE, 1);
        add_word(words, "no seccomp, no landlock (sanitizer build)");
        return words->error;
    }
    r = enter_landlock(plan->network, words, err);
    if (r == 0)
        r = enter_seccomp(plan, words, err);
    return r < 0 ? r : words->error;
}

/* Acting. */

// What libraries read at any time: names of users and groups, time zones, modules, messages, and
// the configuration of libvirt's client.
static const char *const acting_paths[] = {
    "/etc/group",   "/etc/gnutls",    "/etc/ld.so.cache",
    "/etc/libvirt", "/etc/localtime", "/etc/nsswitch.conf",
    "/etc/passwd",  "/lib",           "/run/systemd/userdb",
    "/usr/lib",     "/usr/share",     "/var/lib/sss",
    "/dev/urandom", "/proc/self",     NULL,
};

static const char *const device_paths[] = {"/dev/null", "/dev/zero", NULL};

static bool is_alone(void)
{
    struct stat st;
    return stat("/proc/self/task", &st) < 0 || st.st_nlink <= 3; // itself, its parent, one thread
}

static int confine_files(const struct sandbox_acting *plan, struct buf *words, struct err *err)
{
    if (plan->programs || plan->network) {
        add_word(words, "no landlock (libvirt's client goes out)");
        return 0;
    }
    if (!is_alone())
        return err_set(err, EBUSY, "Landlock: there are threads that it would not hold for");
    CLEANUP(freep) const char **reads = join_paths(acting_paths, plan->read_paths);
    CLEANUP(freep) const char **writes = join_paths(device_paths, plan->write_paths);
    return say_landlock(landlock_allow_keeping(reads, writes, err), words);
}

int sandbox_enter_acting(const struct sandbox_acting *plan, struct buf *words, struct err *err)
{
    int r = sandbox_drop_capabilities(words, err);
    if (r < 0)
        return r;
    add_word(words, "no new privileges");
    if (SANITIZED || !plan->seccomp) {
        add_word(words, SANITIZED ? "no seccomp (sanitizer build)" : "seccomp: off by web.sandbox");
        return words->error;
    }
    if (plan->read_paths || plan->write_paths)
        r = confine_files(plan, words, err);
    if (r == 0)
        r = seccomp_refuse_list(plan->programs, plan->network, err);
    if (r < 0)
        return r;
    add_word(words, plan->programs ? "seccomp" : "seccomp, no programs");
    return words->error;
}

// SPDX-License-Identifier: GPL-3.0-or-later
// Listening sockets, with the sentence that each failure deserves. The Unix socket is guarded by a
// lock file beside it, so that of two daemons that find the same stale socket only one removes it.
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"

#define BACKLOG 512
#define LOCK_ATTEMPTS 10

static int explain_tcp(const char *address, int code, struct err *err)
{
    static const struct {
        int code;
        const char *words;
    } rows[] = {
        {EADDRINUSE, "the port is in use; stop the program that holds it, or set web.listen to "
                     "another address"},
        {EADDRNOTAVAIL, "this machine has no such address; set web.listen to one that it has"},
        {EACCES, "ports below 1024 are for root; set web.listen to another port"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].code == code)
            return err_set(err, code, "cannot listen on %s: %s", address, rows[i].words);
    return err_set(err, code, "cannot listen on %s: %s", address, strerror(code));
}

// Splits at the last colon; brackets around an IPv6 address go.
static int resolve(const char *address, struct addrinfo **ret, struct err *err)
{
    CLEANUP(freep) char *host = mem_strdup(address);
    char *colon = strrchr(host, ':');
    char *name = host;
    if (colon)
        *colon = '\0';
    size_t len = strlen(host);
    if (name[0] == '[' && len > 1 && name[len - 1] == ']') {
        name[len - 1] = '\0';
        name++;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    uint64_t port = 0;
    // getaddrinfo() takes a port modulo 2^16.
    if (!colon || number_parse_u64(colon + 1, &port) < 0 || port > UINT16_MAX ||
        getaddrinfo(name, colon + 1, &hints, ret) != 0)
        return err_set(err, EINVAL, "web.listen: \"%s\" is not HOST:PORT with a numeric host",
                       address);
    return 0;
}

static char *url_of(int fd, bool is_tls)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
        getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return mem_strdup("http://?");
    const char *scheme = is_tls ? "https" : "http";
    return mem_printf(addr.ss_family == AF_INET6 ? "%s://[%s]:%s" : "%s://%s:%s", scheme, host,
                      port);
}

int listen_tcp_open(const char *address, bool is_tls, struct listen_tcp *ret, struct err *err)
{
    struct addrinfo *info = NULL;
    int r = resolve(address, &info, err);
    if (r < 0)
        return r;
    int one = 1;
    CLEANUP(closep)
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
              (info->ai_family != AF_INET6 ||
               setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
              bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0;
    int code = errno;
    freeaddrinfo(info);
    if (!ok)
        return explain_tcp(address, code, err);
    *ret = (struct listen_tcp){
        .address = mem_strdup(address), .url = url_of(fd, is_tls), .fd = fd, .is_tls = is_tls};
    fd = -1;
    return 0;
}

void listen_tcp_done(struct listen_tcp *l)
{
    closep(&l->fd);
    free(l->address);
    free(l->url);
    *l = (struct listen_tcp){.fd = -1};
}

// The lock file may be removed by its last holder between our open and our lock.
static int lock_file(const char *path, int *ret_fd)
{
    for (int i = 0; i < LOCK_ATTEMPTS; i++) {
        CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
            return -errno;
        struct stat ours, there;
        if (fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_ino == there.st_ino &&
            ours.st_dev == there.st_dev) {
            *ret_fd = fd;
            fd = -1;
            return 0;
        }
    }
    return -EAGAIN;
}

static int say_taken(const char *path, struct err *err)
{
    return err_set(err, EADDRINUSE,
                   "another vherd answers on %s; stop it first, or give this one another "
                   "web.socket",
                   path);
}

static int make_directory(struct listen_unix *l, struct err *err)
{
    CLEANUP(freep) char *dir = mem_strdup(l->path);
    char *slash = strrchr(dir, '/');
    if (!slash || slash == dir)
        return 0;
    *slash = '\0';
    if (mkdir(dir, 0755) < 0) {
        if (errno == EEXIST)
            return 0;
        return err_set(err, errno, "cannot make the directory %s for the socket: %s", dir,
                       strerror(errno));
    }
    // Whatever the umask says: who may connect is the socket's business.
    (void)chmod(dir, 0755);
    l->made_dir = TAKE_PTR(dir);
    return 0;
}

static int take_lock(struct listen_unix *l, struct err *err)
{
    l->lock_path = mem_printf("%s.lock", l->path);
    int r = lock_file(l->lock_path, &l->lock_fd);
    if (r == 0)
        return 0;
    free(TAKE_PTR(l->lock_path)); // another's, not ours to remove
    if (r == -EWOULDBLOCK)
        return say_taken(l->path, err);
    return err_set(err, -r,
                   "cannot make the socket %s: %s; set web.socket to a path that can be "
                   "written",
                   l->path, strerror(-r));
}

static int remove_stale(const char *path, const struct sockaddr_un *addr, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, EEXIST, "%s is in the way: it is not a socket", path);
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, errno, "cannot make a socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
        return say_taken(path, err);
    if (unlink(path) < 0)
        return err_set(err, errno, "cannot remove the left-over socket %s: %s", path,
                       strerror(errno));
    return 0;
}

int listen_unix_set_group(const struct listen_unix *l, const char *group, struct err *err)
{
    gid_t gid = getegid();
    if (group[0] != '\0') {
        struct group *entry = getgrnam(group);
        if (!entry)
            return err_set(err, ENOENT, "web.socket_group: there is no group \"%s\"", group);
        gid = entry->gr_gid;
    }
    if (lchown(l->path, (uid_t)-1, gid) < 0)
        return err_set(err, errno, "cannot give %s to the group \"%s\": %s", l->path, group,
                       strerror(errno));
    if (chmod(l->path, group[0] != '\0' ? 0660 : 0600) < 0)
        return err_set(err, errno, "cannot set the mode of %s: %s", l->path, strerror(errno));
    return 0;
}

static int bind_socket(struct listen_unix *l, const struct sockaddr_un *addr, const char *group,
                       struct err *err)
{
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    int bound = l->fd < 0 ? -1 : bind(l->fd, (const struct sockaddr *)addr, sizeof(*addr));
    int code = errno;
    umask(before);
    struct stat st;
    if (bound < 0 || lstat(l->path, &st) < 0)
        return err_set(err, code, "cannot make the socket %s: %s", l->path, strerror(code));
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    int r = listen_unix_set_group(l, group, err);
    if (r < 0)
        return r;
    if (listen(l->fd, BACKLOG) < 0)
        return err_set(err, errno, "cannot listen on %s: %s", l->path, strerror(errno));
    return 0;
}

int listen_unix_open(const char *path, const char *group, struct listen_unix *ret, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(addr.sun_path))
        return err_set(err, ENAMETOOLONG, "web.socket is longer than %zu bytes: %s",
                       sizeof(addr.sun_path) - 1, path);
    memcpy(addr.sun_path, path, strlen(path));
    CLEANUP(listen_unix_done)
    struct listen_unix l = {.path = mem_strdup(path), .lock_fd = -1, .fd = -1};
    int r = make_directory(&l, err);
    if (r == 0)
        r = take_lock(&l, err);
    if (r == 0)
        r = remove_stale(path, &addr, err);
    if (r == 0)
        r = bind_socket(&l, &addr, group, err);
    if (r < 0)
        return r;
    *ret = l;
    l = (struct listen_unix){.lock_fd = -1, .fd = -1};
    return 0;
}

void listen_unix_done(struct listen_unix *l)
{
    struct stat st;
    // Somebody may have put another file there meanwhile; that one stays.
    if (l->path && l->ino != 0 && lstat(l->path, &st) == 0 && st.st_ino == l->ino &&
        st.st_dev == l->dev)
        (void)unlink(l->path);
    if (l->lock_path)
        (void)unlink(l->lock_path);
    if (l->made_dir)
        (void)rmdir(l->made_dir);
    closep(&l->fd);
    closep(&l->lock_fd);
    free(l->path);
    free(l->made_dir);
    free(l->lock_path);
    *l = (struct listen_unix){.lock_fd = -1, .fd = -1};
}

// SPDX-License-Identifier: GPL-3.0-or-later
// All interfaces by one netlink dump a second: one question, an answer of a few pages. The dump is
// made inside recvmsg(), so that there is nothing to wait for.
#include "host_net.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "host_file.h"

// The kernel fills up to this much for each recvmsg().
#define DUMP_BUFFER 32768

struct host_net {
    int root;
    bool real;
    int error; // -errno of the last dump
    struct mnl_socket *socket;
    unsigned sequence;
    char *buffer;
};

struct host_net *host_net_new(int root, bool real)
{
    struct host_net *n = mem_zalloc(sizeof(*n));
    n->root = root;
    n->real = real;
    if (real)
        n->buffer = mem_zalloc(DUMP_BUFFER);
    return n;
}

void host_net_free(struct host_net *n)
{
    if (!n)
        return;
    if (n->socket)
        mnl_socket_close(n->socket);
    free(n->buffer);
    free(n);
}

struct nic {
    const char *name;
    double up;
    double counters[8]; // in the order of `columns`
};

static const struct {
    const char *file;
    size_t offset; // in struct rtnl_link_stats64
    enum fact fact;
} columns[8] = {
    {"rx_bytes", offsetof(struct rtnl_link_stats64, rx_bytes), FACT_HNIC_RX_BYTES},
    {"rx_packets", offsetof(struct rtnl_link_stats64, rx_packets), FACT_HNIC_RX_PACKETS},
    {"rx_errors", offsetof(struct rtnl_link_stats64, rx_errors), FACT_HNIC_RX_ERRORS},
    {"rx_dropped", offsetof(struct rtnl_link_stats64, rx_dropped), FACT_HNIC_RX_DROPS},
    {"tx_bytes", offsetof(struct rtnl_link_stats64, tx_bytes), FACT_HNIC_TX_BYTES},
    {"tx_packets", offsetof(struct rtnl_link_stats64, tx_packets), FACT_HNIC_TX_PACKETS},
    {"tx_errors", offsetof(struct rtnl_link_stats64, tx_errors), FACT_HNIC_TX_ERRORS},
    {"tx_dropped", offsetof(struct rtnl_link_stats64, tx_dropped), FACT_HNIC_TX_DROPS},
};

static void put_nic(struct batch *b, const struct nic *nic)
{
    uint32_t key = batch_key(b, nic->name);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        batch_fact(b, key, columns[i].fact, nic->counters[i]);
    batch_fact(b, key, FACT_HNIC_UP, nic->up);
}

static int on_link(const struct nlmsghdr *message, void *arg)
{
    if (message->nlmsg_type != RTM_NEWLINK ||
        mnl_nlmsg_get_payload_len(message) < sizeof(struct ifinfomsg))
        return MNL_CB_OK;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    const void *stats = NULL;
    size_t stats_len = 0;
    struct nic nic = {.up = info->ifi_flags & IFF_UP ? 1 : 0};
    const struct nlattr *a;
    mnl_attr_for_each(a, message, sizeof(*info))
    {
        uint16_t type = mnl_attr_get_type(a);
        if (type == IFLA_IFNAME && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0) {
            nic.name = mnl_attr_get_str(a);
        } else if (type == IFLA_STATS64) {
            stats = mnl_attr_get_payload(a);
            stats_len = mnl_attr_get_payload_len(a);
        }
    }
    if (!nic.name || !nic.name[0])
        return MNL_CB_OK;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        uint64_t v = 0;
        bool told = columns[i].offset + sizeof(v) <= stats_len;
        if (told) // netlink aligns to 4 bytes only
            memcpy(&v, (const char *)stats + columns[i].offset, sizeof(v));
        nic.counters[i] = told ? (double)v : NAN;
    }
    put_nic(arg, &nic);
    return MNL_CB_OK;
}

static int open_socket(struct host_net *n)
{
    if (n->socket)
        return 0;
    n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!n->socket)
        return -errno;
    if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int error = -errno;
        mnl_socket_close(TAKE_PTR(n->socket));
        return error;
    }
    return 0;
}

static int dump_links(struct host_net *n, struct batch *b)
{
    int r = open_socket(n);
    if (r < 0)
        return r;
    struct nlmsghdr *question = mnl_nlmsg_put_header(n->buffer);
    question->nlmsg_type = RTM_GETLINK;
    question->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    question->nlmsg_seq = ++n->sequence;
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(question, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    if (mnl_socket_sendto(n->socket, question, question->nlmsg_len) < 0)
        return -errno;
    unsigned port = mnl_socket_get_portid(n->socket);
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        ssize_t len = mnl_socket_recvfrom(n->socket, n->buffer, DUMP_BUFFER);
        if (len < 0)
            return -errno;
        more = mnl_cb_run(n->buffer, (size_t)len, n->sequence, port, on_link, b);
    }
    // An interface that came or went meanwhile marks the dump as interrupted; the next one is
    // whole.
    return more < 0 && errno != EINTR ? -errno : 0;
}

static void read_recorded_nic(int dir, const char *name, struct batch *b)
{
    char path[300], flags[32] = "";
    struct nic nic = {.name = name, .up = NAN};
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        struct kept k = KEPT_INIT;
        snprintf(path, sizeof(path), "%s/statistics/%s", name, columns[i].file);
        nic.counters[i] = kept_number(&k, dir, path);
        kept_close(&k);
    }
    struct kept k = KEPT_INIT;
    snprintf(path, sizeof(path), "%s/flags", name);
    if (kept_read(&k, dir, path, flags, sizeof(flags)) > 0)
        nic.up = strtoul(flags, NULL, 16) & IFF_UP ? 1 : 0;
    kept_close(&k);
    put_nic(b, &nic);
}

static int read_recorded(struct host_net *n, struct batch *b)
{
    int fd = openat(n->root, "sys/class/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return -errno;
    for (const struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.')
            read_recorded_nic(fd, e->d_name, b);
    closedir(dir);
    return 0;
}

void host_net_sample(struct host_net *n, struct batch *b)
{
    n->error = n->real ? dump_links(n, b) : read_recorded(n, b);
    if (n->error < 0) {
        if (n->socket) // half an answer may still stand in the queue
            mnl_socket_close(TAKE_PTR(n->socket));
        batch_unavailable(b, "interfaces", source_reason(n->error));
    }
}

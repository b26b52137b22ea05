// SPDX-License-Identifier: GPL-3.0-or-later
// All interfaces by one netlink dump a second: one question for counters alone (RTM_GETSTATS), an
// answer of a few pages. Names and flags come from a dump of links (RTM_GETLINK, ten times as
// costly), which is made when a second socket has heard that some link changed. Dumps are made
// inside recvmsg(), so that there is nothing to wait for.
#include "host_net.h"

#include <dirent.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "host_file.h"
#include "host_turn.h"

// The kernel fills up to this much for each recvmsg().
#define DUMP_BUFFER 32768
#define LINKS_MAX 65536

struct link {
    uint32_t index;
    bool up;
    bool told;
    double faults; // errors and drops together, as told last
    char name[IFNAMSIZ];
};

struct host_net {
    int root;
    bool real;
    struct mnl_socket *socket, *events;
    struct link *links; // in the order of the dump, which is that of counters as well
    size_t n_links, cap_links;
    bool stale;    // links must be asked for again
    size_t cursor; // where the next link is expected
    unsigned sequence;
    char *buffer;
    struct turns turns;
    int64_t detail_ns;
    bool turn; // tell errors and drops though they stand
};

struct host_net *host_net_new(int root, bool real, int64_t detail_ns)
{
    struct host_net *n = mem_zalloc(sizeof(*n));
    n->root = root;
    n->real = real;
    n->detail_ns = detail_ns;
    if (real)
        n->buffer = mem_zalloc(DUMP_BUFFER);
    return n;
}

static void close_sockets(struct host_net *n)
{
    if (n->socket)
        mnl_socket_close(TAKE_PTR(n->socket));
    if (n->events)
        mnl_socket_close(TAKE_PTR(n->events));
}

void host_net_free(struct host_net *n)
{
    if (!n)
        return;
    close_sockets(n);
    free(n->links);
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

static bool is_fault(size_t column)
{
    return model_facts[columns[column].fact].lane == LANE_TURN;
}

// Errors and drops stand still as a rule: told at their turn, and at once when one of them moves.
static bool faults_due(struct link *link, const struct nic *nic, bool turn)
{
    double faults = 0;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        faults += is_fault(i) ? nic->counters[i] : 0;
    if (!turn && link->told && link->faults == faults)
        return false;
    link->told = true;
    link->faults = faults;
    return true;
}

static void put_nic(struct batch *b, bool faults, const struct nic *nic)
{
    uint32_t key = batch_key(b, nic->name);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (faults || !is_fault(i))
            batch_fact(b, key, columns[i].fact, nic->counters[i]);
    batch_fact(b, key, FACT_HNIC_UP, nic->up);
}

static int on_link(const struct nlmsghdr *message, void *arg)
{
    struct host_net *n = arg;
    if (message->nlmsg_type != RTM_NEWLINK ||
        mnl_nlmsg_get_payload_len(message) < sizeof(struct ifinfomsg) ||
        mem_grow_capped(&n->links, &n->cap_links, n->n_links, sizeof(*n->links), LINKS_MAX) < 0)
        return MNL_CB_OK;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    struct link *l = &n->links[n->n_links];
    *l = (struct link){.index = (uint32_t)info->ifi_index, .up = info->ifi_flags & IFF_UP};
    const struct nlattr *a;
    mnl_attr_for_each(a, message, sizeof(*info))
    {
        if (mnl_attr_get_type(a) == IFLA_IFNAME && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
            snprintf(l->name, sizeof(l->name), "%s", mnl_attr_get_str(a));
    }
    n->n_links += l->name[0] != '\0';
    return MNL_CB_OK;
}

static struct link *find_link(struct host_net *n, uint32_t index)
{
    for (size_t i = 0; i < n->n_links; i++) {
        size_t at = (n->cursor + i) % n->n_links;
        if (n->links[at].index == index) {
            n->cursor = at + 1;
            return &n->links[at];
        }
    }
    return NULL;
}

struct stats_dump {
    struct host_net *net;
    struct batch *batch;
};

static int on_stats(const struct nlmsghdr *message, void *arg)
{
    struct stats_dump *d = arg;
    if (message->nlmsg_type != RTM_NEWSTATS ||
        mnl_nlmsg_get_payload_len(message) < sizeof(struct if_stats_msg))
        return MNL_CB_OK;
    const struct if_stats_msg *info = mnl_nlmsg_get_payload(message);
    struct link *link = find_link(d->net, info->ifindex);
    if (!link) { // it came after the dump of links
        d->net->stale = true;
        return MNL_CB_OK;
    }
    struct nic nic = {.name = link->name, .up = link->up};
    const struct nlattr *a;
    const void *stats = NULL;
    size_t len = 0;
    mnl_attr_for_each(a, message, sizeof(*info))
    {
        if (mnl_attr_get_type(a) == IFLA_STATS_LINK_64) {
            stats = mnl_attr_get_payload(a);
            len = mnl_attr_get_payload_len(a);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        uint64_t v = 0;
        bool told = columns[i].offset + sizeof(v) <= len;
        if (told) // netlink aligns to 4 bytes only
            memcpy(&v, (const char *)stats + columns[i].offset, sizeof(v));
        nic.counters[i] = told ? (double)v : NAN;
    }
    put_nic(d->batch, faults_due(link, &nic, d->net->turn), &nic);
    return MNL_CB_OK;
}

static int open_socket(struct mnl_socket **socket, unsigned groups)
{
    if (*socket)
        return 0;
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!s)
        return -errno;
    if (mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0) {
        int error = -errno;
        mnl_socket_close(s);
        return error;
    }
    *socket = s;
    return 0;
}

static int dump(struct host_net *n, struct nlmsghdr *question, mnl_cb_t each, void *arg)
{
    question->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    question->nlmsg_seq = ++n->sequence;
    if (mnl_socket_sendto(n->socket, question, question->nlmsg_len) < 0)
        return -errno;
    unsigned port = mnl_socket_get_portid(n->socket);
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        ssize_t len = mnl_socket_recvfrom(n->socket, n->buffer, DUMP_BUFFER);
        if (len < 0)
            return -errno;
        more = mnl_cb_run(n->buffer, (size_t)len, n->sequence, port, each, arg);
    }
    if (more >= 0)
        return 0;
    if (errno != EINTR)
        return -errno;
    // An interface came or went meanwhile: what is left of this dump is dropped, the next is whole.
    n->stale = true;
    while (mnl_socket_recvfrom(n->socket, n->buffer, DUMP_BUFFER) >= 0)
        continue;
    return 0;
}

static int dump_links(struct host_net *n)
{
    struct nlmsghdr *question = mnl_nlmsg_put_header(n->buffer);
    question->nlmsg_type = RTM_GETLINK;
    mnl_nlmsg_put_extra_header(question, sizeof(struct ifinfomsg)); // zeros: all
    n->stale = false;
    n->n_links = n->cursor = 0;
    return dump(n, question, on_link, n);
}

static int dump_stats(struct host_net *n, struct batch *b)
{
    struct stats_dump d = {n, b};
    struct nlmsghdr *question = mnl_nlmsg_put_header(n->buffer);
    question->nlmsg_type = RTM_GETSTATS;
    struct if_stats_msg *info = mnl_nlmsg_put_extra_header(question, sizeof(*info));
    info->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    return dump(n, question, on_stats, &d);
}

// Whether some link changed since it was asked last. What changed does not matter.
static bool heard_of_change(struct host_net *n)
{
    bool heard = false;
    for (int i = 0; i < 1000; i++) {
        if (mnl_socket_recvfrom(n->events, n->buffer, DUMP_BUFFER) >= 0 || errno == ENOBUFS)
            heard = true;
        else
            break;
    }
    return heard;
}

static int ask_kernel(struct host_net *n, struct batch *b)
{
    bool first = !n->events;
    int r = open_socket(&n->events, RTMGRP_LINK);
    if (r == 0)
        r = open_socket(&n->socket, 0);
    if (r == 0 && (heard_of_change(n) || first || n->stale))
        r = dump_links(n);
    return r < 0 ? r : dump_stats(n, b);
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
    put_nic(b, true, &nic);
}

static int read_recorded(struct host_net *n, struct batch *b)
{
    DIR *dir = dir_list(n->root, "sys/class/net");
    if (!dir)
        return -errno;
    for (const struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.')
            read_recorded_nic(dirfd(dir), e->d_name, b);
    closedir(dir);
    return 0;
}

void host_net_sample(struct host_net *n, struct batch *b)
{
    n->turn = turns_next(&n->turns, b->mono_ns, n->detail_ns, false);
    int r = n->real ? ask_kernel(n, b) : read_recorded(n, b);
    if (r < 0) {
        close_sockets(n); // half an answer may still stand in the queue
        batch_unavailable(b, "interfaces", source_reason(r));
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_SCORE_H
#define PLACE_SCORE_H

// Scores of hosts that pass the filters; private to src/place.

#include "place/choose.h"

#define FLAVOURS_MAX 24

// Requests that are usual in the snapshot, with their share.
struct flavours {
    struct place_vector request[FLAVOURS_MAX];
    double share[FLAVOURS_MAX];
    size_t n;
};

struct scorer {
    const struct place_room *room;
    enum place_score score;
    struct flavours flavours;
    const struct place_lifetimes *lifetimes;
    const uint32_t *class_of;
    double now_s;
    float (*empty_by)[PLACE_OUTLOOK]; // by host: F; NULL unless the score needs it
    float weight[PLACE_OUTLOOK];      // dμ
    float vm_part[PLACE_OUTLOOK];     // of the VM being placed: what F is multiplied with
    float vm_constant;
    float survival[PLACE_OUTLOOK];
    int32_t last_vm, last_host; // put last, -1 none
};

int scorer_init(struct scorer *s, const struct place_room *room, enum place_score score,
                const struct place_lifetimes *lifetimes, const uint32_t *class_of);
void scorer_done(struct scorer *s);

// Look again at all hosts. O(VMs).
void scorer_renew(struct scorer *s, double now_s);

// Begin with a VM; then ask for hosts.
void scorer_vm(struct scorer *s, int32_t vm);
double scorer_host(const struct scorer *s, int32_t vm, int32_t host);

// A VM was put on a host (before the room is told).
void scorer_put(struct scorer *s, int32_t vm, int32_t host);

#endif

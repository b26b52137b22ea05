// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

// What this folder's sources share.

#include <sqlite3.h>

#include "store/store.h"

#define STATEMENTS_MAX 128

struct store_query {
    const char *sql; // the literal that it was made of
    sqlite3_stmt *stmt;
    int bound;
    int error; // negative errno, kept until it is given back
    bool in_use;
};

struct store {
    sqlite3 *db;
    char *path;
    void (*committed)(void *arg); // or NULL
    void *committed_arg;
    int lock_fd;
    int depth;   // of transactions
    bool broken; // something inside was rolled back
    struct store_query queries[STATEMENTS_MAX];
    size_t n_queries;
    struct store_query spare; // when all are in use: tells -EMFILE
};

#endif

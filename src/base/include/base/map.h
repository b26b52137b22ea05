// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

/**
 * A hash map from byte strings (copied, at most 64 KiB long) to pointers (borrowed).
 * Open addressing; hashed with SipHash under a random key, as keys come from outside.
 */
struct map;

struct map *map_new(void);
void map_free(struct map *m);

/** The value under a key, NULL where there is none. */
void *map_get(const struct map *m, const void *key, size_t len);

/** Put or replace; `value` must not be NULL. Returns the value that was there before or NULL. */
void *map_put(struct map *m, const void *key, size_t len, void *value);

/** Remove; returns the value or NULL. */
void *map_remove(struct map *m, const void *key, size_t len);

size_t map_count(const struct map *m);

/**
 * Walk: start with *cursor = 0; returns the next value or NULL at the end.
 * The map must not change during a walk.
 */
void *map_next(const struct map *m, size_t *cursor);

#endif

// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_CERTIFICATES_H
#define CORE_CERTIFICATES_H

// Until when the host's certificates are valid, as objects of the host: looked at each hour by a
// worker, since a disk may take its time. The loop's.

struct core;
struct certificates;

struct certificates *certificates_new(struct core *c);

// Accepts NULL. A look under way, which may hang, is left to its end and then forgotten.
void certificates_free(struct certificates *s);

// Called now and then: begins a look where one is due.
void certificates_step(struct certificates *s);

// The configuration is another: look again soon.
void certificates_reload(struct certificates *s);

#endif

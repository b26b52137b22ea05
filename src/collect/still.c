// SPDX-License-Identifier: GPL-3.0-or-later
// Read and write calls of a hypervisor process that serve no disk are, but for those of its
// network, serial lines and shared folders, calls on event descriptors: of eight bytes each, so
// that bytes moved less eight for each call stay at nought. (Seen of guests that idle, compute and
// idle busily, QEMU 7.2: at nought exactly, over each ten seconds.) A request of the smallest size,
// 512 bytes, that is served through a call moves that by 504, whether or not the host's page cache
// holds what it asks for. What goes to storage past such calls is in the kernel's count of bytes
// read and written. Zeroes, discards, flushes and reads of what was never written may be in
// neither, but each request is told by an event: many of them are a surge of calls.
#include "collect/still.h"

#include <string.h>

#define EVENT_BYTES 8
// Room for what comes now and then: a record of a signal, a broadcast that a tap hands on. A
// smallest request would have to meet a dozen empty calls to pass, which event descriptors do
// not make.
#define SLACK_BYTES 400
#define SURGE_RATIO 2.0
#define SURGE_PER_S 200.0

static bool is_small(uint64_t bytes, uint64_t calls)
{
    int64_t beyond = (int64_t)(bytes - EVENT_BYTES * calls);
    return beyond > -SLACK_BYTES && beyond < SLACK_BYTES;
}

static bool moved_nothing(const struct host_io *from, const struct host_io *to)
{
    return to->read_bytes == from->read_bytes && to->write_bytes == from->write_bytes &&
           to->read_calls >= from->read_calls && to->write_calls >= from->write_calls &&
           is_small(to->read_chars - from->read_chars, to->read_calls - from->read_calls) &&
           is_small(to->write_chars - from->write_chars, to->write_calls - from->write_calls);
}

static double calls_per_s(const struct still *before, const struct host_io *io, int64_t mono_ns)
{
    double calls = (double)(io->read_calls - before->io.read_calls) +
                   (double)(io->write_calls - before->io.write_calls);
    return calls / ((double)(mono_ns - before->mono_ns) / (double)NS_PER_S);
}

bool still_rests(const struct still *before, const struct host_io *io, int64_t mono_ns)
{
    return before->was_quiet && mono_ns > before->mono_ns && moved_nothing(&before->io, io) &&
           calls_per_s(before, io, mono_ns) <= SURGE_RATIO * before->calls_per_s + SURGE_PER_S;
}

void still_step(struct still *s, const struct host_io *io, int64_t mono_ns)
{
    struct still next = {.has_io = io != NULL, .mono_ns = mono_ns};
    if (io) {
        next.io = *io;
        next.was_quiet = s->has_io && mono_ns > s->mono_ns && moved_nothing(&s->io, io);
        next.calls_per_s = next.was_quiet ? calls_per_s(s, io, mono_ns) : 0;
    }
    *s = next;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

// Of images that lie at a place of such a type.
static bool sees(const char *type, size_t len, const char *io)
{
    bool is_block = is_word(type, len, "block");
    bool is_call = !io || strcmp(io, "threads") == 0;
    return (is_block || is_word(type, len, "file")) &&
           (is_call || (is_block && strcmp(io, "native") == 0));
}

bool still_sees(const struct object *disk)
{
    const char *type = object_attr(disk, ATTR_DISK_TYPE);
    const char *io = object_attr(disk, ATTR_DISK_IO);
    const char *device = object_attr(disk, ATTR_DISK_DEVICE);
    const char *below = object_attr(disk, ATTR_DISK_BACKING);
    if (!type || !sees(type, strlen(type), io) || (device && strcmp(device, "lun") == 0) ||
        object_fact(disk, FACT_DISK_THRESHOLD) > 0)
        return false;
    // libvirt has all images of a chain opened in the same way.
    for (size_t len; below && *below; below += len + (below[len] == ',')) {
        len = strcspn(below, ",");
        if (!sees(below, len, io))
            return false;
    }
    return true;
}

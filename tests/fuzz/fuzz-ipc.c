// SPDX-License-Identifier: GPL-3.0-or-later
// A peer's stream of frames: whatever comes, every frame given out keeps the rules. The bytes
// arrive in two pieces, cut where the first byte says.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/ipc.h"

#define PAYLOAD_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int drain(struct ipc *c)
{
    struct ipc_frame f;
    int r;
    while ((r = ipc_recv(c, &f)) == 1) {
        if (f.len > PAYLOAD_MAX || f.type < IPC_REQUEST || f.type >= IPC_TYPE_END)
            abort();
        unsigned sum = 0;
        for (size_t i = 0; i < f.len; i++)
            sum += (unsigned char)f.payload[i];
        if (sum % 3 == 0)
            free(ipc_take_payload(c));
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 64 * 1024)
        return 0;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        abort();
    struct ipc *c = ipc_new(fds[0], PAYLOAD_MAX);
    size_t cut = MIN_OF((size_t)data[0], size - 1);
    if (write(fds[1], data + 1, cut) != (ssize_t)cut)
        abort();
    if (drain(c) == 0 && write(fds[1], data + 1 + cut, size - 1 - cut) != (ssize_t)(size - 1 - cut))
        abort();
    drain(c);
    close(fds[1]);
    if (drain(c) == 0)
        abort();
    ipc_free(c);
    return 0;
}

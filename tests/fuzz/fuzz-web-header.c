// SPDX-License-Identifier: GPL-3.0-or-later
// Headers that web reads itself: Host and Accept-Encoding. No stranger's name may pass.
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "base/mem.h"
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *further[] = {(char *)"alias"};
    static const struct host_names names = {"vmhost", further, 1};
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr *addr = (const struct sockaddr *)&loopback;
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    bool ours = host_is_ours(text, addr, addr, &names);
    // What passes starts like one of the few names there are.
    if (ours && strncasecmp(text, "localhost", 9) != 0 && strncasecmp(text, "vmhost", 6) != 0 &&
        strncasecmp(text, "alias", 5) != 0 && strncmp(text, "127.", 4) != 0 && text[0] != '[')
        abort();
    if (answer_accepts_gzip(text) && !strcasestr(text, "gzip"))
        abort();
    return 0;
}

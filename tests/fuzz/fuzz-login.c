// SPDX-License-Identifier: GPL-3.0-or-later
// Bodies of logins, and the headers that carry credentials: lines "Authorization", "Cookie".
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *user = NULL, *password = NULL, *secret = NULL;
    enum gate_kind kind;
    if (credential_read_login((const char *)data, size, &user, &password) == 0 &&
        (strlen(user) > GATE_TEXT_MAX || strlen(password) > GATE_TEXT_MAX))
        abort();
    free(user);
    free(password);
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    char *cookie = strchr(text, '\n');
    if (cookie)
        *cookie++ = '\0';
    if (credential_read(*text ? text : NULL, cookie, &kind, &secret) == 1 &&
        (!*secret || strlen(secret) > GATE_TEXT_MAX || strchr(secret, ';')) && kind == GATE_SESSION)
        abort();
    free(secret);
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
// Requests that core passes on, each with a grant of who asks. core has checked it; it is checked
// again here, where it counts.
#include <string.h>

#include "act.h"
#include "base/mem.h"

static const char mark[] = "request";

bool request_take(struct act *a, uint32_t id, const char *payload, size_t len)
{
    struct ipc_request request;
    struct grant grant;
    if (len < sizeof(mark) || memcmp(payload, mark, sizeof(mark)) != 0)
        return false;
    if (ipc_request_decode(payload + sizeof(mark), len - sizeof(mark), &request) < 0) {
        core_problem(a, id, 400, "the request is malformed");
        return true;
    }
    if (!a->has_key || grant_decode(request.principal, &a->key, act_now(), &grant) < 0) {
        core_problem(a, id, 401, "this needs a token");
    } else {
        if (!asks_request(a, id, &request, &grant))
            core_problem(a, id, 404, "there is nothing at this path; docs/api.md lists what is");
        grant_done(&grant);
    }
    ipc_request_done(&request);
    return true;
}

// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_API_H
#define ACT_API_H

// Requests of the API that act answers itself: one function for each verb, one file for each kind
// of object.

#include <jansson.h>

#include "act.h"
#include "base/json.h"
#include "verb/verb.h"

// A request that was checked: its grant may use the verb, its body has the verb's members only, all
// of them texts.
struct api_call {
    struct act *act;
    struct act_state *state; // open
    uint32_t id;
    const struct verb *verb;
    const char *object; // in place of the path's {…}, or NULL
    const struct ipc_request *request;
    const struct grant *grant;
    json_t *body; // NULL where the verb takes none
};

// A member of the body; NULL where it is absent.
const char *api_member(const struct api_call *c, const char *name);

// Is only asked what would be done (dry_run in the body or the address)?
bool api_is_dry(const struct api_call *c);

// Answers what would have been done; nothing was.
void api_answer_plan(const struct api_call *c, const char *object, const char *detail);

// An admin over everything: may act for others.
bool api_is_admin(const struct api_call *c);

// The asker's own account, where there is one; *ret_session: in a session, not by a token.
bool api_own_account(const struct api_call *c, char ret[ACCOUNT_NAME_MAX + 1], bool *ret_session);

void api_fail(const struct api_call *c, int error, const char *detail);

// 403, and a record of it.
void api_refuse(const struct api_call *c, const char *object, const char *detail);

// End what store_begin() began: with `r` 0 a record is added and both are committed, so that there
// is no change without a record; a dry run is rolled back. 0 or -errno, with a sentence.
int api_commit(const struct api_call *c, int r, const char *object, const char *detail,
               struct err *err);

// Starts an object as the answer, and sends it.
void api_begin_answer(struct buf *body, struct json *j);
void api_answer(const struct api_call *c, struct buf *body, struct json *j);

void api_user_list(const struct api_call *c);
void api_user_add(const struct api_call *c);
void api_user_set(const struct api_call *c);
void api_user_remove(const struct api_call *c);
void api_user_password(const struct api_call *c);
void api_token_list(const struct api_call *c);
void api_token_create(const struct api_call *c);
void api_token_revoke(const struct api_call *c);
void api_schedule_list(const struct api_call *c);
void api_schedule_add(const struct api_call *c);
void api_schedule_remove(const struct api_call *c);
void api_schedule_run(const struct api_call *c);
void api_schedule_pause(const struct api_call *c);
void api_schedule_resume(const struct api_call *c);
void api_console_read(const struct api_call *c);
void api_console_write(const struct api_call *c);
void api_console_close(const struct api_call *c);
void api_template_list(const struct api_call *c);
void api_template_show(const struct api_call *c);
void api_audit_list(const struct api_call *c);
void api_audit_verify(const struct api_call *c);
void api_auto_show(const struct api_call *c);
void api_auto_stop(const struct api_call *c);
void api_auto_start(const struct api_call *c);

#endif

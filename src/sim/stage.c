// SPDX-License-Identifier: GPL-3.0-or-later
// The world on show. One lock guards all; nothing under it waits. The world is moved on at most
// each PLAY_NS, by whoever enters then.
#include "stage.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

#define PLAY_NS (200 * NS_PER_MS)
#define SPEED_MAX 100000

static struct stage the_stage = {.lock = PTHREAD_MUTEX_INITIALIZER};

DEFINE_FREEP(struct scenario, scenario_free, scenario_freep)
DEFINE_FREEP(struct world, world_free, world_freep)

bool stage_is_uri(const char *uri)
{
    return strncmp(uri, STAGE_SCHEME, strlen(STAGE_SCHEME)) == 0;
}

static int shown_of(const struct guest *g)
{
    static const int shown[] = {
        [GUEST_FUTURE] = SHOWN_NOT,      [GUEST_WAITING] = SHOWN_SHUT_OFF,
        [GUEST_RUNNING] = SHOWN_RUNNING, [GUEST_CRASHED] = SHOWN_CRASHED,
        [GUEST_HUNG] = SHOWN_RUNNING,    [GUEST_GONE] = SHOWN_NOT,
    };
    return shown[g->state];
}

static void tell_change(struct stage *s, uint32_t guest, int before, int now)
{
    static const struct {
        int state;
        const char *event, *detail;
    } events[] = {{SHOWN_RUNNING, "started", "booted"},
                  {SHOWN_SHUT_OFF, "stopped", "failed"},
                  {SHOWN_CRASHED, "crashed", "panicked"}};
    if (before == SHOWN_NOT)
        stage_tell(s, guest, VIRT_EVENT_DEFINED, "defined", "added");
    if (now == SHOWN_NOT)
        stage_tell(s, guest, VIRT_EVENT_UNDEFINED, "undefined", "removed");
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (events[i].state == now)
            stage_tell(s, guest, VIRT_EVENT_STATE, events[i].event, events[i].detail);
}

// CPU that a VM has had since the world was moved on last, at the loads that hold until now.
static void count_cpu(const struct stage *s, uint32_t guest, double span_ns)
{
    const struct guest *g = &s->world->guest[guest];
    struct actor *a = &s->actor[guest];
    if (g->host == NOWHERE)
        return;
    const struct node *n = &s->world->node[g->host];
    double share = n->wanted > 0 ? n->given / n->wanted : 1;
    double vcpus = g->wanted / g->kind->mips;
    a->run_ns += vcpus * share * span_ns;
    a->wait_ns += vcpus * (1 - share) * span_ns;
}

static void show(struct stage *s, int64_t now_ns)
{
    for (uint32_t i = 0; i < s->world->guests; i++) {
        const struct guest *g = &s->world->guest[i];
        struct actor *a = &s->actor[i];
        int shown = shown_of(g);
        if (shown != a->shown) {
            int before = a->shown;
            a->shown = shown;
            if (shown == SHOWN_RUNNING) {
                a->started_ns = now_ns;
                a->run_ns = a->wait_ns = 0;
            }
            a->host = g->host;
            tell_change(s, i, before, shown);
        } else if (g->host != a->host) {
            a->host = g->host;
            if (shown == SHOWN_RUNNING)
                stage_tell(s, i, VIRT_EVENT_CONFIG, "migrated", NULL);
        }
    }
}

static void play(struct stage *s)
{
    int64_t now = clock_mono_ns(s->clock);
    if (now - s->played_ns < PLAY_NS)
        return;
    for (uint32_t i = 0; i < s->world->guests; i++)
        count_cpu(s, i, (double)(now - s->played_ns));
    s->played_ns = now;
    // Without memory for a plan nothing moves; the next one may succeed.
    (void)world_run(s->world, (double)(now - s->opened_ns) / (double)NS_PER_S * s->speed);
    show(s, now);
}

struct stage *stage_enter(void)
{
    pthread_mutex_lock(&the_stage.lock);
    if (the_stage.world)
        play(&the_stage);
    return &the_stage;
}

void stage_leave(struct stage *s)
{
    pthread_mutex_unlock(&s->lock);
}

static void tear_down(struct stage *s)
{
    stage_lose(s);
    world_free(s->world);
    scenario_free(s->scenario);
    free(s->actor);
    s->world = NULL;
    s->scenario = NULL;
    s->actor = NULL;
}

void stage_close(void)
{
    pthread_mutex_lock(&the_stage.lock);
    tear_down(&the_stage);
    pthread_mutex_unlock(&the_stage.lock);
}

// "PATH?speed=N"
static int split(const char *uri, char **ret_path, double *ret_speed, struct err *err)
{
    const char *path = uri + strlen(STAGE_SCHEME), *query = strrchr(path, '?');
    static const char key[] = "?speed=";
    *ret_speed = 1;
    if (query && (strncmp(query, key, sizeof(key) - 1) != 0 ||
                  number_parse_f64(query + sizeof(key) - 1, ret_speed) < 0 || *ret_speed <= 0 ||
                  *ret_speed > SPEED_MAX))
        return err_set(err, EINVAL, "%s: only ?speed=N can follow the file, N up to %d", uri,
                       SPEED_MAX);
    *ret_path = mem_strndup(path, query ? (size_t)(query - path) : strlen(path));
    return 0;
}

int stage_open(const char *uri, const struct clock *clock, struct err *err)
{
    CLEANUP(freep) char *path = NULL;
    CLEANUP(scenario_freep) struct scenario *scenario = NULL;
    CLEANUP(world_freep) struct world *world = NULL;
    double speed;
    int r = split(uri, &path, &speed, err);
    if (r == 0)
        r = scenario_load(path, &scenario, err);
    if (r == 0)
        r = world_new(scenario, NULL, &world, err);
    if (r < 0)
        return r;
    struct actor *actor = calloc(world->guests + 1, sizeof(*actor));
    if (!actor)
        return err_set(err, ENOMEM, "not enough memory for %zu VMs", world->guests);
    // Here already, so that what is asked first finds VMs and not only plans for them.
    r = world_run(world, 0);
    if (r < 0) {
        free(actor);
        return err_set(err, ENOMEM, "not enough memory to simulate %s", path);
    }
    struct stage *s = &the_stage;
    pthread_mutex_lock(&s->lock);
    tear_down(s);
    s->clock = clock;
    s->scenario = TAKE_PTR(scenario);
    s->world = TAKE_PTR(world);
    s->actor = actor;
    s->speed = speed;
    s->opened_ns = s->played_ns = clock_mono_ns(clock);
    show(s, s->opened_ns);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

struct uuid stage_uuid(uint32_t guest)
{
    struct uuid u = {{[0] = 0x73, [1] = 0x69, [2] = 0x6d, [6] = 0x40, [8] = 0x80}};
    for (int i = 0; i < 4; i++)
        u.b[15 - i] = (unsigned char)(guest >> (8 * i));
    return u;
}

bool stage_find(const struct stage *s, const struct uuid *uuid, uint32_t *ret)
{
    uint32_t n = 0;
    for (int i = 12; i < UUID_BYTES; i++)
        n = n << 8 | uuid->b[i];
    struct uuid whole = stage_uuid(n);
    if (!s->world || n >= s->world->guests || !uuid_equal(uuid, &whole) ||
        s->actor[n].shown == SHOWN_NOT)
        return false;
    *ret = n;
    return true;
}

char *stage_name(const struct stage *s, uint32_t guest)
{
    const struct guest *g = &s->world->guest[guest];
    return mem_printf("%s-%u", g->kind->name, g->number);
}

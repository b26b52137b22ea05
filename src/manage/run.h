// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_RUN_PRIVATE_H
#define MANAGE_RUN_PRIVATE_H

/*
 * What the files of handlers share. Layer: private to src/manage.
 */

#include "base/mem.h"
#include "manage/run.h"

struct handler {
    int (*check)(struct manage_run *r, struct err *err); /**< NULL: nothing beyond the VM's being */
    int (*run)(struct manage_run *r, struct err *err);
    /** See manage_mend(); NULL: `says` is what is true of a deed that broke off. */
    int (*mend)(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                struct err *err);
};

extern const struct handler power_handlers[DEED_MAX];
extern const struct handler create_handlers[DEED_MAX];
extern const struct handler clone_handlers[DEED_MAX];
extern const struct handler define_handlers[DEED_MAX];
extern const struct handler numa_handlers[DEED_MAX];
extern const struct handler dimm_handlers[DEED_MAX];
extern const struct handler delete_handlers[DEED_MAX];
extern const struct handler size_handlers[DEED_MAX];
extern const struct handler device_handlers[DEED_MAX];
extern const struct handler snapshot_handlers[DEED_MAX];

/** A sentence of what will be done. */
void run_say(struct manage_run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Write a note; takes `note` over. */
int run_note(struct manage_run *r, json_t *note, struct err *err);

/** Fields of the body. */
const char *run_text(const struct manage_run *r, const char *field);
int64_t run_number(const struct manage_run *r, const char *field, int64_t otherwise);
bool run_flag(const struct manage_run *r, const char *field);

/** A text of an object within the body; NULL where it is absent. */
static inline const char *run_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/** The format of a disk that is wanted. */
static inline const char *run_disk_format(const json_t *wanted)
{
    const char *format = run_member(wanted, "format");
    return format ? format : "qcow2";
}

/** Is a text of the body this word? An absent one is `otherwise`. */
bool run_is(const struct manage_run *r, const char *field, const char *word, const char *otherwise);

/** The field `scope` as enum virt_scope. */
unsigned run_scope(const struct manage_run *r);

/** The VM now; *ret to be freed with virt_domain_done(). */
int run_lookup(struct manage_run *r, struct virt_domain *ret, struct err *err);

/** Does it have a hypervisor process? 0, 1 or -errno. */
int run_active(struct manage_run *r, struct err *err);

/** enum virt_scope: both the VM that runs and its definition, where it has one. */
unsigned run_whole_scope(struct manage_run *r);

/** 0 where the VM is off; else -ESRCH with why that is needed ("to be renamed"). */
int run_need_off(struct manage_run *r, const char *why, struct err *err);

/** Find a VM by name: 1 (uuid in *ret), 0 or -errno. */
int run_find(struct manage_run *r, const char *name, struct uuid *ret, struct err *err);

/** Sleep `ms`; -ECANCELED where somebody wants it to end. */
int run_pause(struct manage_run *r, int ms);

/** The notes whose member `make` is `what`, from *at on; NULL at the end. */
const json_t *run_notes_next(const json_t *notes, const char *make, size_t *at);

/** Take away the volumes that notes say were being made. 0, or -errno where one stays. */
int run_unmake_volumes(struct manage_run *r, const json_t *notes, size_t *ret_n, struct err *err);

/**
 * -EINVAL, -EACCES or -ELOOP, with the reason, where an image is not to be opened or copied: it is
 * not of this format (NULL: raw or qcow2, whichever), of one that is not known, has its data in
 * another file, or stands on something that is in no storage pool. See image.c.
 */
int run_check_image(struct manage_run *r, const char *pool, const char *volume, const char *format,
                    struct err *err);

/** Have libvirt look into a pool again, with some patience while volumes are being made in it. */
void run_refresh(struct manage_run *r, const char *pool);

/** The label of a VM whose images are below linked clones. */
#define LINKED_BASE "vherd_linked_base"

/** The name of another VM that uses an image, itself or as what is below (caller frees); *ret NULL
 * where there is none. 0 or -errno. */
int run_other_user(struct manage_run *r, const struct virt_disk *image, char **ret,
                   struct err *err);

/** "VM-TARGET.FORMAT"; the caller frees it. */
char *run_volume_name(const char *vm, const char *target, const char *format);

/** 0 where the pool is there and has no such volume. */
int run_check_absent(struct manage_run *r, const char *pool, const char *volume, struct err *err);

/** Note that this volume is being made, and see to it that it is not somebody else's. */
int run_note_volume(struct manage_run *r, const char *pool, const char *volume, struct err *err);

/** What create and clone share; see fresh.c. */
int run_check_name_free(struct manage_run *r, const char *name, struct err *err);
void run_draw_uuid(struct uuid *ret);
int run_note_vm(struct manage_run *r, const char *name, const struct uuid *uuid, struct err *err);
int run_start_new(struct manage_run *r, const struct uuid *uuid, struct err *err);
int run_mend_new(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                 struct err *err);

/** The body's labels, behind those that the spec has. */
void run_take_labels(const struct manage_run *r, struct virt_spec *spec);

/** See numa.c: are the nodes there? Then how vCPUs would be pinned (`numa`: the body's fields). */
int run_check_numa(struct manage_run *r, const json_t *numa, unsigned vcpus, struct err *err);
/** Fill placement and pins of a spec. */
int run_take_numa(struct manage_run *r, const json_t *numa, struct virt_spec *spec,
                  struct err *err);

/** See seed.c: the name of a VM's seed image (caller frees), and whether a name is one. */
char *run_seed_volume(const struct uuid *uuid);
bool run_is_seed(const char *volume);
int run_check_seed(struct manage_run *r, struct err *err);
/** Make the image in its pool and add it to the spec's disks; nothing where none is asked for. */
int run_make_seed(struct manage_run *r, struct virt_spec *spec, struct err *err);

/** Make the volume for one disk of a body; the names go to *disk. See disk.c. */
int run_make_disk(struct manage_run *r, const json_t *wanted, const char *volume,
                  struct virt_disk *disk, struct err *err);

/** Can run_make_disk() succeed? Adds the sentence. */
int run_check_disk(struct manage_run *r, const json_t *wanted, const char *volume, struct err *err);

/**
 * Before a call during which libvirt holds the VM up: note that it runs, if it does. After it broke
 * off run_go_on() lets a VM go on that libvirt left paused, and says whether libvirt has ended it;
 * run_start_again() starts that one, when its images are in order. One that somebody else, or an
 * I/O error, has paused or ended stays as it is. 0 or -errno.
 */
int run_note_running(struct manage_run *r, struct err *err);
int run_go_on(struct manage_run *r, const json_t *notes, bool *ret_ended, struct err *err);
int run_start_again(struct manage_run *r, bool ended, struct err *err);

/** See stray.c: what to do about a VM that libvirt calls off. */
enum stray_next {
    STRAY_NONE,   /**< it has no process, or libvirt knows of it again */
    STRAY_WAIT,   /**< it may be ending, or libvirt be about to find it */
    STRAY_END,    /**< this deed may end it */
    STRAY_REFUSE, /**< it is somebody else's to say */
};

/** `process`: as of manage_run; `active`: by libvirt; `owned`: the VM ran, or was started, for the
 * deed that is being mended. */
enum stray_next stray_next(int process, bool active, bool owned, int waited_ms);

/**
 * See to it that a VM that libvirt calls off has no process. One is waited for and, where a deed
 * is being mended, ended; -EBUSY with what to do about it otherwise. 0 also for a VM that runs, or
 * that is not there.
 */
int run_clear_stray(struct manage_run *r, const struct uuid *uuid, struct err *err);

/** Switch on (VIRT_POWER_START, _START_PAUSED), without a stray process. */
int run_power_on(struct manage_run *r, const struct uuid *uuid, enum virt_power power,
                 struct err *err);

#endif

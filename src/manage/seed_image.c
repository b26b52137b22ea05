// SPDX-License-Identifier: GPL-3.0-or-later
// A seed as an image, by libisofs.
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libburn/libburn.h>
#include <libisofs/libisofs.h>

#include "base/mem.h"
#include "manage/seed.h"

#define SECTOR 2048
#define VOLUME_LABEL "cidata"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
    if (iso_init() < 0)
        abort(); // out of memory
    char never[] = "NEVER", prefix[] = "";
    (void)iso_set_msgs_severities(never, never, prefix);
}

static inline void image_unrefp(IsoImage **image)
{
    if (*image)
        iso_image_unref(*image);
}

static inline void opts_freep(IsoWriteOpts **opts)
{
    if (*opts)
        iso_write_opts_free(*opts);
}

static int complain(int code, struct err *err)
{
    return err_set(err, EIO, "making the seed image: %s", iso_error_to_msg(code));
}

// libisofs owns the copy once the stream is there, the tree owns the stream.
static int add_file(IsoImage *image, const char *name, const char *text)
{
    IsoStream *stream = NULL;
    size_t len = strlen(text);
    unsigned char *copy = malloc(len ? len : 1);
    if (!copy)
        return ISO_OUT_OF_MEM;
    memcpy(copy, text, len);
    int r = iso_memory_stream_new(copy, len, &stream);
    if (r < 0) {
        free(copy);
        return r;
    }
    r = iso_tree_add_new_file(iso_image_get_root(image), name, stream, NULL);
    if (r < 0)
        iso_stream_unref(stream);
    return r;
}

static int fill(const struct seed *s, IsoImage **ret)
{
    const struct {
        const char *name, *text;
    } files[] = {{"user-data", s->user_data},
                 {"meta-data", s->meta_data},
                 {"network-config", s->network_config}};
    int r = iso_image_new(VOLUME_LABEL, ret);
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(files); i++)
        if (files[i].text)
            r = add_file(*ret, files[i].name, files[i].text);
    return r;
}

static int choose_options(IsoWriteOpts **ret)
{
    int r = iso_write_opts_new(ret, 0);
    if (r >= 0)
        r = iso_write_opts_set_rockridge(*ret, 1);
    if (r >= 0)
        r = iso_write_opts_set_joliet(*ret, 1);
    if (r >= 0) // "cidata", as others make it, not "CIDATA"
        r = iso_write_opts_set_relaxed_vol_atts(*ret, 1);
    return r;
}

static int drain(struct burn_source *source, struct buf *out, struct err *err)
{
    unsigned char sector[SECTOR];
    int n;
    do {
        n = source->read_xt ? source->read_xt(source, sector, SECTOR)
                            : source->read(source, sector, SECTOR);
        if (n > 0)
            buf_put(out, (const char *)sector, (size_t)n);
    } while (n > 0 && !out->error);
    source->free_data(source);
    free(source);
    if (n < 0)
        return err_set(err, EIO, "making the seed image broke off");
    return out->error ? err_set(err, E2BIG, "the seed image is too large") : 0;
}

int seed_image(const struct seed *s, struct buf *out, struct err *err)
{
    IsoImage *image CLEANUP(image_unrefp) = NULL;
    IsoWriteOpts *opts CLEANUP(opts_freep) = NULL;
    struct burn_source *source = NULL;
    pthread_once(&once, start_library);
    int r = fill(s, &image);
    if (r >= 0)
        r = choose_options(&opts);
    if (r >= 0)
        r = iso_image_create_burn_source(image, opts, &source);
    return r < 0 ? complain(r, err) : drain(source, out, err);
}

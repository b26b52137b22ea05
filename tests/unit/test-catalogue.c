// SPDX-License-Identifier: GPL-3.0-or-later
// Walks every table of the catalogue.
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "model/catalogue.h"

static void test_kinds_cover_their_rows(void **state)
{
    int facts = 0, attrs = 0;
    for (enum kind k = 0; k < KIND_MAX; k++) {
        const struct kind_desc *kind = &model_kinds[k];
        assert_non_null(kind->name);
        assert_true(kind->n_attrs > 0);
        for (int i = 0; i < kind->n_facts; i++)
            assert_int_equal(model_facts[kind->first_fact + (enum fact)i].kind, k);
        for (int i = 0; i < kind->n_attrs; i++)
            assert_int_equal(model_attrs[kind->first_attr + (enum attr)i].kind, k);
        facts += kind->n_facts;
        attrs += kind->n_attrs;
        // Two levels, no more: render_members() relies on it.
        if (kind->parent != KIND_INVALID)
            assert_int_equal(model_kinds[kind->parent].parent, KIND_INVALID);
    }
    assert_int_equal(facts, FACT_MAX);
    assert_int_equal(attrs, ATTR_MAX);
}

static void test_json_fields_are_unique_within_a_kind(void **state)
{
    for (enum kind k = 0; k < KIND_MAX; k++) {
        struct map *seen = map_new();
        const struct kind_desc *kind = &model_kinds[k];
        for (int i = 0; i < kind->n_facts; i++) {
            const struct fact_desc *f = &model_facts[kind->first_fact + (enum fact)i];
            assert_null(map_put(seen, f->json, strlen(f->json), seen));
            assert_true(strlen(f->help) > 3);
        }
        for (int i = 0; i < kind->n_attrs; i++) {
            const struct attr_desc *a = &model_attrs[kind->first_attr + (enum attr)i];
            assert_null(map_put(seen, a->json, strlen(a->json), seen));
        }
        for (enum kind child = 0; child < KIND_MAX; child++)
            if (model_kinds[child].parent == k)
                assert_null(
                    map_put(seen, model_kinds[child].json, strlen(model_kinds[child].json), seen));
        map_free(seen);
    }
}

static bool is_name(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return true;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool is_ancestor(enum kind kind, enum kind of)
{
    return kind == of || model_kinds[of].parent == kind;
}

static void test_metrics_are_well_formed(void **state)
{
    for (size_t i = 0; i < model_metrics_count; i++) {
        const struct metric_desc *m = &model_metrics[i];
        assert_true(is_name(m->name));
        assert_true(m->sets != 0 && (m->sets & ~(unsigned)SET_ALL) == 0);
        if (m->fact == FACT_INVALID) {
            assert_non_null(m->help);
            assert_int_equal(model_attrs[m->needs].kind, m->kind);
        } else {
            assert_int_equal(model_facts[m->fact].kind, m->kind);
            if (model_facts[m->fact].store == STORE_NS)
                assert_non_null(strstr(m->name, "seconds"));
        }
        // Prometheus' rules for names, which promtool checks too.
        if (!m->misnamed)
            assert_int_equal(ends_with(m->name, "_total"), m->type == METRIC_COUNTER);
        for (int l = 0; l < METRIC_LABELS_MAX && m->labels[l].name; l++) {
            assert_true(is_name(m->labels[l].name));
            if (!m->labels[l].constant)
                assert_true(is_ancestor(model_attrs[m->labels[l].attr].kind, m->kind));
        }
    }
}

static void test_families_stand_together(void **state)
{
    struct map *ended = map_new();
    for (size_t i = 0; i < model_metrics_count; i++) {
        const struct metric_desc *m = &model_metrics[i];
        assert_null(map_get(ended, m->name, strlen(m->name)));
        bool is_last = i + 1 == model_metrics_count || strcmp(m[1].name, m->name) != 0;
        if (is_last) {
            map_put(ended, m->name, strlen(m->name), ended);
            continue;
        }
        assert_int_equal(m[1].type, m->type);
        assert_int_equal(m[1].sets, m->sets);
        for (int l = 0; l < METRIC_LABELS_MAX && m->labels[l].name; l++)
            assert_string_equal(m[1].labels[l].name, m->labels[l].name);
    }
    map_free(ended);
}

static void test_names(void **state)
{
    for (enum lane lane = 0; lane < LANE_MAX; lane++)
        assert_non_null(lane_name(lane));
    assert_null(lane_name(LANE_MAX));
    assert_null(lane_name(LANE_INVALID));
    assert_int_equal(metric_set_from_name("vherd"), SET_VHERD);
    assert_int_equal(metric_set_from_name("tinkoff"), SET_TINKOFF);
    assert_int_equal(metric_set_from_name("inovex"), SET_INOVEX);
    assert_int_equal(metric_set_from_name("kumina"), 0);
    assert_string_equal(metric_type_name(METRIC_COUNTER), "counter");
    assert_string_equal(metric_type_name(METRIC_GAUGE), "gauge");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_cover_their_rows),
        cmocka_unit_test(test_json_fields_are_unique_within_a_kind),
        cmocka_unit_test(test_metrics_are_well_formed),
        cmocka_unit_test(test_families_stand_together),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
// The linear programmes, solved by GLPK's simplex method. Columns: an amount for each VM; then the
// level (max-min) or ALLOCATE_PIECES pieces for each VM (proportional). Rows: the caps; then one
// for each VM that ties its amount to the level or to its pieces.
#include <errno.h>
#include <glpk.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "allocate.h"
#include "base/mem.h"

struct lp {
    const struct allocate_problem *p;
    glp_prob *prob;
    int *index;
    double *value;
};

static int column_of_vm(size_t vm)
{
    return (int)vm + 1;
}

// Columns behind the amounts: the level, or piece k (from 1) of a VM.
static int column_of_level(const struct lp *lp)
{
    return (int)lp->p->n_vms + 1;
}

static int column_of_piece(const struct lp *lp, size_t vm, int k)
{
    return (int)(lp->p->n_vms + vm * ALLOCATE_PIECES) + k;
}

static int row_of_cap(size_t c)
{
    return (int)c + 1;
}

static int row_of_vm(const struct lp *lp, size_t vm)
{
    return (int)(lp->p->n_caps + vm) + 1;
}

static void bound_column(glp_prob *prob, int column, double least, double most)
{
    glp_set_col_bnds(prob, column, most > least ? GLP_DB : GLP_FX, least, most);
}

static void add_amounts(struct lp *lp)
{
    const struct allocate_problem *p = lp->p;
    glp_set_obj_dir(lp->prob, GLP_MAX);
    glp_add_rows(lp->prob, (int)(p->n_caps + p->n_vms));
    for (size_t i = 0; i < p->n_vms; i++)
        bound_column(lp->prob, column_of_vm(i), p->vms[i].least, p->vms[i].most);
    for (size_t c = 0; c < p->n_caps; c++) {
        int n = (int)allocate_members(p, &p->caps[c]);
        for (int i = 0; i < n; i++) {
            lp->index[i + 1] = column_of_vm(allocate_member(&p->caps[c], (size_t)i));
            lp->value[i + 1] = 1;
        }
        glp_set_row_bnds(lp->prob, row_of_cap(c), GLP_UP, 0, p->caps[c].limit);
        glp_set_mat_row(lp->prob, row_of_cap(c), n, lp->index, lp->value);
    }
}

static int lp_init(struct lp *lp, const struct allocate_problem *p, size_t more_columns)
{
    *lp = (struct lp){.p = p};
    size_t n = p->n_vms + more_columns + 2;
    lp->index = calloc(n, sizeof(*lp->index));
    lp->value = calloc(n, sizeof(*lp->value));
    if (!lp->index || !lp->value)
        return -ENOMEM;
    glp_term_out(GLP_OFF);
    lp->prob = glp_create_prob();
    glp_add_cols(lp->prob, (int)(p->n_vms + more_columns));
    add_amounts(lp);
    return 0;
}

static void lp_done(struct lp *lp)
{
    if (lp->prob)
        glp_delete_prob(lp->prob);
    free(lp->index);
    free(lp->value);
}

// 0: best; -ETIME: a limit, the amounts may be feasible; -EIO.
static int simplex(const struct lp *lp, const struct allocate_limits *limits)
{
    glp_smcp parameters;
    glp_init_smcp(&parameters);
    parameters.msg_lev = GLP_MSG_OFF;
    parameters.tm_lim = limits->milliseconds > 0 ? limits->milliseconds : INT_MAX;
    parameters.it_lim = limits->iterations > 0 ? limits->iterations : INT_MAX;
    int r = glp_simplex(lp->prob, &parameters);
    if (r == GLP_ETMLIM || r == GLP_EITLIM)
        return -ETIME;
    return r == 0 && glp_get_status(lp->prob) == GLP_OPT ? 0 : -EIO;
}

static void read_amounts(const struct lp *lp, double *amount)
{
    for (size_t i = 0; i < lp->p->n_vms; i++) {
        double x = glp_get_col_prim(lp->prob, column_of_vm(i));
        // The solver's tolerance is not a reason to break a bound.
        amount[i] = fmin(lp->p->vms[i].most, fmax(lp->p->vms[i].least, x));
    }
}

// amount = least + sum of pieces; concave, so that pieces fill in order by themselves.
static void add_pieces(struct lp *lp)
{
    const struct allocate_problem *p = lp->p;
    for (size_t i = 0; i < p->n_vms; i++) {
        lp->index[1] = column_of_vm(i);
        lp->value[1] = 1;
        for (int k = 1; k <= ALLOCATE_PIECES; k++) {
            double from = allocate_piece_end(p, i, k - 1), to = allocate_piece_end(p, i, k);
            int column = column_of_piece(lp, i, k);
            double rise = allocate_value(p, i, to) - allocate_value(p, i, from);
            bound_column(lp->prob, column, 0, to - from);
            glp_set_obj_coef(lp->prob, column, to > from ? rise / (to - from) : 0);
            lp->index[k + 1] = column;
            lp->value[k + 1] = -1;
        }
        glp_set_row_bnds(lp->prob, row_of_vm(lp, i), GLP_FX, p->vms[i].least, p->vms[i].least);
        glp_set_mat_row(lp->prob, row_of_vm(lp, i), ALLOCATE_PIECES + 1, lp->index, lp->value);
    }
}

// Take the solver's amounts where they are feasible and better than what is there.
static void take_if_better(const struct lp *lp, enum allocate_fairness fairness,
                           struct allocate_result *ret)
{
    CLEANUP(freep) double *amount = calloc(lp->p->n_vms + 1, sizeof(*amount));
    if (!amount)
        return;
    read_amounts(lp, amount);
    double objective = allocate_objective(lp->p, fairness, amount);
    if (allocate_worst_breach(lp->p, amount) > 1e-9 || objective < ret->objective)
        return;
    memcpy(ret->amount, amount, lp->p->n_vms * sizeof(*amount));
    ret->objective = objective;
}

static int solve_proportional(const struct allocate_problem *p,
                              const struct allocate_limits *limits, struct allocate_result *ret)
{
    struct lp lp;
    int r = lp_init(&lp, p, p->n_vms * ALLOCATE_PIECES);
    if (r == 0) {
        add_pieces(&lp);
        r = simplex(&lp, limits);
    }
    if (r == 0 || r == -ETIME)
        take_if_better(&lp, ALLOCATE_PROPORTIONAL, ret);
    if (r == 0)
        ret->bound = ret->objective;
    ret->optimal = r == 0;
    lp_done(&lp);
    return r == -ETIME ? 0 : r;
}

// amount - weight × level >= 0 for who is not yet fixed.
static void add_levels(struct lp *lp)
{
    glp_set_col_bnds(lp->prob, column_of_level(lp), GLP_LO, 0, 0);
    glp_set_obj_coef(lp->prob, column_of_level(lp), 1);
    for (size_t i = 0; i < lp->p->n_vms; i++) {
        int index[] = {0, column_of_vm(i), column_of_level(lp)};
        double value[] = {0, 1, -lp->p->vms[i].weight};
        glp_set_row_bnds(lp->prob, row_of_vm(lp, i), GLP_LO, 0, 0);
        glp_set_mat_row(lp->prob, row_of_vm(lp, i), 2, index, value);
    }
}

static void fix(struct lp *lp, size_t vm, double at, bool *fixed, double *amount)
{
    fixed[vm] = true;
    amount[vm] = at;
    glp_set_col_bnds(lp->prob, column_of_vm(vm), GLP_FX, at, at);
    glp_set_row_bnds(lp->prob, row_of_vm(lp, vm), GLP_FR, 0, 0);
}

static double of_vm(const struct lp *lp, size_t vm, const bool *fixed, const double *amount,
                    double level)
{
    return fixed[vm] ? amount[vm] : allocate_at_level(&lp->p->vms[vm], level);
}

// Fix who cannot rise above the level: at its most, or in a cap that is full at this level.
static size_t fix_at_level(struct lp *lp, double level, bool *fixed, double *amount)
{
    const struct allocate_problem *p = lp->p;
    size_t n = 0;
    CLEANUP(freep) bool *stuck = calloc(p->n_vms + 1, sizeof(*stuck));
    if (!stuck)
        return 0;
    for (size_t i = 0; i < p->n_vms; i++)
        stuck[i] = !fixed[i] && p->vms[i].most <= level * p->vms[i].weight * (1 + 1e-9);
    for (size_t c = 0; c < p->n_caps; c++) {
        double sum = 0;
        for (size_t i = 0; i < allocate_members(p, &p->caps[c]); i++)
            sum += of_vm(lp, allocate_member(&p->caps[c], i), fixed, amount, level);
        for (size_t i = 0;
             sum >= p->caps[c].limit * (1 - 1e-9) - 1e-12 && i < allocate_members(p, &p->caps[c]);
             i++)
            stuck[allocate_member(&p->caps[c], i)] = true;
    }
    for (size_t i = 0; i < p->n_vms; i++) {
        if (!stuck[i] || fixed[i])
            continue;
        fix(lp, i, allocate_at_level(&p->vms[i], level), fixed, amount);
        n++;
    }
    return n;
}

static int solve_max_min(const struct allocate_problem *p, const struct allocate_limits *limits,
                         struct allocate_result *ret)
{
    struct lp lp;
    CLEANUP(freep) bool *fixed = calloc(p->n_vms + 1, sizeof(*fixed));
    CLEANUP(freep) double *amount = calloc(p->n_vms + 1, sizeof(*amount));
    int r = fixed && amount ? lp_init(&lp, p, 1) : -ENOMEM;
    if (r < 0)
        return r;
    add_levels(&lp);
    size_t n = 0;
    while (n < p->n_vms) {
        r = simplex(&lp, limits);
        if (r < 0)
            break;
        double level = glp_get_obj_val(lp.prob);
        if (n == 0) // the first level is the least part per weight that all can have
            ret->bound = level;
        size_t more = fix_at_level(&lp, level, fixed, amount);
        if (more == 0) {
            r = -EIO;
            break;
        }
        n += more;
    }
    lp_done(&lp);
    if (r == 0) {
        memcpy(ret->amount, amount, p->n_vms * sizeof(*amount));
        ret->objective = allocate_objective(p, ALLOCATE_MAX_MIN, amount);
    }
    ret->optimal = r == 0;
    return r == -ETIME ? 0 : r;
}

int allocate_solve(const struct allocate_problem *p, enum allocate_fairness fairness,
                   const struct allocate_limits *limits, struct allocate_result *ret,
                   struct err *err)
{
    static const struct allocate_limits none = {0};
    static int (*const solve[ALLOCATE_FAIRNESSES])(const struct allocate_problem *,
                                                   const struct allocate_limits *,
                                                   struct allocate_result *) = {
        [ALLOCATE_MAX_MIN] = solve_max_min, [ALLOCATE_PROPORTIONAL] = solve_proportional};
    // The greedy answer is feasible, and is what stands if the solver runs out of time.
    int r = allocate_greedy(p, fairness, ret, err);
    if (r < 0 || p->n_vms == 0)
        return r;
    ret->bound = allocate_bound(p, fairness);
    r = solve[fairness](p, limits ? limits : &none, ret);
    if (r < 0)
        return err_set(err, -r, "the solver failed");
    ret->gap = ret->optimal ? 0 : fmax(0, ret->bound - ret->objective) / fmax(1, fabs(ret->bound));
    return 0;
}

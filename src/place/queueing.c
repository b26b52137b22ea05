// SPDX-License-Identifier: GPL-3.0-or-later
#include "place/queueing.h"

#include <math.h>

#include "base/draw.h"

// Little's law from the wait.
static struct queue_forecast forecast(double arrivals_per_s, double service_mean_s, double rho,
                                      double wait_probability, double wait_s)
{
    if (rho >= 1)
        return (struct queue_forecast){rho, 1, INFINITY, INFINITY, INFINITY, INFINITY};
    double response_s = wait_s + service_mean_s;
    return (struct queue_forecast){
        rho,        wait_probability,        wait_s,
        response_s, arrivals_per_s * wait_s, arrivals_per_s * response_s};
}

// Erlang C through Erlang B's recursion, which does not overflow.
static double erlang_c(double offered, int servers)
{
    double b = 1;
    for (int k = 1; k <= servers; k++)
        b = offered * b / (k + offered * b);
    double rho = offered / servers;
    return b / (1 - rho * (1 - b));
}

struct queue_forecast queue_mmc(double arrivals_per_s, double service_mean_s, int servers)
{
    double offered = arrivals_per_s * service_mean_s, rho = offered / servers;
    double c = rho < 1 ? erlang_c(offered, servers) : 1;
    return forecast(arrivals_per_s, service_mean_s, rho, c,
                    c * service_mean_s / (servers - offered));
}

struct queue_forecast queue_mg1(double arrivals_per_s, double service_mean_s,
                                double service_deviation_s)
{
    double rho = arrivals_per_s * service_mean_s;
    double second = service_mean_s * service_mean_s + service_deviation_s * service_deviation_s;
    return forecast(arrivals_per_s, service_mean_s, rho, rho,
                    arrivals_per_s * second / (2 * (1 - rho)));
}

struct queue_forecast queue_mgc(double arrivals_per_s, double service_mean_s,
                                double service_deviation_s, int servers)
{
    struct queue_forecast m = queue_mmc(arrivals_per_s, service_mean_s, servers);
    double variation = service_deviation_s / service_mean_s;
    return forecast(arrivals_per_s, service_mean_s, m.utilisation_ratio, m.wait_probability,
                    m.wait_mean_s * (1 + variation * variation) / 2);
}

double queue_mmc_wait_quantile_s(double arrivals_per_s, double service_mean_s, int servers,
                                 double probability)
{
    double offered = arrivals_per_s * service_mean_s;
    if (offered >= servers)
        return INFINITY;
    // P(W > t) = C e^(-(c - a) t / s)
    double c = erlang_c(offered, servers);
    return probability <= 1 - c ? 0
                                : log(c / (1 - probability)) * service_mean_s / (servers - offered);
}

void queue_priority_waits(const struct queue_class *classes, int n, double *ret_wait_mean_s)
{
    double residual = 0, above = 0;
    for (int k = 0; k < n; k++)
        residual += classes[k].arrivals_per_s / 2 *
                    (classes[k].service_mean_s * classes[k].service_mean_s +
                     classes[k].service_deviation_s * classes[k].service_deviation_s);
    for (int k = 0; k < n; k++) {
        double with = above + classes[k].arrivals_per_s * classes[k].service_mean_s;
        ret_wait_mean_s[k] = with < 1 ? residual / ((1 - above) * (1 - with)) : INFINITY;
        above = with;
    }
}

// Two branches of balanced means: with probability p the mean is m / 2p, else m / 2(1-p).
#define HYPER_P 0.887298334620742 // (1 + sqrt(0.6)) / 2: C² = 4

static double draw_service_exponential(struct prng *p, double mean_s)
{
    return draw_exponential(p, mean_s);
}

static double draw_service_deterministic(struct prng *p, double mean_s)
{
    return mean_s;
}

static double draw_service_hyper(struct prng *p, double mean_s)
{
    double part = prng_double(p) < HYPER_P ? HYPER_P : 1 - HYPER_P;
    return draw_exponential(p, mean_s / (2 * part));
}

static double draw_service_erlang(struct prng *p, double mean_s)
{
    return draw_exponential(p, mean_s / 2) + draw_exponential(p, mean_s / 2);
}

static const struct {
    const char *name;
    double variation;
    double (*draw)(struct prng *p, double mean_s);
} services[QUEUE_SERVICES] = {
    [QUEUE_EXPONENTIAL] = {"exponential", 1, draw_service_exponential},
    [QUEUE_DETERMINISTIC] = {"deterministic", 0, draw_service_deterministic},
    [QUEUE_HYPEREXPONENTIAL] = {"hyperexponential", 2, draw_service_hyper},
    [QUEUE_ERLANG] = {"erlang", 0.707106781186548, draw_service_erlang},
};

const char *queue_service_name(enum queue_service s)
{
    return services[s].name;
}

double queue_service_variation(enum queue_service s)
{
    return services[s].variation;
}

void queue_generate(struct prng *p, double arrivals_per_s, double service_mean_s,
                    enum queue_service service, struct queue_request *ret, size_t n)
{
    double t = 0;
    for (size_t i = 0; i < n; i++) {
        t += draw_exponential(p, 1 / arrivals_per_s);
        double service_s = services[service].draw(p, service_mean_s);
        // A run of no length at all would not be one.
        service_s = fmax(service_s, 1e-9 * service_mean_s);
        ret[i] = (struct queue_request){.arrival_s = t,
                                        .service_s = service_s,
                                        .estimate_s = service_s,
                                        .need = {.of = {[PLACE_CPU] = PLACE_CPU_UNIT}}};
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_LIFETIME_H
#define PLACE_LIFETIME_H

/*
 * How long VMs will still run, learned from those seen so far: a piecewise constant hazard of
 * ending over age, per class of VMs. A class is a flavour and an origin (tenant, or size of the
 * batch that it came in); its hazard is drawn towards that of the flavour, the flavour's towards
 * that of all, and that of all towards 1 / (age + 300 s): the longer it has lived, the longer it
 * will. VMs that still run count with the time they have run, so that young knowledge is not drawn
 * towards short lives (occurrence and exposure rates; Gamma prior).
 */

#include <stddef.h>
#include <stdint.h>

/** Points of the outlook: place_outlook_s[g] seconds from now, growing by a fifth each. */
#define PLACE_OUTLOOK 48

extern const double place_outlook_s[PLACE_OUTLOOK];

struct place_lifetimes;

struct place_lifetimes *place_lifetimes_new(void);
void place_lifetimes_free(struct place_lifetimes *l);

/** The class of a flavour and an origin, made where it is new; any two numbers that tell them. */
uint32_t place_lifetimes_class(struct place_lifetimes *l, uint64_t flavour, uint64_t origin);

/** A VM of that class has ended at that age in seconds. */
void place_lifetimes_ended(struct place_lifetimes *l, uint32_t class_id, double age_s);

/**
 * Renew what is believed: begin, one call for each VM that runs, end. Costs as many steps as there
 * are VMs; once per few minutes is enough.
 */
void place_lifetimes_renew_begin(struct place_lifetimes *l);
void place_lifetimes_running(struct place_lifetimes *l, uint32_t class_id, double age_s);
void place_lifetimes_renew_end(struct place_lifetimes *l);

/** P(still runs at now + place_outlook_s[g]) for a VM of that class and age. */
void place_lifetimes_survival(const struct place_lifetimes *l, uint32_t class_id, double age_s,
                              float ret[PLACE_OUTLOOK]);

/** The same for a VM that will end in `left_s` seconds: 1 before, 0 after. */
void place_outlook_known(double left_s, float ret[PLACE_OUTLOOK]);

/** Median of the remaining life that an outlook tells, in seconds; INFINITY beyond its end. */
double place_outlook_median_s(const float survival[PLACE_OUTLOOK]);

#endif

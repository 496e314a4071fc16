/* Gates: what each sign means at and around its limit, and which reports may be
 * compared at all. */
#include "dscq/flow/gate.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

/* Every test needs it: without JSON a report cannot be read. */
static dscq_json *parse(const char *text)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = NULL;

    test_ok(dscq_json_parse(&j, text, strlen(text), "report", &err));
    return j;
}

static dscq_json *report(double cycles, double accuracy)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"schema\": \"dscq.report/1\", \"total\": {\"cycles\": %.17g}, "
                   "\"accuracy\": {\"packed_top1_frac\": %.17g}}",
                   cycles, accuracy);
    return parse(text);
}

static int breaks(const char *rule, const dscq_json *now, const dscq_json *old)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_table *t = NULL;
    size_t broken = 0;

    test_ok(dscq_gate_check(&t, &broken, now, old, &rule, 1, &err));
    dscq_table_destroy(t);
    return (int)broken;
}

/* 1000 cycles now and before; accuracy 0.7 now, 0.8 before. */
START_TEST(the_limit_itself_breaks_only_what_says_so)
{
    static const struct {
        const char *rule;
        int broken;
    } k_rules[] = {
        {"cycles>1000", 0},
        {"cycles>=1000", 1},
        {"cycles<1000", 0},
        {"cycles<=1000", 1},
        {"cycles>999", 1},
        {"cycles>=1001", 0},
        {"cycles < 1001", 1},
        {"cycles <= 999", 0},
        {"cycles>+0%", 0},
        {"cycles>=+0%", 1},
        {"cycles>+0", 0},
        {"cycles<-0", 0},
        {"cycles<=-0%", 1},
        {"packed_top1_frac<-0.1", 0},
        {"packed_top1_frac<=-0.1", 1},
        {"packed_top1_frac<-0.0999999", 1},
        {"packed_top1_frac<=-0.1000001", 0},
        {"packed_top1_frac<-12.5%", 0},
        {"packed_top1_frac<=-12.5%", 1},
        {"packed_top1_frac<0.7", 0},
        {"packed_top1_frac>0.7", 0},
    };
    dscq_json *now = report(1000, 0.7), *old = report(1000, 0.8);

    for (size_t i = 0; i < sizeof k_rules / sizeof *k_rules; i++)
        ck_assert_msg(breaks(k_rules[i].rule, now, old) == k_rules[i].broken, "%s",
                      k_rules[i].rule);
    dscq_json_free(now);
    dscq_json_free(old);
}
END_TEST

/* Every decimal step of a tenth and of a hundredth, both ways: none is broken by what
 * its numbers are in binary, all are by one step more. */
START_TEST(decimal_steps_are_exact)
{
    for (int from = 0; from <= 100; from++)
        for (int step = 1; step <= 100; step += 3) {
            const double was = from / 100.0;
            dscq_json *old = report(1000, was);
            dscq_json *up = report(1000, (from + step) / 100.0);
            dscq_json *down = report(1000, (from - step) / 100.0);
            char rise[64], fall[64];

            (void)snprintf(rise, sizeof rise, "packed_top1_frac>+%.2f", step / 100.0);
            (void)snprintf(fall, sizeof fall, "packed_top1_frac<-%.2f", step / 100.0);
            ck_assert_msg(!breaks(rise, up, old), "%s from %g", rise, was);
            ck_assert_msg(!breaks(fall, down, old), "%s from %g", fall, was);
            (void)snprintf(rise, sizeof rise, "packed_top1_frac>+%.4f",
                           step / 100.0 - 1e-4);
            (void)snprintf(fall, sizeof fall, "packed_top1_frac<-%.4f",
                           step / 100.0 - 1e-4);
            ck_assert_msg(breaks(rise, up, old), "%s from %g", rise, was);
            ck_assert_msg(breaks(fall, down, old), "%s from %g", fall, was);
            dscq_json_free(old);
            dscq_json_free(up);
            dscq_json_free(down);
        }
}
END_TEST

START_TEST(a_rule_that_cannot_be_read_is_refused)
{
    static const char *const k_bad[] = {
        "cycles",      "cycles=1000",  "cycles==1000", "cycles!=3", "cycles=>1000",
        "cycles=<3",   ">1000",        "cycles>",      "cycles>x",  "cycles>5x",
        "cycles>-5%",  "cycles<+5",    "cycles>>5",    "cycles<>5", "cycles>=",
        "cycles>=-1%", "cycles>1e999", "cycles>nan",
    };
    dscq_error err = {DSCQ_OK, ""};

    for (size_t i = 0; i < sizeof k_bad / sizeof *k_bad; i++)
        ck_assert_msg(dscq_gate_read_rules(&k_bad[i], 1, 1, &err) == DSCQ_ARG,
                      "'%s' was taken", k_bad[i]);
    const char *relative = "cycles>+2%";
    test_ok(dscq_gate_read_rules(&relative, 1, 1, &err));
    test_fails(dscq_gate_read_rules(&relative, 1, 0, &err), DSCQ_ARG,
               "gate 'cycles>+2%' compares: give --baseline FILE");
}
END_TEST

#define REPORT(schema, network, macs, machine, clock, frames, images)                  \
    "{\"schema\": \"dscq." schema "\", \"network\": {\"name\": \"" network             \
    "\", \"macs\": " macs "}, \"machine\": {\"name\": \"" machine                      \
    "\"}, \"settings\": {\"name\": \"" machine "\", \"clock_mhz\": " clock             \
    ", \"schedule\": {\"fuse\": \"auto\"}}, \"total\": {\"frames\": " frames           \
    ", \"cycles\": 7}, \"accuracy\": {\"images\": " images "}}"

START_TEST(reports_of_other_things_are_not_compared)
{
    static const struct {
        const char *text, *differs; /* NULL: they may be compared */
    } k_old[] = {
        {REPORT("report/1", "edge", "10", "zcu104", "200", "1", "40"), NULL},
        {REPORT("report/1", "edge", "10", "zcu104", "200.0", "1", "40"), NULL},
        {REPORT("report/1", "edge", "10", "zynq7020", "200", "1", "40"),
         "machine is zcu104, was zynq7020"},
        {REPORT("report/1", "edge", "10", "zcu104", "150", "1", "40"),
         "machine clock_mhz is 200, was 150"},
        {REPORT("report/1", "other", "10", "zcu104", "200", "1", "40"),
         "network is edge, was other"},
        {REPORT("report/1", "edge", "11", "zcu104", "200", "1", "40"),
         "multiply-accumulates is 10, was 11"},
        {REPORT("report/1", "edge", "10", "zcu104", "200", "3", "40"),
         "number of frames is 1, was 3"},
        {REPORT("report/1", "edge", "10", "zcu104", "200", "1", "100"),
         "number of images is 40, was 100"},
        {REPORT("report/2", "edge", "10", "zcu104", "200", "1", "40"),
         "schema 'dscq.report/2'"},
        {REPORT("run/1", "edge", "10", "zcu104", "200", "1", "40"),
         "schema 'dscq.run/1'"},
        {"{\"schema\": \"dscq.report/1\"}", "machine is zcu104, was not said"},
        {REPORT("report/1", "other", "10", "zcu104", "200", "2", "40"),
         "network is edge, was other; number of frames is 1, was 2"},
    };
    dscq_json *now = parse(k_old[0].text);

    for (size_t i = 0; i < sizeof k_old / sizeof *k_old; i++) {
        dscq_error err = {DSCQ_OK, ""};
        dscq_json *old = parse(k_old[i].text);
        const dscq_status status = dscq_gate_comparable(now, old, &err);

        ck_assert_msg((status == DSCQ_OK) == (k_old[i].differs == NULL), "%zu: %s", i,
                      err.msg);
        if (k_old[i].differs != NULL) {
            ck_assert_int_eq(status, DSCQ_ARG);
            ck_assert_msg(strstr(err.msg, k_old[i].differs) != NULL, "%zu: %s", i,
                          err.msg);
        }
        dscq_json_free(old);
    }
    dscq_json_free(now);
}
END_TEST

/* Later versions may add settings; those that both have must agree, deep down too. */
START_TEST(settings_that_one_lacks_do_not_count)
{
    static const char k_now[] =
        "{\"schema\": \"dscq.report/1\", \"settings\": {\"new\": 1, \"clock_mhz\": 2, "
        "\"schedule\": {\"fuse\": \"auto\", \"newer\": 3}}}";
    static const char k_same[] =
        "{\"schema\": \"dscq.report/1\", \"settings\": {\"clock_mhz\": 2, "
        "\"schedule\": {\"fuse\": \"auto\"}}}";
    static const char k_deep[] =
        "{\"schema\": \"dscq.report/1\", \"settings\": {\"clock_mhz\": 2, "
        "\"schedule\": {\"fuse\": \"none\"}}}";
    dscq_json *now = parse(k_now), *same = parse(k_same), *deep = parse(k_deep);
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_gate_comparable(now, same, &err));
    test_fails(dscq_gate_comparable(now, deep, &err), DSCQ_ARG,
               "the two reports are not of the same thing: machine schedule fuse is "
               "auto, was none");
    dscq_json_free(now);
    dscq_json_free(same);
    dscq_json_free(deep);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("flow/gate", &tc);

    tcase_add_test(tc, the_limit_itself_breaks_only_what_says_so);
    tcase_add_test(tc, decimal_steps_are_exact);
    tcase_add_test(tc, a_rule_that_cannot_be_read_is_refused);
    tcase_add_test(tc, reports_of_other_things_are_not_compared);
    tcase_add_test(tc, settings_that_one_lacks_do_not_count);
    return s;
}

int main(void)
{
    return test_run(make);
}

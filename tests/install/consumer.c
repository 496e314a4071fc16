/* A program of somebody else: uses the library, prints its version. */
#include <dscq/base/config.h>
#include <dscq/base/str.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    static const char text[] = "[net]\nwidth=32\n";
    dscq_config *c = NULL;
    dscq_error err;

    if (dscq_config_parse(&c, text, strlen(text), "text", &err) != DSCQ_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return dscq_status_exit_code(err.code);
    }
    const int ok = strcmp(dscq_config_get(c, 0, "width"), "32") == 0;
    dscq_config_destroy(c);
    printf("dscq %s\n", dscq_version());
    return ok ? 0 : 1;
}

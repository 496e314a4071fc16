/*
 * flow/data_dir.h - the folder of machines, boards, memories, energies and networks,
 * found from where a program or library lies: an installed tree may be moved.
 */
#ifndef DSCQ_FLOW_DATA_DIR_H
#define DSCQ_FLOW_DATA_DIR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* <prefix>/share/dscq of a file in <prefix>/bin or <prefix>/lib (or a folder of lib);
 * or data/ of the sources above a build folder. 0: there is none. file NULL: the
 * program that runs. */
int dscq_flow_data_beside(char *out, size_t cap, const char *file);

#ifdef __cplusplus
}
#endif
#endif

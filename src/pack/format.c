/* The lists of the format as tables. */
#include "format.h"

const pack_section_row pack__sections[PACK_S_COUNT] = {
#define X(tag, id, required, text) {tag, required, text},
    PACK_SECTION_LIST(X)
#undef X
};

static const char k_letters[DSCQ_Q_COUNT] = {
    [DSCQ_Q_CONV] = 'C',     [DSCQ_Q_ADD] = 'A',     [DSCQ_Q_MUL] = 'M',
    [DSCQ_Q_CONCAT] = 'J',   [DSCQ_Q_MAXPOOL] = 'P', [DSCQ_Q_AVGPOOL] = 'V',
    [DSCQ_Q_UPSAMPLE] = 'U', [DSCQ_Q_REORG] = 'R',   [DSCQ_Q_SLICE] = 'S',
    [DSCQ_Q_PAD] = 'D',      [DSCQ_Q_LUT] = 'T',     [DSCQ_Q_LRN] = 'N',
    [DSCQ_Q_RESCALE] = 'X',
};

const pack_field_row pack__fields[] = {
#define DSCQ_FIELD(member, ops, is_signed, text)                                       \
    {#member, offsetof(dscq_qnode, member), ops, is_signed},
#include "fields.def"
#undef DSCQ_FIELD
};
const size_t pack__field_count = sizeof pack__fields / sizeof *pack__fields;

int pack__field_in(const pack_field_row *f, dscq_qop op)
{
    return strchr(f->ops, k_letters[op]) != NULL;
}

int32_t *pack__field(const pack_field_row *f, dscq_qnode *n)
{
    return (int32_t *)(void *)((unsigned char *)n + f->offset);
}

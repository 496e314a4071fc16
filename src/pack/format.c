/* The lists of the format as tables. */
#include "format.h"

const pack_section_row pack__sections[PACK_S_COUNT] = {
#define X(tag, id, required, text) {tag, required, text},
    PACK_SECTION_LIST(X)
#undef X
};

const pack_field_row pack__fields[] = {
#define DSCQ_FIELD(member, trait, is_signed, text)                                     \
    {#member, offsetof(dscq_qnode, member), DSCQ_QHAS_##trait, is_signed},
#include "fields.def"
#undef DSCQ_FIELD
};
const size_t pack__field_count = sizeof pack__fields / sizeof *pack__fields;

int pack__field_in(const pack_field_row *f, dscq_qop op)
{
    return dscq_qop_has(op, f->trait);
}

int32_t *pack__field(const pack_field_row *f, dscq_qnode *n)
{
    return (int32_t *)(void *)((unsigned char *)n + f->offset);
}

pack_entry pack__entry(const dscq_qnode *n, const dscq_qtensor *y)
{
    if (dscq_qop_has(n->op, DSCQ_QHAS_CURVE))
        return (pack_entry){.bytes = 2, .is_signed = 0};
    return (pack_entry){.bytes = y->bits > 8 ? 2 : 1, .is_signed = y->is_signed};
}

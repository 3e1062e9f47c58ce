/* libpcap's bpf_filter over the rows that cbpf's machine code reads; the caller passes its address. */
#include <stdint.h>

struct row { const unsigned char *packet; uint32_t captured, wire; };
typedef unsigned filter(const void *program, const unsigned char *packet, unsigned wire, unsigned captured);

void loop(filter *run, const void *program, const struct row *rows, uint64_t count, uint32_t *verdicts)
{
    for (uint64_t i = 0; i < count; i++)
        verdicts[i] = run(program, rows[i].packet, rows[i].wire, rows[i].captured);
}

/* Functions of `cbpf emit` over the rows that cbpf's machine code reads, and datagrams through a filter of the kernel. */
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct row { const uint8_t *packet; uint32_t captured, wire; };
typedef uint32_t filter(const uint8_t *packet, size_t captured, size_t wire);

void loop(filter *run, const struct row *rows, uint64_t count, uint32_t *verdicts)
{
    for (uint64_t i = 0; i < count; i++)
        verdicts[i] = run(rows[i].packet, rows[i].captured, rows[i].wire);
}

int send_all(int socket, const struct row *rows, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (send(socket, rows[i].packet, rows[i].captured, MSG_DONTWAIT) < 0)
            return -1;
    return 0;
}

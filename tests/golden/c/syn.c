#include <stddef.h>
#include <stdint.h>

static uint32_t load_16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t load_32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/*
 * host 192.0.2.1 and tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn
 *
 * packet: the bytes that were captured. captured: their number, at most 2147483647. wire: the length of the packet on
 * the wire. Returns 0 to reject the packet.
 */
uint32_t filter(const uint8_t *packet, size_t captured, size_t wire)
{
    uint32_t a, x;
    (void)wire;

    if (captured < 14)
        return 0;
    a = load_16(packet + 12);         /* (000) ldh [12] */
    if (a != 0x800)                   /* (001) jeq #0x800 jt 2 jf 15 */
        return 0;
    if (captured < 30)
        return 0;
    a = load_32(packet + 26);         /* (002) ld [26] */
    if (a != 0xc0000201) {            /* (003) jeq #0xc0000201 jt 6 jf 4 */
        if (captured < 34)
            return 0;
        a = load_32(packet + 30);     /* (004) ld [30] */
        if (a != 0xc0000201)          /* (005) jeq #0xc0000201 jt 6 jf 15 */
            return 0;
    }
    a = packet[23];                   /* (006) ldb [23] */
    if (a != 6)                       /* (007) jeq #0x6 jt 8 jf 15 */
        return 0;
    a = load_16(packet + 20);         /* (008) ldh [20] */
    if (a & 0x1fff)                   /* (009) jset #0x1fff jt 15 jf 10 */
        return 0;
    x = (packet[14] & 0xfu) << 2;     /* (010) ldxb 4*([14]&0xf) */
    if ((uint64_t)x + 28 > captured)
        return 0;
    a = packet[x + 27];               /* (011) ldb [x + 27] */
    a = a & 0x12;                     /* (012) and #0x12 */
    return a == 2 ? 262144 : 0;       /* (013) jeq #0x2 jt 14 jf 15 */
}

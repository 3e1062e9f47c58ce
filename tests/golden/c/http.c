#include <stddef.h>
#include <stdint.h>

static uint32_t load_16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/*
 * tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
 *
 * packet: the bytes that were captured. captured: their number, at most 2147483647. wire: the length of the packet on
 * the wire. Returns 0 to reject the packet.
 */
uint32_t filter(const uint8_t *packet, size_t captured, size_t wire)
{
    uint32_t m0, a, x;
    (void)wire;

    if (captured < 14)
        return 0;
    a = load_16(packet + 12);             /* (000) ldh [12] */
    if (a != 0x800)                       /* (001) jeq #0x800 jt 2 jf 20 */
        return 0;
    if (captured < 24)
        return 0;
    a = packet[23];                       /* (002) ldb [23] */
    if (a != 6)                           /* (003) jeq #0x6 jt 4 jf 20 */
        return 0;
    a = load_16(packet + 20);             /* (004) ldh [20] */
    if (a & 0x1fff)                       /* (005) jset #0x1fff jt 20 jf 6 */
        return 0;
    x = (packet[14] & 0xfu) << 2;         /* (006) ldxb 4*([14]&0xf) */
    if ((uint64_t)x + 16 > captured)
        return 0;
    a = load_16(packet + x + 14);         /* (007) ldh [x + 14] */
    if (a != 0x50) {                      /* (008) jeq #0x50 jt 11 jf 9 */
        if ((uint64_t)x + 18 > captured)
            return 0;
        a = load_16(packet + x + 16);     /* (009) ldh [x + 16] */
        if (a != 0x50)                    /* (010) jeq #0x50 jt 11 jf 20 */
            return 0;
    }
    if ((uint64_t)x + 27 > captured)
        return 0;
    a = packet[x + 26];                   /* (011) ldb [x + 26] */
    a = a & 0xf0;                         /* (012) and #0xf0 */
    a = a >> 2;                           /* (013) rsh #2 */
    m0 = a;                               /* (014) st M[0] */
    a = load_16(packet + 16);             /* (015) ldh [16] */
    a = a - x;                            /* (016) sub x */
    x = m0;                               /* (017) ldx M[0] */
    return a == x ? 0 : 262144;           /* (018) jeq x jt 20 jf 19 */
}

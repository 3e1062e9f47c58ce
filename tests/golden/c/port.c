#include <stddef.h>
#include <stdint.h>

static uint32_t load_16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/*
 * tcp port 443
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
    if (a != 0x800) {                 /* (001) jeq #0x800 jt 3 jf 2 */
        if (a != 0x86dd)              /* (002) jeq #0x86dd jt 12 jf 19 */
            return 0;
        goto L12;
    }
    if (captured < 24)
        return 0;
    a = packet[23];                   /* (003) ldb [23] */
    if (a != 6)                       /* (004) jeq #0x6 jt 5 jf 19 */
        return 0;
    a = load_16(packet + 20);         /* (005) ldh [20] */
    if (a & 0x1fff)                   /* (006) jset #0x1fff jt 19 jf 7 */
        return 0;
    x = (packet[14] & 0xfu) << 2;     /* (007) ldxb 4*([14]&0xf) */
    if ((uint64_t)x + 16 > captured)
        return 0;
    a = load_16(packet + x + 14);     /* (008) ldh [x + 14] */
    if (a == 0x1bb)                   /* (009) jeq #0x1bb jt 18 jf 10 */
        return 262144;
    if ((uint64_t)x + 18 > captured)
        return 0;
    a = load_16(packet + x + 16);     /* (010) ldh [x + 16] */
    return a == 0x1bb ? 262144 : 0;   /* (011) jeq #0x1bb jt 18 jf 19 */
L12:
    if (captured < 21)
        return 0;
    a = packet[20];                   /* (012) ldb [20] */
    if (a != 6)                       /* (013) jeq #0x6 jt 14 jf 19 */
        return 0;
    if (captured < 56)
        return 0;
    a = load_16(packet + 54);         /* (014) ldh [54] */
    if (a == 0x1bb)                   /* (015) jeq #0x1bb jt 18 jf 16 */
        return 262144;
    if (captured < 58)
        return 0;
    a = load_16(packet + 56);         /* (016) ldh [56] */
    return a == 0x1bb ? 262144 : 0;   /* (017) jeq #0x1bb jt 18 jf 19 */
}

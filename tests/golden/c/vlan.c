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
 * vlan 100 and (udp port 53 or icmp6) and not net 10.0.0.0/8
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
    a = load_16(packet + 12);             /* (000) ldh [12] */
    if (a != 0x8100) {                    /* (001) jeq #0x8100 jt 4 jf 2 */
        if (a != 0x88a8) {                /* (002) jeq #0x88a8 jt 4 jf 3 */
            if (a != 0x9100)              /* (003) jeq #0x9100 jt 4 jf 35 */
                return 0;
        }
    }
    if (captured < 16)
        return 0;
    a = load_16(packet + 14);             /* (004) ldh [14] */
    a = a & 0xfff;                        /* (005) and #0xfff */
    if (a != 0x64)                        /* (006) jeq #0x64 jt 7 jf 35 */
        return 0;
    if (captured < 18)
        return 0;
    a = load_16(packet + 16);             /* (007) ldh [16] */
    if (a != 0x800) {                     /* (008) jeq #0x800 jt 10 jf 9 */
        if (a != 0x86dd)                  /* (009) jeq #0x86dd jt 25 jf 35 */
            return 0;
        goto L25;
    }
    if (captured < 28)
        return 0;
    a = packet[27];                       /* (010) ldb [27] */
    if (a != 0x11)                        /* (011) jeq #0x11 jt 12 jf 35 */
        return 0;
    a = load_16(packet + 24);             /* (012) ldh [24] */
    if (a & 0x1fff)                       /* (013) jset #0x1fff jt 35 jf 14 */
        return 0;
    x = (packet[18] & 0xfu) << 2;         /* (014) ldxb 4*([18]&0xf) */
    if ((uint64_t)x + 20 > captured)
        return 0;
    a = load_16(packet + x + 18);         /* (015) ldh [x + 18] */
    if (a != 0x35) {                      /* (016) jeq #0x35 jt 19 jf 17 */
        if ((uint64_t)x + 22 > captured)
            return 0;
        a = load_16(packet + x + 20);     /* (017) ldh [x + 20] */
        if (a != 0x35)                    /* (018) jeq #0x35 jt 19 jf 35 */
            return 0;
    }
    if (captured < 34)
        return 0;
    a = load_32(packet + 30);             /* (019) ld [30] */
    if (a < 0xb000000) {                  /* (020) jge #0xb000000 jt 22 jf 21 */
        if (a >= 0xa000000)               /* (021) jge #0xa000000 jt 35 jf 22 */
            return 0;
    }
    if (captured < 38)
        return 0;
    a = load_32(packet + 34);             /* (022) ld [34] */
    if (a >= 0xb000000)                   /* (023) jge #0xb000000 jt 34 jf 24 */
        return 262144;
    return a < 0xa000000 ? 262144 : 0;    /* (024) jge #0xa000000 jt 35 jf 34 */
L25:
    if (captured < 25)
        return 0;
    a = packet[24];                       /* (025) ldb [24] */
    if (a != 0x11) {                      /* (026) jeq #0x11 jt 28 jf 27 */
        if (a == 0x2c)                    /* (027) jeq #0x2c jt 32 jf 33 */
            goto L32;
        goto L33;
    }
    if (captured < 60)
        return 0;
    a = load_16(packet + 58);             /* (028) ldh [58] */
    if (a == 0x35)                        /* (029) jeq #0x35 jt 34 jf 30 */
        return 262144;
    if (captured < 62)
        return 0;
    a = load_16(packet + 60);             /* (030) ldh [60] */
    return a == 0x35 ? 262144 : 0;        /* (031) jeq #0x35 jt 34 jf 35 */
L32:
    if (captured < 59)
        return 0;
    a = packet[58];                       /* (032) ldb [58] */
L33:
    return a == 0x3a ? 262144 : 0;        /* (033) jeq #0x3a jt 34 jf 35 */
}

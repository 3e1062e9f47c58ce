#include <stddef.h>
#include <stdint.h>

static uint32_t load_16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/*
 * arp
 *
 * packet: the bytes that were captured. captured: their number, at most 2147483647. wire: the length of the packet on
 * the wire. Returns 0 to reject the packet.
 */
uint32_t filter(const uint8_t *packet, size_t captured, size_t wire)
{
    uint32_t a;
    (void)wire;

    if (captured < 14)
        return 0;
    a = load_16(packet + 12);        /* (000) ldh [12] */
    return a == 0x806 ? 262144 : 0;  /* (001) jeq #0x806 jt 2 jf 3 */
}

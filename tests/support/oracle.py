"""An independent implementation of BPF, written from the manuals alone; it uses nothing of cbpf.

Sources: "The BSD Packet Filter" (1993), bpf(4) of each BSD, Linux Documentation/networking/filter.rst and
seccomp_filter.rst. In the dialect "linux", a packet is a datagram of an AF_UNIX socket: the network header is byte 0,
without a link-layer header and without a device.
"""

from collections.abc import Sequence

WORD = 0xFFFFFFFF
ANCILLARY, NETWORK, LINK = 0xFFFFF000, 0xFFF00000, 0xFFE00000


def verdict(program: Sequence[Sequence[int]], packet: bytes, dialect: str, wire_length: int | None = None) -> int:
    """Return the unsigned 32-bit verdict; extension loads other than ifidx, hatype and 40 (A ^ X) are 0."""
    a = x = at = 0
    slots = [0] * 16
    length = len(packet) if wire_length is None else wire_length
    if dialect == "seccomp":
        if len(packet) < 64:
            return 0
        length = 64
    while True:
        code, jt, jf, k = program[at]
        at += 1
        kind, mode, size = code & 7, code & 0xE0, {0x00: 4, 0x08: 2, 0x10: 1}.get(code & 0x18, 0)
        source = x if code & 8 else k
        if kind in (0, 1):  # ld, ldx
            if mode in (0x20, 0x40, 0xA0):  # abs, ind, msh
                if mode == 0x20 and k - ANCILLARY in range(0, 64, 4) and dialect in ("pcap", "linux"):
                    if k - ANCILLARY in (8, 28):
                        return a
                    value = a ^ x if k - ANCILLARY == 40 else 0
                else:
                    offset = x + k if mode == 0x40 else k
                    if dialect in ("linux", "openbsd"):
                        offset &= WORD
                    if dialect == "linux":
                        offset -= NETWORK if offset >= NETWORK else 0
                    if offset >= 0x80000000 or offset + size > len(packet):
                        return 0
                    value = int.from_bytes(packet[offset : offset + size], "little" if dialect == "seccomp" else "big")
                    value = 4 * (value & 15) if mode == 0xA0 else value
            else:
                value = {0x00: k, 0x60: slots[k % 16], 0x80: length}[mode]
            a, x = (value, x) if kind == 0 else (a, value)
        elif kind in (2, 3):  # st, stx
            slots[k] = a if kind == 2 else x
        elif kind == 4:  # alu
            operation = code & 0xF0
            if operation in (0x30, 0x90) and source == 0:
                return 0
            if operation in (0x60, 0x70) and source >= 32:
                source, a = (source % 32, a) if dialect != "pcap" else (0, 0)
            divisor, count = source or 1, source % 32
            results = (a + source, a - source, a * source, a // divisor, a | source, a & source, a << count, a >> count)
            a = (*results, -a, a % divisor, a ^ source)[operation >> 4] & WORD
        elif kind == 5:  # jump
            tests = (True, a == source, a > source, a >= source, a & source != 0)
            at += k if code == 5 else jt if tests[code >> 4] else jf
        elif kind == 6:  # ret
            return a if code & 0x18 else k
        elif code & 0x80:
            a = x
        else:
            x = a

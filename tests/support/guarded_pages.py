"""A process that runs random programs as machine code on packets between inaccessible pages.

A read beyond a packet terminates the process by SIGSEGV. The verdicts are compared with those of the python engine.

Usage: `python -m support.guarded_pages SEED ROUNDS`, or with `--fault`, which reads one byte beyond the pages.
"""

import ctypes
import mmap
import struct
import sys
from random import Random
from typing import Any

import cbpf
from cbpf.packet.arrow_ranges import MAX_INLINE_LENGTH
from support import random_programs
from support.arrow_producer import ArrayProducer
from support.hostile_arrow import native_packets

PAGES = 17
SIZE = PAGES * mmap.PAGESIZE
LENGTHS = (0, 1, 2, 3, 4, 5, 13, 14, 15, 33, 34, 60, 64, 80, 4095, 4096, 4097, 8192, 12288, 65535, 65536)
LOADS = {*random_programs.LOAD_ABSOLUTE, *random_programs.LOAD_INDIRECT, random_programs.LOAD_HEADER_LENGTH}


def guarded_address() -> int:
    """Return the address of SIZE accessible bytes, with one inaccessible page before and one after them."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    mapping = libc.mmap(None, SIZE + 2 * mmap.PAGESIZE, writable, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    assert mapping not in (None, ctypes.c_void_p(-1).value)
    for guard in (mapping, mapping + mmap.PAGESIZE + SIZE):
        assert libc.mprotect(guard, mmap.PAGESIZE, 0) == 0
    return int(mapping) + mmap.PAGESIZE


def view(address: int, length: int) -> memoryview:
    return memoryview((ctypes.c_ubyte * length).from_address(address))


def random_program(random: Random) -> tuple[cbpf.Dialect, list[Any]]:
    """Return a dialect and a program that it accepts, with loads near the ends of the packets."""
    while True:
        dialect = (cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP)[int(random.random() * 3)]
        if dialect is cbpf.SECCOMP:
            program = random_programs.seccomp(random)
        else:
            plausible = random_programs.plausible(random)
            program = [near_an_end(random, row) if random.random() < 0.7 else row for row in plausible]
        if not cbpf.findings(program, dialect=dialect):
            return dialect, program


def near_an_end(random: Random, row: Any) -> Any:
    code, jt, jf, k = row
    if code not in LOADS or k >= 2**31:
        return row
    return code, jt, jf, max(0, LENGTHS[int(random.random() * len(LENGTHS))] - int(random.random() * 6))


def as_views(ranges: list[tuple[int, int]], addresses: list[int]) -> ArrayProducer:
    """Return ranges as views of SIZE bytes at several addresses in turn."""
    rows = []
    for index, (start, length) in enumerate(ranges):
        buffer = index % len(addresses)
        is_short = length <= MAX_INLINE_LENGTH
        content = bytes(view(addresses[buffer] + start, length)) if is_short else struct.pack("=4xii", buffer, start)
        rows.append(struct.pack("=i12s", length, content))
    sizes = struct.pack(f"={len(addresses)}q", *[SIZE] * len(addresses))
    return ArrayProducer("vz", len(rows), [None, b"".join(rows), *addresses, sizes])


def run_round(random: Random, addresses: list[int]) -> None:
    address, memory = addresses[0], view(addresses[0], SIZE)
    content = random_programs.packet(random) + random_programs.packet(random) + b"\0"
    for copy in addresses:
        view(copy, SIZE).cast("B")[:] = (content * (SIZE // len(content) + 1))[:SIZE]
    ranges = [(start, length) for length in LENGTHS for start in (0, SIZE - length)]
    packets = cbpf.Packets(memory, positions=[start for start, _ in ranges], lengths=[length for _, length in ranges])
    dialect, program = random_program(random)
    expected = [cbpf.VM(program, engine="python", dialect=dialect).run(bytes(packet)) for packet in packets]
    vm = cbpf.VM(program, engine="llvm", dialect=dialect)
    results = {
        "a batch": list(vm.verdicts(packets)),
        "run": [vm.run(view(address + start, length)) for start, length in ranges],
        "a list": list(vm.verdicts([bytes(packet) for packet in packets])),
        "Arrow views": list(vm.verdicts(as_views(ranges, addresses))),
        "Arrow views, read by machine code": list(vm.verdicts(native_packets(as_views(ranges, addresses)))),
        "evaluate": [vm.evaluate(packet) for packet in packets],
    }
    for name, verdicts in results.items():
        assert verdicts == expected, (name, dialect, program)


def main() -> None:
    addresses = [guarded_address() for _ in range(3)]
    if sys.argv[1] == "--fault":
        view(addresses[0] + SIZE, 1).tobytes()
    for index in range(int(sys.argv[2])):
        run_round(Random(f"{sys.argv[1]}-{index}"), addresses)


if __name__ == "__main__":
    main()

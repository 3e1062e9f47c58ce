"""Programs of 4,096 instructions, the maximum that Linux accepts."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Final

from benchmarks.report import Section, at_most, table
from benchmarks.setting import Setting
from benchmarks.timing import Contender, paired

import cbpf

SIZE: Final = 4096

EXPRESSIONS: Final = (
    "ip and tcp port 80",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8",
    "ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) != 0",
    "icmp6 or (ip6 and udp portrange 5000-6000) or ether host 02:00:00:00:00:01",
    "len > 100 and (ip[8] * 2 + ip[1] / 4) % 16 ^ 3 = ip[9] | 1",
    "arp or host 192.0.2.7 or vlan and sctp",
)
_FILLERS: Final = (cbpf.LoadExtension(cbpf.Extension.PROTO), cbpf.NegateA(), cbpf.TAX(), cbpf.ALUOpX(cbpf.ALUOp.XOR))


def assembly(setting: Setting) -> Iterator[Section]:
    """Measure assembling, disassembling, conversion and verification of a long program."""
    program = long_program()
    raw, typed, data = tuple(program), program.instructions, bytes(program)
    linux = cbpf.LINUX
    contenders = [
        Contender("assemble", lambda: cbpf.assemble(typed), "`assemble(typed)`"),
        Contender("disassemble", lambda: cbpf.disassemble(raw), "`disassemble(raw)`"),
        Contender("from bytes", lambda: cbpf.Program.from_bytes(data), "`Program.from_bytes(data)`"),
        Contender("to bytes", lambda: bytes(program), "`bytes(program)`"),
        Contender("verify", lambda: cbpf.verify(program, dialect=linux), "`verify(program, dialect=LINUX)`"),
        Contender("make a VM", lambda: cbpf.VM(program, dialect=linux), "`VM(program, dialect=LINUX)`"),
    ]
    columns = {
        "ms": lambda row: f"{row.seconds * 1e3:.1f}",
        "ns per instruction": lambda row: f"{row.seconds * 1e9 / SIZE:,.0f}",
    }
    opcodes = {instruction.op for instruction in raw}
    note = (
        f"{len(opcodes)} different opcodes, {len(EXPRESSIONS)} expressions repeated. No peer offers"
        " this: dpkt and scapy do not decode BPF, and cypcap returns an instruction as four numbers."
    )
    rows = paired(contenders, rounds=setting.rounds(15))
    goals = [
        at_most(f"{row.contender.name.capitalize()} {SIZE:,} instructions", 40, row.seconds * 1e3, "{:.0f} ms")
        for row in rows[:2]
    ]
    yield Section(f"A program of {SIZE:,} instructions", *table(rows, columns), note, goals)


def long_program() -> cbpf.Program:
    """Return a program that Linux accepts, in which every instruction is reachable."""
    joined = list(_joined([cbpf.compile(expression, optimizer=None)[:-1] for expression in EXPRESSIONS]))
    return cbpf.Program([*islice(cycle(_FILLERS), SIZE - 1 - len(joined)), *joined, cbpf.RetConstant(0)])


def _joined(filters: list[cbpf.Program]) -> Iterator[cbpf.Instruction]:
    """Yield as many filters as fit, each without its last `ret #0`: rejected packets continue in the next."""
    remaining = SIZE - 1
    for program in cycle(filters):
        remaining -= len(program)
        if remaining < 0:
            return
        yield from program

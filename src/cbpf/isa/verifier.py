"""The verifier: every reason why a dialect rejects a program.

Each rule is a generator of findings, and `RULES` lists the rules. A rule inspects the complete program, and does not
rely on another rule having passed. Sources: Linux net/core/filter.c (bpf_check_classic, check_load_and_stores,
bpf_convert_filter) and kernel/seccomp.c; libpcap bpf_filter.c (bpf_validate).
"""

from itertools import accumulate

from .._typing import Callable, Final, Iterator, TypeAlias
from ..errors import Finding, VerificationError
from .dialects import PCAP, Dialect, check_dialect
from .opcodes import (
    CONDITIONS,
    EXTENSION_OFFSET,
    JUMPS,
    OPCODE_BY_CODE,
    SCRATCH_SLOTS,
    SIGN_BIT,
    Action,
    Opcode,
    Operand,
)
from .program import Instructions, Program
from .raw_instruction import RawInstruction

Rule: TypeAlias = Callable[[Program, Dialect], Iterator[Finding]]


def findings(program: Instructions, *, dialect: Dialect = PCAP) -> tuple[Finding, ...]:
    """Check a program, and return every reason why a dialect rejects it."""
    value = program if isinstance(program, Program) else Program(program)
    dialect = check_dialect(dialect)
    unordered = [finding for rule in RULES for finding in rule(value, dialect)]
    return tuple(sorted(unordered, key=lambda finding: -1 if finding.index is None else finding.index))


def verify(program: Instructions, *, dialect: Dialect = PCAP) -> None:
    """Check a program, and raise an error if a dialect rejects it."""
    reasons = findings(program, dialect=dialect)
    if reasons:
        raise VerificationError(reasons)


def _rows(program: Program) -> Iterator[tuple[int, RawInstruction, Opcode]]:
    """Yield the instructions with a defined opcode: index, instruction and row of the table."""
    for index, raw in enumerate(program):
        opcode = OPCODE_BY_CODE.get(raw.op)
        if opcode is not None:
            yield index, raw, opcode


def _length(program: Program, dialect: Dialect) -> Iterator[Finding]:
    if not program:
        yield Finding("empty", None, "has no instructions", "a program has at least one")
    elif dialect.longest is not None and len(program) > dialect.longest:
        fact = f"has {len(program)} instructions"
        yield Finding("too-long", None, fact, f"{dialect.name} accepts at most {dialect.longest}")


def _opcodes(program: Program, dialect: Dialect) -> Iterator[Finding]:
    for index, raw in enumerate(program):
        if raw.op not in dialect.opcodes:
            reason = f"({raw}) is not supported" if raw.op in OPCODE_BY_CODE else "is undefined"
            rule = f"{dialect.name} accepts {len(dialect.opcodes)} opcodes"
            yield Finding("opcode", index, f"opcode {raw.op:#04x} {reason}", rule)


def _constants(program: Program, dialect: Dialect) -> Iterator[Finding]:
    for index, raw, opcode in _rows(program):
        if opcode.operand is not Operand.K:
            continue
        if opcode.action in (Action.DIV, Action.MOD) and raw.k == 0:
            yield Finding("division-by-zero", index, f"{raw}: division by zero", "a constant divisor must not be 0")
        wide = opcode.action in (Action.SHIFT_LEFT, Action.SHIFT_RIGHT) and raw.k >= 32
        if wide and not dialect.wide_constant_shifts:
            yield Finding("wide-shift", index, f"{raw}: shift count out of range", "it must be 0 to 31")


def _scratch_slots(program: Program, dialect: Dialect) -> Iterator[Finding]:
    for index, raw, opcode in _rows(program):
        if opcode.operand is Operand.SCRATCH and raw.k >= SCRATCH_SLOTS:
            rule = f"the {SCRATCH_SLOTS} slots are M[0] to M[{SCRATCH_SLOTS - 1}]"
            yield Finding("scratch-slot", index, f"scratch slot M[{raw.k}] does not exist", rule)


def _jumps(program: Program, dialect: Dialect) -> Iterator[Finding]:
    last = len(program) - 1
    rule = f"the last instruction is {last}"
    for index, raw, opcode in _rows(program):
        if opcode.action is Action.JUMP and raw.k >= last - index:
            (target,) = raw.successors(index)
            backward = target - 2 * SIGN_BIT
            if 0 <= backward <= index:
                fact = f"backward jump to instruction {backward}"
                yield Finding("backward-jump", index, fact, "only forward jumps are allowed, so that every run ends")
            else:
                yield Finding("jump-target", index, f"jump target {target} is past the end", rule)
        elif opcode.action in CONDITIONS and max(raw.successors(index)) > last:
            fact = f"jump target {max(raw.successors(index))} is past the end"
            yield Finding("jump-target", index, fact, rule)


def _last_instruction(program: Program, dialect: Dialect) -> Iterator[Finding]:
    if program:
        opcode = OPCODE_BY_CODE.get(program[-1].op)
        if opcode is None or opcode.action is not Action.RETURN:
            fact = f"the last instruction is {program[-1]}"
            yield Finding("no-return", len(program) - 1, fact, "it must be a ret, so that every path returns")


def _absolute_loads(program: Program, dialect: Dialect) -> Iterator[Finding]:
    for index, raw, opcode in _rows(program):
        if opcode.operand is not Operand.ABSOLUTE:
            continue
        if dialect.record_size is not None:
            if raw.k >= dialect.record_size or raw.k % 4:
                rule = f"it must be a multiple of 4 below {dialect.record_size}"
                yield Finding("record-load", index, f"load offset {raw.k} is invalid", rule)
        elif raw.k >= EXTENSION_OFFSET and not dialect.unknown_extensions:
            from .enumerations import EXTENSION_NUMBERS, extension_of

            if extension_of(opcode, raw.k) is not None:
                continue
            fact = f"load from SKF_AD_OFF + {raw.k - EXTENSION_OFFSET}: undefined extension"
            distances = f"0, 4, ... {max(EXTENSION_NUMBERS)}"
            yield Finding("unknown-extension", index, fact, f"the extensions are at SKF_AD_OFF + {distances}")


def _large_offsets(program: Program, dialect: Dialect) -> Iterator[Finding]:
    largest = dialect.largest_offset
    if largest is None:
        return
    for index, raw, opcode in _rows(program):
        if opcode.operand in _FROM_PACKET and raw.k > largest:
            yield Finding("large-offset", index, f"load offset {raw.k} is too large", f"the maximum is {largest}")


_FROM_PACKET: Final = (Operand.ABSOLUTE, Operand.INDIRECT, Operand.MEMORY_SHIFT)


def _scratch_written(program: Program, dialect: Dialect) -> Iterator[Finding]:
    """Report reads of unwritten slots, as the kernel's single pass does (check_load_and_stores).

    As in the kernel, a `ret` does not end a path: the instruction after it is checked with the slots written before it.
    """
    if not dialect.scratch_written:
        return
    all_slots = 2**SCRATCH_SLOTS - 1
    arriving = [all_slots] * (len(program) + 1)  # by instruction: the slots written before every jump to it
    written = 0
    for index, raw, opcode in _rows(program):
        written &= arriving[index]
        if opcode.operand is Operand.SCRATCH and raw.k < SCRATCH_SLOTS:
            if opcode.action in (Action.STORE_A, Action.STORE_X):
                written |= 1 << raw.k
            elif not written & 1 << raw.k:
                fact = f"M[{raw.k}] may be read before it is written"
                rule = "every path must initialise a scratch slot before reading it"
                yield Finding("scratch-unwritten", index, fact, rule)
        if opcode.action in JUMPS:
            for target in raw.successors(index):
                if target < len(program):
                    arriving[target] &= written
            written = all_slots


def _translated_jumps(program: Program, dialect: Dialect) -> Iterator[Finding]:
    longest = dialect.longest_translated_jump
    if longest is None or not any(_may_exceed(raw, opcode, longest) for _, raw, opcode in _rows(program)):
        return
    from .translation import translated_size

    sizes = (translated_size(OPCODE_BY_CODE[raw.op], raw) if raw.op in OPCODE_BY_CODE else 0 for raw in program)
    positions = [0, *accumulate(sizes)]
    for index, raw, opcode in _rows(program):
        if opcode.action is Action.JUMP:
            (target,) = raw.successors(index)
            distance = positions[min(target, len(program))] - positions[index] - 1
            if target < len(program) and distance > longest:
                fact = f"jump over {distance} eBPF instructions of the translation"
                yield Finding("translated-jump", index, fact, f"the maximum is {longest}")


_MAX_TRANSLATED_SIZE: Final = 21  # of ldx 4*([k]&0xf) with k > 32767


def _may_exceed(raw: RawInstruction, opcode: Opcode, longest: int) -> bool:
    return opcode.action is Action.JUMP and raw.k * _MAX_TRANSLATED_SIZE > longest


RULES: Final[tuple[Rule, ...]] = (
    _length,
    _opcodes,
    _constants,
    _scratch_slots,
    _jumps,
    _last_instruction,
    _absolute_loads,
    _large_offsets,
    _scratch_written,
    _translated_jumps,
)

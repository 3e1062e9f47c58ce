"""An interpreter of PTX, for the instructions that kernels of cbpf consist of; any other instruction is an error.

It shares no code with cbpf, and needs no device. Threads run one after another. An access outside of the allocations of
a `Memory`, or at an address that is not a multiple of its size, is an error, as it is on a device.

Source: NVIDIA, Parallel Thread Execution ISA 7.0.
"""

import ctypes
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import and_, eq, ge, gt, le, lt, ne, or_, xor
from typing import Any, Final, NamedTuple

_ENTRY: Final = re.compile(r"\.visible \.entry (\w+)\((.*?)\)\s*\{(.*)\}", re.DOTALL)
_PARAMETER: Final = re.compile(r"\.param \.u64 (?:\.ptr \.align 1 )?(\w+)")
_REGISTERS: Final = re.compile(r"\.reg \.(\w+)\s+%(\w+)(?:<\d+>)?")
_INSTRUCTION: Final = re.compile(r"(?:@(!?)%(\w+)\s+)?([\w.]+)\s*(.*)", re.DOTALL)
_ADDRESS: Final = re.compile(r"\[([%\w]+)(?:\+(-?\d+))?\]")
_TYPE: Final = re.compile(r"([bsu])(8|16|32|64)|(pred)")
_SPECIAL: Final = ("%tid.x", "%ntid.x", "%ctaid.x", "%nctaid.x")

_COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "eq": eq,
    "ne": ne,
    "lt": lt,
    "le": le,
    "gt": gt,
    "ge": ge,
}

State = dict[str, int]
Operand = Callable[[State], int]
Step = Callable[[State, "Memory"], "int | None"]  # returns the index of the next instruction, if it is another one
_END: Final = -1


class PtxError(Exception):
    """The text has an instruction that is not supported, or a thread does something that a device does not allow."""


class Memory:
    """Memory of a device: allocations at addresses of this process, with a gap between any two of them."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._allocations: list[tuple[int, memoryview, object]] = []

    def allocate(self, content: bytes | int) -> int:
        """Return the address of an allocation with a content, or of a size."""
        size = content if isinstance(content, int) else len(content)
        owner = (ctypes.c_ubyte * (size + 32))()
        start = (ctypes.addressof(owner) + 15) & ~15
        offset = start - ctypes.addressof(owner)
        view = memoryview(owner).cast("B")[offset : offset + size]
        if not isinstance(content, int):
            view[:] = content
        self.add(start, view, owner)
        return start

    def add(self, address: int, view: memoryview, owner: object = None) -> None:
        """Let threads access the bytes of a view, which are at an address."""
        index = bisect_right(self._starts, address)
        self._starts.insert(index, address)
        self._allocations.insert(index, (address, view, owner))

    def free(self, address: int) -> None:
        """Remove an allocation."""
        index = self._starts.index(address)
        del self._starts[index], self._allocations[index]

    def view(self, address: int, size: int) -> memoryview:
        """Return the bytes at an address; raise `PtxError` if one of them is outside of all allocations."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0:
            start, view, _ = self._allocations[index]
            if address + size <= start + len(view):
                return view[address - start : address - start + size]
        raise PtxError(f"{size} bytes at {address:#x} are not in an allocation")

    def read(self, address: int, size: int) -> int:
        """Return the number at an address."""
        if address % size:
            raise PtxError(f"{address:#x} is not a multiple of {size}")
        return int.from_bytes(self.view(address, size), "little")

    def write(self, address: int, size: int, value: int) -> None:
        """Write a number at an address."""
        if address % size:
            raise PtxError(f"{address:#x} is not a multiple of {size}")
        self.view(address, size)[:] = value.to_bytes(size, "little")


class Kernel(NamedTuple):
    """A kernel: its name, the names of its parameters, and its instructions."""

    name: str
    parameters: tuple[str, ...]
    steps: tuple[Step, ...]

    def launch(self, memory: Memory, grid: int, block: int, arguments: Sequence[int]) -> None:
        """Run the threads of a grid of blocks, with addresses and numbers of 64 bits as arguments."""
        if len(arguments) != len(self.parameters):
            raise PtxError(f"{self.name} has {len(self.parameters)} parameters, not {len(arguments)}")
        values = dict(zip(self.parameters, (argument % 2**64 for argument in arguments), strict=True))
        for index in range(grid * block):
            registers = dict(zip(_SPECIAL, (index % block, block, index // block, grid), strict=True))
            self._run({**values, **registers}, memory)

    def _run(self, state: State, memory: Memory) -> None:
        steps, index = self.steps, 0
        while index != _END:
            target = steps[index](state, memory)
            index = index + 1 if target is None else target


def parse(text: str) -> Kernel:
    """Return the only kernel of a module."""
    entries = _ENTRY.findall(re.sub(r"//[^\n]*", "", text))
    if len(entries) != 1:
        raise PtxError(f"the module has {len(entries)} kernels")
    name, parameters, body = entries[0]
    statements = list(_statements(body))
    labels, lines = dict[str, int](), list[str]()
    for statement in statements:
        if statement.endswith(":"):
            labels[statement[:-1]] = len(lines)
        else:
            lines.append(statement)
    widths = {prefix: 1 if type == "pred" else int(type[1:]) for type, prefix in _REGISTERS.findall(body)}
    steps = tuple(_Line(line, widths, labels).step() for line in lines)
    return Kernel(name, tuple(_PARAMETER.findall(parameters)), steps)


def _statements(body: str) -> Iterator[str]:
    """Yield the labels, with a colon, and the instructions; declarations are omitted."""
    for part in re.findall(r"\$\w+:|[^;:$]*(?:\$\w+[^;:$]*)*;", body):
        statement = part.strip().rstrip(";").strip()
        if not statement.startswith(".reg"):
            yield statement


class _Line:
    """One instruction: its guard, its opcode with modifiers, and its operands."""

    def __init__(self, text: str, widths: dict[str, int], labels: dict[str, int]) -> None:
        match = _INSTRUCTION.fullmatch(text)
        if match is None:
            raise PtxError(f"not an instruction: {text!r}")
        self._text = text
        self._negated, self._guard = bool(match[1]), match[2]
        words: list[str] = match[3].split(".")
        self._opcode, self._modifiers = words[0], words[1:]
        self._operands = [operand.strip() for operand in match[4].split(",")] if match[4] else []
        self._widths = widths
        self._labels = labels

    def step(self) -> Step:
        method: Callable[[], Step] | None = getattr(self, f"_{self._opcode}_step", None)
        step = method() if method is not None else self._computation()
        if self._guard is None:
            return step
        guard, runs = f"%{self._guard}", 0 if self._negated else 1

        def guarded(state: State, memory: Memory) -> int | None:
            return step(state, memory) if state[guard] == runs else None

        return guarded

    def _unsupported(self) -> PtxError:
        return PtxError(f"unsupported instruction: {self._text}")

    def _type(self, index: int = -1) -> tuple[str, int]:
        """Return the kind (b, s or u) and the number of bits of a type among the modifiers."""
        match = _TYPE.fullmatch(self._modifiers[index])
        if match is None:
            raise self._unsupported()
        return ("b", 1) if match[3] else (match[1], int(match[2]))

    def _expect(self, *modifiers: str) -> None:
        """Raise an error unless the modifiers before the type are these."""
        if tuple(self._modifiers[:-1]) != modifiers:
            raise self._unsupported()

    def _width(self, register: str) -> int:
        name = register[1:]
        return self._widths[name if name in self._widths else name.rstrip("0123456789")]

    def _value(self, index: int) -> Operand:
        text = self._operands[index]
        if text[0] == "%":
            return lambda state: state[text]
        number = int(text.removesuffix("U"), 0)
        return lambda state: number

    def _typed(self, index: int, kind: str, bits: int) -> Operand:
        """Return an operand as a number of a type."""
        value, mask, sign = self._value(index), (1 << bits) - 1, 1 << (bits - 1)
        if kind == "s":
            return lambda state: ((value(state) & mask) ^ sign) - sign
        return lambda state: value(state) & mask

    def _assignment(self, compute: Operand) -> Step:
        target = self._operands[0]
        mask = (1 << self._width(target)) - 1

        def assign(state: State, memory: Memory) -> None:
            state[target] = compute(state) & mask

        return assign

    def _computation(self) -> Step:
        method: Callable[[], Operand] | None = getattr(self, f"_{self._opcode}", None)
        if method is None:
            raise self._unsupported()
        return self._assignment(method())

    def _binary(self, function: Callable[[int, int], int], *modifiers: str) -> Operand:
        self._expect(*modifiers)
        type = self._type()
        left, right = self._typed(1, *type), self._typed(2, *type)
        mask = (1 << type[1]) - 1
        return lambda state: function(left(state), right(state)) & mask

    def _add(self) -> Operand:
        return self._binary(lambda left, right: left + right)

    def _sub(self) -> Operand:
        return self._binary(lambda left, right: left - right)

    def _and(self) -> Operand:
        return self._binary(and_)

    def _or(self) -> Operand:
        return self._binary(or_)

    def _xor(self) -> Operand:
        return self._binary(xor)

    def _min(self) -> Operand:
        return self._binary(min)

    def _max(self) -> Operand:
        return self._binary(max)

    def _mul(self) -> Operand:
        _, bits = self._type()
        if self._modifiers[0] == "wide":
            left, right = self._typed(1, *self._type()), self._typed(2, *self._type())
            return lambda state: left(state) * right(state)
        if self._modifiers[0] == "hi":
            return self._binary(lambda left, right: (left * right) >> bits, "hi")
        return self._binary(lambda left, right: left * right, "lo")

    def _mad(self) -> Operand:
        self._expect("lo")
        left, right, addend = (self._typed(index, *self._type()) for index in (1, 2, 3))
        return lambda state: left(state) * right(state) + addend(state)

    def _div(self) -> Operand:
        return self._division(lambda left, right: left // right)

    def _rem(self) -> Operand:
        return self._division(lambda left, right: left % right)

    def _division(self, function: Callable[[int, int], int]) -> Operand:
        if self._type()[0] != "u":
            raise self._unsupported()

        def divide(left: int, right: int) -> int:
            if right == 0:
                raise PtxError(f"division by zero: {self._text}")
            return function(left, right)

        return self._binary(divide)

    def _shl(self) -> Operand:
        return self._shift(lambda value, count: value << count)

    def _shr(self) -> Operand:
        return self._shift(lambda value, count: value >> count)

    def _shift(self, function: Callable[[int, int], int]) -> Operand:
        """Shift by an operand of 32 bits; counts above the number of bits are that number."""
        self._expect()
        kind, bits = self._type()
        value, count, mask = self._typed(1, kind, bits), self._typed(2, "u", 32), (1 << bits) - 1
        return lambda state: function(value(state), min(count(state), bits)) & mask

    def _mov(self) -> Operand:
        self._expect()
        return self._typed(1, *self._type())

    def _not(self) -> Operand:
        self._expect()
        value, mask = self._typed(1, *self._type()), (1 << self._type()[1]) - 1
        return lambda state: value(state) ^ mask

    def _neg(self) -> Operand:
        self._expect()
        value = self._typed(1, *self._type())
        return lambda state: -value(state)

    def _cvt(self) -> Operand:
        if len(self._modifiers) != 2:
            raise self._unsupported()
        _, bits = self._type(0)
        value, mask = self._typed(1, *self._type()), (1 << bits) - 1
        return lambda state: value(state) & mask

    def _cvta(self) -> Operand:
        """Convert a generic address to a global one, which is equal here."""
        self._expect("to", "global")
        return self._typed(1, *self._type())

    def _selp(self) -> Operand:
        self._expect()
        then, otherwise, condition = self._typed(1, *self._type()), self._typed(2, *self._type()), self._value(3)
        return lambda state: then(state) if condition(state) else otherwise(state)

    def _setp(self) -> Operand:
        compare = _COMPARISONS.get(self._modifiers[0])
        if compare is None or len(self._modifiers) != 2:
            raise self._unsupported()
        left, right = self._typed(1, *self._type()), self._typed(2, *self._type())
        return lambda state: int(compare(left(state), right(state)))

    def _prmt(self) -> Operand:
        """Choose each byte of the result among the eight bytes of two operands, without replicating signs."""
        self._expect()
        low, high, selector = (self._typed(index, "b", 32) for index in (1, 2, 3))

        def permute(state: State) -> int:
            data = (low(state) | high(state) << 32).to_bytes(8, "little")
            chosen = [selector(state) >> shift & 0xF for shift in (0, 4, 8, 12)]
            if max(chosen) > 7:
                raise self._unsupported()
            return int.from_bytes(bytes(data[index] for index in chosen), "little")

        return permute

    def _shf(self) -> Operand:
        """Shift two words as one number, by a count modulo 32, and return the upper or the lower word."""
        direction = self._modifiers[0]
        self._expect(direction, "wrap")
        low, high, count = (self._typed(index, "b", 32) for index in (1, 2, 3))
        if direction == "l":
            return lambda state: (((high(state) << 32 | low(state)) << (count(state) & 31)) >> 32) & 0xFFFF_FFFF
        return lambda state: ((high(state) << 32 | low(state)) >> (count(state) & 31)) & 0xFFFF_FFFF

    def _address(self, text: str) -> Operand:
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise self._unsupported()
        base, offset = match[1], int(match[2] or 0)
        return lambda state: (state[base] + offset) % 2**64

    def _ld_step(self) -> Step:
        target, place = self._operands
        kind, bits = self._type()
        mask, sign = (1 << self._width(target)) - 1, 1 << (bits - 1)
        if self._modifiers[0] == "param":
            self._expect("param")
            name = place[1:-1]
            return self._assignment(lambda state: state[name])
        if tuple(self._modifiers[:-1]) not in (("global",), ("global", "nc")):
            raise self._unsupported()
        address = self._address(place)

        def load(state: State, memory: Memory) -> None:
            value = memory.read(address(state), bits // 8)
            state[target] = ((value ^ sign) - sign if kind == "s" else value) & mask

        return load

    def _st_step(self) -> Step:
        self._expect("global")
        _, bits = self._type()
        address, value = self._address(self._operands[0]), self._typed(1, "b", bits)

        def store(state: State, memory: Memory) -> None:
            memory.write(address(state), bits // 8, value(state))

        return store

    def _bra_step(self) -> Step:
        if self._modifiers not in ([], ["uni"]):
            raise self._unsupported()
        target = self._labels[self._operands[0]]
        return lambda state, memory: target

    def _ret_step(self) -> Step:
        return lambda state, memory: _END


def launch(text: str, memory: Memory, arguments: Sequence[Any], *, grid: int = 2, block: int = 2) -> None:
    """Run the only kernel of a module."""
    parse(text).launch(memory, grid, block, arguments)

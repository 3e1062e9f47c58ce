"""The compiled-Python engine: words are source text, so that executing the semantics writes a Python function.

`TextMachine` writes one line of source for each effect of an instruction. Straight-line code, and branch targets with
a single predecessor, are nested under their branch. An instruction where paths join, or one that would be nested too
deeply, becomes a dispatch entry: its predecessors store its index in `at`, and the function tests `at` for each entry
in order of index, which suffices since jumps only go forward. A load beyond the packet raises IndexError, which the
function turns into verdict 0.

A program that accepts IPv4 and ARP becomes:

    def run(packet, n=None, s=None):
        p = packet if packet.__class__ is bytes else as_packet(packet)
        a = 0
        try:
            p12_2 = (p[12] * 256 + p[13])
            a = p12_2
            if a == 2048:
                return 4096
            if a == 2054:
                return 4096
            return 0
        except IndexError:
            return 0
"""

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Any, Final, get_args
from ..isa.dialects import Dialect, FetchOrder
from ..isa.opcodes import OPCODE_BY_CODE, SIGN_BIT, SIGNS, WORD_MASK, Action
from ..isa.program import Program
from ..isa.semantics import HeaderKind, begin, execute
from ..packet.packet_bytes import as_packet
from .base import RunFunction

if TYPE_CHECKING:
    from ..isa.enumerations import Extension

_OPERATORS: Final = SIGNS | {Action.DIV: "//"}

_MAX_REUSED_LOADS: Final = 32  # loads whose values are reused; more would make long programs slow to compile
_MAX_DEPTH: Final = 40  # levels of indentation; CPython's parser accepts 100


class SourceText(NamedTuple):
    """A word: a Python expression and an upper bound of its value; no mask is written where the bound fits 32 bits."""

    text: str
    upper: int = WORD_MASK

    def __str__(self) -> str:
        return self.text


class TextMachine:
    """A `Machine` whose words and conditions are Python expressions, and whose effects are lines of source.

    Variables of the generated function: `p` the packet's memory, `n` its wire length, `s` its SocketBuffer,
    `packet_header`, `link_header` and `network_header` the positions of headers, `a` and `x` the registers, `m0` to
    `m15` the scratch slots, `i` a position, `p12_2` the number loaded from the two bytes at offset 12, and `at` the
    index of the next dispatch entry.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.lines: list[str] = []
        self.depth = 2
        self.used: set[str] = set()
        self.successors: tuple[int, ...] | None = None  # set by jump, branch and finish; None: the next instruction
        self.condition = ""
        self.fetched: frozenset[str] = frozenset()  # variables that hold a load made on every path to this place
        self._windows = dialect.header_windows

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def _name(self, name: str) -> SourceText:
        self.used.add(name)
        return SourceText(name)

    @property
    def a(self) -> SourceText:
        return self._name("a")

    @a.setter
    def a(self, value: SourceText) -> None:
        self.line(f"{self._name('a')} = {value}")

    @property
    def x(self) -> SourceText:
        return self._name("x")

    @x.setter
    def x(self, value: SourceText) -> None:
        self.line(f"{self._name('x')} = {value}")

    def word(self, value: int) -> SourceText:
        return SourceText(str(value), value)

    def arithmetic(self, action: Action, left: SourceText, right: SourceText) -> SourceText:
        text = f"({left} {_OPERATORS[action]} {right})"
        upper = _upper_bound(action, left, right)
        return SourceText(text, upper) if 0 <= upper <= WORD_MASK else SourceText(f"({text} & {WORD_MASK})")

    def compare(self, action: Action, left: SourceText, right: SourceText) -> str:
        return f"{left} {_OPERATORS[action]} {right}"

    def select(self, condition: str, then: SourceText, otherwise: SourceText) -> SourceText:
        return SourceText(f"({then} if {condition} else {otherwise})", max(then.upper, otherwise.upper))

    def load_scratch(self, slot: int) -> SourceText:
        return self._name(f"m{slot}")

    def store_scratch(self, slot: int, value: SourceText) -> None:
        self.line(f"{self._name(f'm{slot}')} = {value}")

    def captured_length(self) -> SourceText:
        return SourceText("len(p)")

    def wire_length(self) -> SourceText:
        return self._name("n")

    def header(self, header: HeaderKind) -> SourceText:
        if not self._windows:
            return self.word(0)
        self.used.add("s")
        return self._name(f"{header}_header")

    def fetch(self, base: SourceText, displacement: int, size: int, byte_order: FetchOrder) -> SourceText:
        name = base.text
        if name.isdigit():
            return self._fetch_fixed(int(name) + displacement, size, byte_order)
        if size > 1 and not name.isidentifier():
            name = "i"
            self.line(f"i = {base}")
        return _combine([f"p[{name} + {displacement + n}]" for n in range(size)], byte_order)

    def _fetch_fixed(self, position: int, size: int, byte_order: FetchOrder) -> SourceText:
        if position >= SIGN_BIT:
            self.line("return 0")
        value = _combine([f"p[{position + n}]" for n in range(size)], byte_order)
        if size == 1:
            return value
        name = f"p{position}_{size}"
        if name not in self.fetched:
            if len(self.fetched) == _MAX_REUSED_LOADS:
                return value
            self.line(f"{name} = {value}")
            self.fetched |= {name}
        return SourceText(name, value.upper)

    def lacks_device(self) -> str:
        return f"{self._name('s')}.lacks_device()"

    def extension(self, extension: "Extension", a: SourceText, x: SourceText) -> SourceText:
        return SourceText(f"{self._name('s')}.extension({int(extension)}, {a}, {x})")

    def return_if(self, condition: str, verdict: SourceText) -> None:
        self.line(f"if {condition}: return {verdict}")

    def finish(self, verdict: SourceText) -> None:
        self.line(f"return {verdict}")
        self.successors = ()

    def jump(self, target: int) -> None:
        self.successors = (target,)

    def branch(self, condition: str, target_true: int, target_false: int) -> None:
        self.condition = condition
        self.successors = (target_true, target_false)


def _upper_bound(action: Action, left: SourceText, right: SourceText) -> int:
    """Return an upper bound of the result before reduction modulo 2**32; -1 if the result may be negative."""
    match action:
        case Action.SUB:
            return -1
        case Action.ADD | Action.MUL:
            return left.upper + right.upper if action is Action.ADD else left.upper * right.upper
        case Action.SHIFT_LEFT:
            return left.upper << right.upper if right.upper < 32 else WORD_MASK + 1
        case Action.AND:
            return min(left.upper, right.upper)
        case Action.DIV | Action.MOD | Action.OR | Action.XOR | Action.SHIFT_RIGHT:
            return WORD_MASK
    raise NotImplementedError(f"engines.python: no bound for {action.name}")


def _combine(terms: list[str], byte_order: FetchOrder) -> SourceText:
    """Return the number whose bytes are *terms*, in order of address."""
    if len(terms) == 1:
        return SourceText(terms[0], 0xFF)
    if byte_order == "big":
        terms = terms[::-1]
    scaled = [f"{term} * {256**n}" if n else term for n, term in enumerate(terms)]  # faster than << and |
    return SourceText(f"({' + '.join(reversed(scaled))})", 2 ** (8 * len(terms)) - 1)


class _SourceWriter:
    """A writer of one program's source, optionally with lines that count into the lists `executed` and `taken`."""

    def __init__(self, program: Program, dialect: Dialect, counting: bool) -> None:
        self._program = program
        self._counting = counting
        self._dialect = dialect
        self._machine = TextMachine(dialect)
        self._predecessor_counts = _predecessor_counts(program)
        self._fetched: dict[int, frozenset[str]] = {}  # by dispatch entry: variables with a load on every path to it

    def source(self) -> str:
        """Return the source of the complete function."""
        begin(self._machine, self._dialect)
        self._write(0)
        for entry in range(len(self._program)):  # jumps go forward, so no entry is added before the current one
            if entry in self._fetched:
                self._machine.depth = 2
                self._machine.line(f"if at == {entry}:")
                self._machine.depth = 3
                self._machine.fetched = self._fetched[entry]
                self._write(entry)
        return "\n".join([*self._prologue(), *self._machine.lines, "    except IndexError:", "        return 0"])

    def _prologue(self) -> list[str]:
        """Return the head of the function, which initialises the variables used in its body, in dependency order."""
        used = self._machine.used
        windows = self._dialect.header_windows
        lines = ["def run(packet, n=None, s=None):"]
        if "s" in used:
            lines += [
                "    if s is None:",
                f"        s = SocketBuffer(as_packet(packet), DEFAULTS, header_windows={windows})",
            ]
            lines += ["    p = s.memory"]
            lines += [f"    {name}_header = s.{name}" for name in get_args(HeaderKind) if f"{name}_header" in used]
            length = "len(s.data)"
        else:
            lines += ["    p = packet if packet.__class__ is bytes else as_packet(packet)"]
            length = "len(p)"
        if "n" in used:
            lines += [f"    if n is None: n = {length}"]
        registers = sorted(name for name in used if name in ("a", "x") or name.startswith("m"))
        if registers:
            lines += [f"    {' = '.join(registers)} = 0"]
        return [*lines, "    try:"]

    def _write(self, index: int) -> bool:
        """Write the code from *index* at the current depth; return whether it always returns from the function."""
        machine = self._machine
        while True:
            machine.successors = None
            self._count("executed", index, "1")
            execute(machine, self._program[index], index, self._dialect)
            successors: tuple[int, ...] = (index + 1,) if machine.successors is None else machine.successors
            if not successors:
                return True
            if len(set(successors)) == 2:
                self._count("taken", index, f"1 if {machine.condition} else 0")
                if not self._write_arm(f"if {machine.condition}:", successors[0]):
                    self._write_arm("else:", successors[1])
                    return False
            index = successors[-1]
            if self._needs_entry(index):
                return self._jump_to_entry(index)

    def _count(self, counter: str, index: int, amount: str) -> None:
        if self._counting:
            self._machine.line(f"{counter}[{index}] += {amount}")

    def _write_arm(self, head: str, target: int) -> bool:
        """Write one arm of a branch; return whether it always returns from the function."""
        machine, fetched = self._machine, self._machine.fetched
        machine.line(head)
        machine.depth += 1
        ended = self._jump_to_entry(target) if self._needs_entry(target) else self._write(target)
        machine.depth -= 1
        machine.fetched = fetched
        return ended

    def _needs_entry(self, index: int) -> bool:
        """Return whether *index* needs a dispatch entry of its own; `ret` instructions are duplicated instead."""
        if OPCODE_BY_CODE[self._program[index].op].action is Action.RETURN:
            return False
        return self._predecessor_counts[index] > 1 or self._machine.depth >= _MAX_DEPTH

    def _jump_to_entry(self, index: int) -> bool:
        fetched = self._machine.fetched
        self._fetched[index] = self._fetched.get(index, fetched) & fetched
        self._machine.line(f"at = {index}")
        return False


def _predecessor_counts(program: Program) -> list[int]:
    """Return the number of predecessors of each instruction."""
    counts = [0] * len(program)
    for index, raw in enumerate(program):
        for successor in set(raw.successors(index)):
            counts[successor] += 1
    return counts


def source_of(program: Program, dialect: Dialect, *, counting: bool = False) -> str:
    """Return the source of the function for a program, with counters for `compile_to_counting_python` if *counting*."""
    return _SourceWriter(program, dialect, counting).source()


def compile_to_python(program: Program, dialect: Dialect) -> RunFunction:
    """Compile a program to a Python function."""
    return _load_function(source_of(program, dialect))


def compile_to_counting_python(
    program: Program, dialect: Dialect, executed: list[int], taken: list[int]
) -> RunFunction:
    """Compile a program to a Python function that counts executions per instruction.

    Args:
        program: The program, which *dialect* must accept.
        dialect: The dialect.
        executed: The counts of executions, by instruction; each run adds to them.
        taken: The counts of conditional jumps whose test held, by instruction. A conditional jump with one target for
            both outcomes is not counted.

    Returns:
        The function, which returns verdicts as without counters.
    """
    return _load_function(source_of(program, dialect, counting=True), executed=executed, taken=taken)


def _load_function(source: str, **counters: list[int]) -> RunFunction:
    """Execute the source of a function and return the function; *counters* are its global variables."""
    scope: dict[str, Any] = {"as_packet": as_packet, **counters}
    if "SocketBuffer" in source:
        from ..packet.metadata import Metadata
        from ..packet.skb import SocketBuffer

        scope |= {"SocketBuffer": SocketBuffer, "DEFAULTS": Metadata()}
    exec(source, scope)  # a call of `compile` would first create the classes of `ast`, in 2 ms
    run = scope["run"]
    run.__code__ = run.__code__.replace(co_filename="<BPF program>")
    function: RunFunction = run
    return function

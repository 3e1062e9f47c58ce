"""The texts and colours of a drawn graph, whatever its format."""

from collections import Counter
from collections.abc import Sequence

from .._typing import Final, Literal, TypeAlias
from ..analysis.abstract_value import Known
from ..analysis.cfg import Block, Edge
from ..analysis.flow import Flow
from ..analysis.profile import ExecutionCounts, edge_counts
from ..isa.listing import listing
from ..isa.opcodes import OPCODE_BY_CODE, Opcode, Operand
from ..isa.verdicts import ACTION_MASK, SeccompAction, action_in_words
from .folding import drawn_blocks

NodeKind: TypeAlias = Literal["plain", "accept", "reject", "depends"]

_MAX_LINES: Final = 24  # instructions shown of a block; of a longer block, only the first 20 and the last 4
_LAST_LINES: Final = 4
_CHAIN_LINES: Final = 4  # the numbers of the first and last lines shown of a chain of tests
_LAST_CHAIN_LINES: Final = 2
_MAX_NOTE: Final = 60  # characters shown of a note


class Labels:
    """The lines of the boxes, the labels of the edges, and the kinds and colours of both."""

    def __init__(
        self, flow: Flow, counts: ExecutionCounts | None, notes: Sequence[str] = (), *, folds: bool = False
    ) -> None:
        self.flow, self.counts, self._notes = flow, counts, notes
        self._drawn = drawn_blocks(flow.blocks, folds=folds)
        self.blocks = tuple(drawn.block for drawn in self._drawn)
        lines = listing(self.flow.program, dialect=flow.dialect).split("\n")
        self._instruction_texts = [
            _instruction_text(OPCODE_BY_CODE[raw.op], line) for raw, line in zip(flow.program, lines, strict=True)
        ]
        self._taken = Counter[tuple[int, int]]()
        if self.counts is not None:
            box_of = {part.number: box for box, drawn in enumerate(self._drawn) for part in drawn.parts}
            for (source, target), count in edge_counts(self.flow, self.counts).items():
                self._taken[box_of[source], box_of[target]] += count

    @property
    def title(self) -> str:
        """The size of the graph, and that of the drawing if chains of blocks are one box each."""
        size = f"{len(self.flow.program)} instructions in {len(self.flow.blocks)} blocks"
        return size + (f", drawn as {len(self.blocks)} boxes" if self.is_folded else "")

    @property
    def is_folded(self) -> bool:
        """Whether a box represents several blocks."""
        return len(self.blocks) < len(self.flow.blocks)

    def lines(self, block: Block, runs: int) -> list[str]:
        """Return the lines of a box: number of *runs* (with counts), notes, instructions, test, remarks."""
        tests = self._drawn[block.number].tests
        is_chain = tests > 1
        first, last = (_CHAIN_LINES, _LAST_CHAIN_LINES) if is_chain else (_MAX_LINES - _LAST_LINES, _LAST_LINES)
        texts = [f"{index} {self._instruction_texts[index]}" for index in range(block.start, block.stop)]
        notes = [_shortened(note) for note in dict.fromkeys(self._notes[block.start : block.stop]) if note]
        lines = [*(_abridged(notes, first, last) if is_chain else notes), *_abridged(texts, first, last)]
        if self.counts is not None:
            lines.insert(0, self.run_text(runs))
        if is_chain:
            lines.append(f"{tests} tests")
        elif block.edges and block.edges[0].outcome is not None:
            lines.append(f"{block.edges[0].condition} ?")
        return [*lines, *self.remarks(block)]

    def remarks(self, block: Block) -> list[str]:
        """Return the lines after the instructions of a block: its verdict, or that no execution reaches it."""
        if not block.is_feasible:
            return ["infeasible" if block.is_reachable else "unreachable"]
        return [] if block.edges else [self.verdict(block)[1]]

    def kind(self, block: Block) -> NodeKind:
        """Return the kind of a block: by its verdict if it ends with a `ret`, else "plain"."""
        return self.verdict(block)[0] if not block.edges else "plain"

    def verdict(self, block: Block) -> tuple[NodeKind, str]:
        """Return the kind of a block that ends with a `ret`, and the text of its verdict."""
        known = self.flow.verdict(block)
        if known is None:
            return "plain", "ret is infeasible"
        if self.flow.dialect.record_size is not None:
            return _system_call_verdict(known)
        if known.value == 0:
            return "reject", "reject"
        return ("depends", "accept or reject") if known.may_be(0) else ("accept", "accept")

    def runs(self, block: Block) -> int:
        """Return the number of executions that entered a block; 0 without counts."""
        return self.counts.executed[block.start] if self.counts else 0

    def fill(self, block: Block, runs: int) -> str:
        """Return the fill colour of a box: by its kind or, with counts, by the share of the packets that reached it."""
        return FILLS[self.kind(block)] if self.counts is None else heat_color(self.share(runs))

    def share(self, runs: int) -> float:
        """Return a number of executions as a share of all packets, from 0.0 to 1.0."""
        return runs / self.counts.packets if self.counts and self.counts.packets else 0.0

    def run_text(self, runs: int) -> str:
        """Format a number of executions and their share of all packets."""
        return f"{runs:,} {'run' if runs == 1 else 'runs'}, {percent(self.share(runs))}"

    def taken(self, edge: Edge) -> int:
        """Return the number of times that an edge was taken; 0 without counts."""
        return self._taken.get((edge.source, edge.target), 0)

    def label(self, edge: Edge) -> str:
        """Return the outcome of an edge and, with counts, the share of its block's executions that took it."""
        words = [] if edge.outcome is None else [str(edge.outcome).lower()]
        if self.counts is not None:
            block = self.blocks[edge.source]
            is_chain = self._drawn[edge.source].tests > 1
            runs = self.counts.executed[block.start if is_chain else block.stop - 1]
            words += [percent(self.taken(edge) / runs)] if runs else ["0%"]
        return " ".join(words)


def _abridged(lines: list[str], first: int, last: int) -> list[str]:
    """Return the first and the last lines, and between them the number of the others."""
    hidden = len(lines) - first - last
    return lines if hidden <= 0 else [*lines[:first], f"... {hidden} more", *lines[-last:]]


def _shortened(note: str) -> str:
    return note if len(note) <= _MAX_NOTE else f"{note[: _MAX_NOTE - 4]} ..."


def percent(share: float) -> str:
    """Format a share as a percentage with one decimal; only exact 0 and 1 become 0% and 100%."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{100 * share:.1f}".removesuffix(".0") + "%"


def _system_call_verdict(known: Known) -> tuple[NodeKind, str]:
    action = SeccompAction(known.low if known.value is not None else known.low & ACTION_MASK)
    if action.value != known.high & ACTION_MASK:
        return "depends", "allow or deny"
    return "accept" if action.runs else "reject", action_in_words(action)


def _instruction_text(opcode: Opcode, line: str) -> str:
    """Return an instruction of a listing, without its index and jump targets; tcpdump omits two of the operands."""
    if opcode.operand is Operand.A:
        return f"{opcode.mnemonic} a"
    if opcode.operand is Operand.LENGTH:
        return f"{opcode.mnemonic} #pktlen"
    return " ".join(line.split(") ", 1)[1].split(" jt ", 1)[0].split())


FILLS: Final[dict[NodeKind, str]] = {
    "plain": "#f6f8fa",
    "accept": "#dafbe1",
    "reject": "#ffebe9",
    "depends": "#fff8c5",
}
STROKES: Final[dict[NodeKind, str]] = {
    "plain": "#767676",
    "accept": "#1f883d",
    "reject": "#d73a49",
    "depends": "#9a6700",
}
TEXT_COLOR: Final = "#1f2328"
EDGE_COLORS: Final = {True: STROKES["accept"], False: STROKES["reject"], None: STROKES["plain"]}
_COLD, _HOT = (0xF6, 0xF8, 0xFA), (0xFF, 0x99, 0x44)


def heat_color(share: float) -> str:
    """Return the fill colour of a box that this share of the packets reached."""
    mixed = (round(cold + (hot - cold) * share) for cold, hot in zip(_COLD, _HOT, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)

"""What a picture of a program says and in which colours, whatever its format."""

from typing import Final, Literal, TypeAlias

from ..analysis.abstract_value import Known
from ..analysis.cfg import Block, Edge
from ..analysis.flow import Flow
from ..analysis.profile import ExecutionCounts, edge_counts
from ..isa.listing import listing
from ..isa.opcodes import OPCODE_BY_CODE, Opcode, Operand

NodeKind: TypeAlias = Literal["plain", "keep", "reject", "depends"]

_MAX_LINES: Final = 24  # of a block; of a longer one, the first and the last are shown
_LAST_LINES: Final = 4
_ALLOWING: Final = {0x7FFF: "allow", 0x7FFC: "allow and log"}  # SECCOMP_RET_ALLOW, SECCOMP_RET_LOG (linux/seccomp.h)


class Labels:
    """What a picture says, whatever its format: the lines of its boxes, the labels of its ways, and their kinds."""

    def __init__(self, flow: Flow, counts: ExecutionCounts | None) -> None:
        self.flow, self.counts = flow, counts
        lines = listing(self.flow.program).split("\n")
        self._instruction_texts = [
            _instruction_text(OPCODE_BY_CODE[raw.op], line) for raw, line in zip(flow.program, lines, strict=True)
        ]
        self._taken = {} if self.counts is None else edge_counts(self.flow, self.counts)

    def lines(self, block: Block, runs: int) -> list[str]:
        """The instructions of a block, and what they come to; with counts, before them how many *runs* came."""
        indices = list(range(block.start, block.stop))
        if len(indices) > _MAX_LINES:
            hidden = len(indices) - _MAX_LINES
            indices[_MAX_LINES - _LAST_LINES : -_LAST_LINES] = [-hidden]
        lines = [f"{one} {self._instruction_texts[one]}" if one >= 0 else f"... {-one} more" for one in indices]
        if self.counts is not None:
            lines.insert(0, self.heat(runs))
        if block.edges and block.edges[0].outcome is not None:
            lines.append(f"{block.edges[0].condition} ?")
        return [*lines, *self.remarks(block)]

    def remarks(self, block: Block) -> list[str]:
        """What is said of a block below its instructions."""
        if not block.is_feasible:
            return ["no run comes here" if block.is_reachable else "unreachable"]
        return [] if block.edges else [self.verdict(block)[1]]

    def kind(self, block: Block) -> NodeKind:
        """What becomes of a packet here."""
        return self.verdict(block)[0] if not block.edges else "plain"

    def verdict(self, block: Block) -> tuple[NodeKind, str]:
        """The kind of the `ret` of a block, and what it does, in words."""
        known = self.flow.verdict(block)
        if known is None:
            return "plain", "no run ends here"
        if self.flow.dialect.record_size is not None:
            return _system_call_verdict(known)
        if known.value == 0:
            return "reject", "reject"
        return ("depends", "keep or reject") if known.may_be(0) else ("keep", "keep")

    def runs(self, block: Block) -> int:
        """How many runs came to a block; 0 without counts."""
        return self.counts.executed[block.start] if self.counts else 0

    def fill(self, block: Block, runs: int) -> str:
        """The colour of a box: what becomes of a packet there, or which part of the packets came there."""
        return FILLS[self.kind(block)] if self.counts is None else heat_color(self.share(runs))

    def share(self, runs: int) -> float:
        """So many runs as a part of all packets."""
        return runs / self.counts.packets if self.counts and self.counts.packets else 0.0

    def heat(self, runs: int) -> str:
        """So many runs in words."""
        return f"{runs:,} {'run' if runs == 1 else 'runs'}, {percent(self.share(runs))}"

    def taken(self, edge: Edge) -> int:
        """How often a way was taken."""
        return self._taken.get((edge.source, edge.target), 0)

    def label(self, edge: Edge) -> str:
        """The outcome of a way, and the share of its block's runs that took it."""
        words = [] if edge.outcome is None else [str(edge.outcome).lower()]
        if self.counts is not None:
            runs = self.counts.executed[self.flow.blocks[edge.source].stop - 1]
            words += [percent(self.taken(edge) / runs)] if runs else ["0%"]
        return " ".join(words)


def percent(share: float) -> str:
    """A share with a digit behind the point; only what is nothing or all is shown as such."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{100 * share:.1f}".removesuffix(".0") + "%"


def _system_call_verdict(known: Known) -> tuple[NodeKind, str]:
    if known.low >> 16 != known.high >> 16:
        return "depends", "allow or deny"
    allowed = _ALLOWING.get(known.low >> 16)
    return ("keep", allowed) if allowed else ("reject", "deny")


def _instruction_text(opcode: Opcode, line: str) -> str:
    """An instruction of a listing, without its number and where it jumps to; tcpdump is silent on two operands."""
    if opcode.operand is Operand.A:
        return f"{opcode.mnemonic} a"
    if opcode.operand is Operand.LENGTH:
        return f"{opcode.mnemonic} #pktlen"
    return " ".join(line.split(") ", 1)[1].split(" jt ", 1)[0].split())


FILLS: Final[dict[NodeKind, str]] = {"plain": "#f6f8fa", "keep": "#dafbe1", "reject": "#ffebe9", "depends": "#fff8c5"}
STROKES: Final[dict[NodeKind, str]] = {"plain": "#767676", "keep": "#1f883d", "reject": "#d73a49", "depends": "#9a6700"}
TEXT_COLOR: Final = "#1f2328"
EDGE_COLORS: Final = {True: STROKES["keep"], False: STROKES["reject"], None: STROKES["plain"]}
_COLD, _HOT = (0xF6, 0xF8, 0xFA), (0xFF, 0x99, 0x44)


def heat_color(share: float) -> str:
    """The fill of a box through which that share of packets goes."""
    mixed = (round(cold + (hot - cold) * share) for cold, hot in zip(_COLD, _HOT, strict=True))
    return "#" + "".join(f"{one:02x}" for one in mixed)

"""Instructions without jumps, as steps: what each does with the registers, beside its bits."""

from typing import Final, NamedTuple, TypeAlias

from ...isa.dialects import Dialect
from ...isa.opcodes import CODE_OF, EXTENSION_OFFSET, Action, Extension, Operand
from ..ir.value_numbering import TooLarge

Content: TypeAlias = int | None
"""The expression that a register holds; None: unknown."""


class RegisterContents(NamedTuple):
    """What the registers hold."""

    a: Content
    x: Content


class SelectedInstruction(NamedTuple):
    """An instruction that goes on to the next.

    after: what the registers hold behind it. reads_a, reads_x, writes_a, writes_x: what it does with them. stored: the
    scratch slot that it writes, loaded: the one that it reads. checks: it is there for what it rejects, or it draws a
    number, so no way may skip it.
    """

    code: int
    k: int
    after: RegisterContents
    reads_a: bool = False
    reads_x: bool = False
    writes_a: bool = False
    writes_x: bool = False
    stored: int | None = None
    loaded: int | None = None
    checks: bool = False


Steps: TypeAlias = tuple[SelectedInstruction, ...]

_WRITE_X: Final = frozenset({Action.LOAD_X, Action.TAX})
_STORES: Final = frozenset({Action.STORE_A, Action.STORE_X})
_LOADS: Final = frozenset({Action.LOAD_A, Action.LOAD_X})
_DO_NOT_READ_A: Final = _LOADS | {Action.STORE_X, Action.TXA}
_SEARCHES: Final = (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED)


def select_instruction(
    dialect: Dialect, action: Action, operand: Operand, k: int, after: RegisterContents, *, size: int = 4
) -> SelectedInstruction:
    """The step of an opcode. Raises `TooLarge` if the dialect has no such."""
    code = CODE_OF[action, operand, size]
    if code not in dialect.opcodes:
        raise TooLarge
    slot = k if operand is Operand.SCRATCH else None
    stores = action in _STORES
    return SelectedInstruction(
        code,
        k,
        after,
        reads_a=action not in _DO_NOT_READ_A,
        reads_x=operand in (Operand.X, Operand.INDIRECT) or action in (Action.TXA, Action.STORE_X),
        writes_a=action not in _WRITE_X and not stores,
        writes_x=action in _WRITE_X,
        stored=slot if stores else None,
        loaded=None if stores else slot,
    )


def select_extension_load(dialect: Dialect, extension: Extension, after: RegisterContents) -> SelectedInstruction:
    """The step of an extension load; a search reads both registers."""
    made = select_instruction(dialect, Action.LOAD_A, Operand.ABSOLUTE, EXTENSION_OFFSET + extension, after)
    searches = extension in _SEARCHES
    return made._replace(reads_a=searches, reads_x=searches)


def contents_after(steps: Steps | None, held: RegisterContents) -> RegisterContents:
    """What the registers hold behind steps, before which they held *held*."""
    return steps[-1].after if steps else held

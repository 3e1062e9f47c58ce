"""Straight-line code: instructions without jumps, with their effects on the registers."""

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from ...isa.dialects import Dialect
from ...isa.enumerations import Extension, extension_size
from ...isa.opcodes import CODE_OF, EXTENSION_OFFSET, Action, Operand
from ..ir.requirements import ValueId
from ..ir.value_numbering import TooLarge


class RegisterContents(NamedTuple):
    """The values in A and X; None: unknown."""

    a: ValueId | None
    x: ValueId | None


class SelectedInstruction(NamedTuple):
    """An instruction whose only successor is the next one.

    Args:
        code: The opcode.
        k: The operand.
        after: The register contents after the instruction.
        reads_a: Whether the instruction reads A.
        reads_x: Whether the instruction reads X.
        writes_a: Whether the instruction writes A.
        writes_x: Whether the instruction writes X.
        stored: The scratch slot that is written, or None.
        loaded: The scratch slot that is read, or None.
        is_effect: Whether the instruction must be executed on every path, because it checks a requirement or draws a
            random number.
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
    is_effect: bool = False


StraightLineCode: TypeAlias = tuple[SelectedInstruction, ...]

_WRITE_X: Final = frozenset({Action.LOAD_X, Action.TAX})
_STORES: Final = frozenset({Action.STORE_A, Action.STORE_X})
_LOADS: Final = frozenset({Action.LOAD_A, Action.LOAD_X})
_DO_NOT_READ_A: Final = _LOADS | {Action.STORE_X, Action.TXA}
_SEARCHES: Final = (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED)


def select_instruction(
    dialect: Dialect, action: Action, operand: Operand, k: int, after: RegisterContents, *, size: int = 4
) -> SelectedInstruction:
    """Return an instruction with its effects; raise `TooLarge` if the dialect does not have its opcode."""
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
    """Return an extension load with its effects; a netlink search reads both registers."""
    size, k = extension_size(extension), EXTENSION_OFFSET + extension
    load = select_instruction(dialect, Action.LOAD_A, Operand.ABSOLUTE, k, after, size=size)
    is_search = extension in _SEARCHES
    return load._replace(reads_a=is_search, reads_x=is_search)


def contents_after(code: StraightLineCode | None, before: RegisterContents) -> RegisterContents:
    """Return the register contents after code that is entered with the contents *before*."""
    return code[-1].after if code else before

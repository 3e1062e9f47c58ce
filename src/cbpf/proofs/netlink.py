"""The search for netlink attributes as a term: `socket_buffer` has it as a loop, and says where it comes from.

The first attributes are followed exactly. What comes behind them is a function of which nothing is known but that equal
searches give equal offsets, and where these may lie: what is proved holds for it too, and a packet that was found may
need another look.
"""

from typing import Final

from ..isa.opcodes import Action, Extension
from .symbolic_packet import SymbolicPacket
from .terms import TruthTerm, WordTerm

_FOLLOWED: Final = 3  # attributes
_HEADER: Final = 4  # struct nlattr: 16-bit length, 16-bit type, in host order
_TYPE_MASK: Final = 0x3FFF


def search(unknowns: SymbolicPacket, extension: Extension, a: WordTerm, x: WordTerm) -> WordTerm:
    """The offset of the first attribute of type *x* from offset *a* on, or inside the attribute there; 0 for none."""
    terms = unknowns.terms
    last = terms.arithmetic(Action.SUB, unknowns.captured, _HEADER)
    begins = terms.all(terms.at_most(_HEADER, unknowns.captured), terms.at_most(a, last))
    start, end = a, unknowns.captured
    if extension is Extension.NETLINK_ATTR_NESTED:
        size = unknowns.load(a, 2, "little")
        room = terms.arithmetic(Action.SUB, end, a)
        begins = terms.all(begins, terms.at_most(size, room), terms.at_most(_HEADER, size))
        start, end = terms.arithmetic(Action.ADD, a, _HEADER), terms.arithmetic(Action.ADD, a, size)
    return terms.select(begins, _follow(unknowns, start, end, x, begins, _FOLLOWED), 0)


def _follow(
    unknowns: SymbolicPacket, start: WordTerm, end: WordTerm, kind: WordTerm, condition: TruthTerm, attributes: int
) -> WordTerm:
    """The search in start..end, where start is not much beyond end; *condition*: whether it comes here at all."""
    terms = unknowns.terms
    room = terms.arithmetic(Action.SUB, end, start)
    begins = terms.signed_at_most(_HEADER, room)
    if attributes == 0:
        guess = unknowns.guess(terms.all(condition, begins), start, end, kind)
        inside = terms.all(
            terms.at_most(start, guess), terms.at_most(guess, terms.arithmetic(Action.SUB, end, _HEADER))
        )
        return terms.select(terms.all(begins, terms.at_most(kind, _TYPE_MASK), inside), guess, 0)
    size = unknowns.load(start, 2, "little")
    name = terms.arithmetic(Action.AND, unknowns.load(terms.arithmetic(Action.ADD, start, 2), 2, "little"), _TYPE_MASK)
    fits = terms.all(begins, terms.at_most(_HEADER, size), terms.at_most(size, room))
    found = terms.equal(name, kind)
    step = terms.arithmetic(Action.AND, terms.arithmetic(Action.ADD, size, 3), 0xFFFF_FFFC)
    following = terms.arithmetic(Action.ADD, start, step)
    goes_on = terms.all(condition, fits, terms.opposite(found))
    behind = _follow(unknowns, following, end, kind, goes_on, attributes - 1)
    return terms.select(fits, terms.select(found, start, behind), 0)

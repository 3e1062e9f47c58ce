"""The search for netlink attributes as a term; `packet.skb` has the search as a loop, and names its source.

The first three attributes are modelled exactly. The result for later attributes is an uninterpreted function: equal
searches give equal offsets, within the range of possible offsets. A proof under this model also holds for the real
search, whereas a counterexample may be spurious and is confirmed by a run.
"""

from .._typing import Final
from ..isa.enumerations import Extension
from ..isa.opcodes import Action
from .symbolic_packet import SymbolicPacket
from .terms import BoolTerm, WordTerm

_MODELLED_ATTRIBUTES: Final = 3
_HEADER_SIZE: Final = 4  # struct nlattr: 16-bit length, 16-bit type, in host order (little-endian)
_TYPE_MASK: Final = 0x3FFF  # NLA_TYPE_MASK: 14 bits


def find_attribute(packet: SymbolicPacket, extension: Extension, a: WordTerm, x: WordTerm) -> WordTerm:
    """Return the offset of the first attribute of type *x*, or 0.

    NETLINK_ATTR searches the packet from offset *a*, NETLINK_ATTR_NESTED inside the attribute at offset *a*.
    """
    terms = packet.terms
    last = terms.arithmetic(Action.SUB, packet.captured, _HEADER_SIZE)
    is_valid = terms.all(terms.at_most(_HEADER_SIZE, packet.captured), terms.at_most(a, last))
    start, end = a, packet.captured
    if extension is Extension.NETLINK_ATTR_NESTED:
        size = packet.load(a, 2, "little")
        available = terms.arithmetic(Action.SUB, end, a)
        is_valid = terms.all(is_valid, terms.at_most(size, available), terms.at_most(_HEADER_SIZE, size))
        start, end = terms.arithmetic(Action.ADD, a, _HEADER_SIZE), terms.arithmetic(Action.ADD, a, size)
    return terms.select(is_valid, _search(packet, start, end, x, is_valid, _MODELLED_ATTRIBUTES), 0)


def _search(
    packet: SymbolicPacket,
    start: WordTerm,
    end: WordTerm,
    attribute_type: WordTerm,
    path_condition: BoolTerm,
    remaining: int,
) -> WordTerm:
    """Return the result of the search in start..end, of which *remaining* attributes are modelled.

    The path condition holds if the search reaches *start*, which then exceeds *end* by at most 3 bytes of alignment.
    """
    terms = packet.terms
    available = terms.arithmetic(Action.SUB, end, start)
    has_header = terms.signed_at_most(_HEADER_SIZE, available)
    if remaining == 0:
        return _unmodelled(packet, start, end, attribute_type, path_condition, has_header)
    size = packet.load(start, 2, "little")
    type_offset = terms.arithmetic(Action.ADD, start, 2)
    found_type = terms.arithmetic(Action.AND, packet.load(type_offset, 2, "little"), _TYPE_MASK)
    fits = terms.all(has_header, terms.at_most(_HEADER_SIZE, size), terms.at_most(size, available))
    matches = terms.equal(found_type, attribute_type)
    aligned_size = terms.arithmetic(Action.AND, terms.arithmetic(Action.ADD, size, 3), 0xFFFF_FFFC)
    next_start = terms.arithmetic(Action.ADD, start, aligned_size)
    continues = terms.all(path_condition, fits, terms.negate(matches))
    rest = _search(packet, next_start, end, attribute_type, continues, remaining - 1)
    return terms.select(fits, terms.select(matches, start, rest), 0)


def _unmodelled(
    packet: SymbolicPacket,
    start: WordTerm,
    end: WordTerm,
    attribute_type: WordTerm,
    path_condition: BoolTerm,
    has_header: BoolTerm,
) -> WordTerm:
    """Return any offset at which a header fits into start..end, or 0: the result for the attributes from *start*."""
    terms = packet.terms
    offset = packet.unmodelled_search(terms.all(path_condition, has_header), start, end, attribute_type)
    is_after_start = terms.at_most(start, offset)
    is_before_end = terms.at_most(offset, terms.arithmetic(Action.SUB, end, _HEADER_SIZE))
    is_in_range = terms.all(is_after_start, is_before_end)
    return terms.select(terms.all(has_header, terms.at_most(attribute_type, _TYPE_MASK), is_in_range), offset, 0)

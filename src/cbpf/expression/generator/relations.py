"""Relations: comparisons of arithmetic expressions over the bytes of headers.

Each value is computed into a scratch slot, as in libpcap: so the number of values that wait for their operators is
limited. A value carries the checks of the headers that it looks into; of an operation, only those of the left operand
remain.
"""

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.opcodes import Action
from ...isa.raw_instruction import RawInstruction
from ..syntax_tree import Arithmetic, Binary, Length, Load, Negate, Number, Relation
from .conditions import Condition, all_of, compared, equals
from .context import Context
from .link_layers import AVS, EN10MB, PRISM, RADIOTAP, Offset
from .network_protocols import PAYLOADS, TRANSPORTS, protocol_is
from .payload_types import IPV4, IPV6, TAG_TYPES, payload_is, warn_of_tag_in_bytes
from .ports import ipv4_header_length, is_first_fragment
from .steps import (
    A_TO_X,
    NEGATE,
    Steps,
    add,
    arithmetic,
    constant,
    indirect,
    scratch_to_a,
    scratch_to_x,
    store_a,
)

_OPERATIONS: Final = {
    "+": Action.ADD,
    "-": Action.SUB,
    "*": Action.MUL,
    "/": Action.DIV,
    "%": Action.MOD,
    "&": Action.AND,
    "|": Action.OR,
    "^": Action.XOR,
    "<<": Action.SHIFT_LEFT,
    ">>": Action.SHIFT_RIGHT,
}
_HEADERS: Final = frozenset({"ip", "arp", "rarp", "ip6", "atalk", "decnet", "sca", "lat", "mopdl", "moprc"})
"""The protocols whose header is the network header."""
_BEHIND_IPV4: Final = frozenset({"tcp", "udp", "sctp", "icmp", "igmp", "igrp", "pim", "vrrp", "carp"})
"""The protocols whose header is looked for after an IPv4 header."""
_IPV6_LENGTH: Final = 40
_TYPE_OFFSET: Final = 12  # bytes, in an Ethernet frame


class _Value(NamedTuple):
    """A value, computed by steps into a scratch slot.

    Args:
        steps: The instructions that compute it.
        slot: The slot.
        checks: The condition under which the value has a meaning.
        literal: The number that the first step loads; None if it loads no number.
    """

    steps: list[RawInstruction]
    slot: int
    checks: Condition
    literal: int | None


def relation(context: Context, node: Relation) -> Condition:
    """Return the condition of a relation: the checks of both sides, their values, and the comparison."""
    if compares_tag_type(node) and context.headers.link_type == EN10MB and context.is_before_headers:
        warn_of_tag_in_bytes(context)
    left, right = _value(context, node.left), _value(context, node.right)
    steps = (*left.steps, *right.steps, scratch_to_x(right.slot), scratch_to_a(left.slot))
    context.release(left.slot)
    context.release(right.slot)
    return all_of((left.checks, right.checks, compared(steps, node.operator, None)))


def compares_tag_type(relation: Relation) -> bool:
    """Return whether a relation compares the type of an Ethernet frame with that of a VLAN tag."""
    match relation.left, relation.right:
        case Load("link", Number(value=offset), 2), Number(value=number):
            return offset == _TYPE_OFFSET and number in TAG_TYPES
    return False


def _value(context: Context, root: Arithmetic) -> _Value:
    """Return the value of an arithmetic expression; without recursion, as an expression may be very deep."""
    values: list[_Value] = []
    for node in _operands_first(root):
        context.span = node.span
        if isinstance(node, Binary):
            right, left = values.pop(), values.pop()
            values.append(_operation(context, node, left, right))
        elif isinstance(node, Negate):
            operand = values[-1]
            operand.steps.extend((scratch_to_a(operand.slot), NEGATE, store_a(operand.slot)))
        elif isinstance(node, Load):
            values.append(_load(context, node, values.pop()))
        elif isinstance(node, Length):
            slot = context.reserve()
            values.append(_Value([*context.wire_length(), store_a(slot)], slot, True, None))
        else:
            slot = context.reserve()
            values.append(_Value([constant(node.value), store_a(slot)], slot, True, node.value))
    return values.pop()


def _operands_first(root: Arithmetic) -> list[Arithmetic]:
    """Return the nodes of a tree, each after its operands, the left one first."""
    nodes, stack = [], [root]
    while stack:
        node = stack.pop()
        nodes.append(node)
        if isinstance(node, Binary):
            stack += (node.left, node.right)
        elif isinstance(node, Negate):
            stack.append(node.operand)
        elif isinstance(node, Load):
            stack.append(node.offset)
    return nodes[::-1]


def _operation(context: Context, node: Binary, left: _Value, right: _Value) -> _Value:
    if node.operator in ("/", "%") and right.literal == 0:
        context.reject("range", "division by 0", "write another divisor", at=node.right.span)
    if node.operator in ("<<", ">>") and right.literal is not None and right.literal > 31:
        context.reject(
            "range", f"shift by {right.literal} bits", "a value has 32 bits, so a shift is 0..31", at=node.right.span
        )
    left.steps.extend(right.steps)
    context.release(right.slot)
    combined = [scratch_to_x(right.slot), scratch_to_a(left.slot), arithmetic(_OPERATIONS[node.operator])]
    left.steps.extend(combined)
    context.release(left.slot)
    slot = context.reserve()
    left.steps.append(store_a(slot))
    return left._replace(slot=slot)


def _load(context: Context, node: Load, offset: _Value) -> _Value:
    if node.size not in (1, 2, 4):
        context.reject("range", f"{node.size} bytes cannot be loaded at once", "a size is 1, 2 or 4 bytes")
    slot = context.reserve()
    context.release(offset.slot)
    steps, checks = _field(context, node, offset)
    offset.steps.extend((*steps, store_a(slot)))
    literal = offset.literal
    return _Value(offset.steps, slot, checks, literal)


def _field(context: Context, node: Load, offset: _Value) -> tuple[Steps, Condition]:
    """Return the steps that load from a header at an offset, and the checks that the header exists."""
    name, headers = node.protocol, context.headers
    if name == "link":
        return _at(context, context.link_header, offset, node.size), offset.checks
    if name == "radio":
        if headers.link_type not in (PRISM, RADIOTAP, AVS):
            fact = f"link type {context.link_type_name} has no radio header"
            context.reject("link-type", fact, "only IEEE802_11_RADIO, IEEE802_11_RADIO_AVS and PRISM_HEADER have one")
        return (scratch_to_x(offset.slot), indirect(0, node.size)), offset.checks
    if name in _HEADERS:
        checks = all_of((offset.checks, payload_is(context, PAYLOADS[name])))
        return _at(context, headers.network_header, offset, node.size), checks
    if name in _BEHIND_IPV4:
        checks = all_of(
            (payload_is(context, IPV4), offset.checks, protocol_is(context, name), is_first_fragment(context))
        )
        sum_of_both = (scratch_to_a(offset.slot), add(), A_TO_X)
        start = headers.network_header.constant
        return (*ipv4_header_length(context), *sum_of_both, indirect(start, node.size)), checks
    if name == "icmp6":
        is_icmp6 = equals(context.network(6, 1), TRANSPORTS[name])
        checks = all_of((offset.checks, payload_is(context, IPV6), is_icmp6))
        return _at(context, headers.network_header.plus(_IPV6_LENGTH), offset, node.size), checks
    context.reject(
        "qualifier",
        f"the bytes of '{name}' cannot be tested",
        "load from ether, ip, ip6, arp, tcp, udp, sctp, icmp or icmp6",
    )


def _at(context: Context, base: Offset, offset: _Value, size: int) -> Steps:
    """Return the steps that load at *base* plus a value."""
    if base.slot is None:
        return scratch_to_x(offset.slot), indirect(base.constant, size)
    slot = context.slot_of(base.slot)
    return scratch_to_a(offset.slot), scratch_to_x(slot), add(), A_TO_X, indirect(base.constant, size)

"""Rules for primitives that move the offsets of all tests after them: `vlan`, `mpls`, `pppoes`, `geneve` and `vxlan`.

The compiler moves the offsets in the order of the text and restores them never: not at `or`, not after `not`, not at
a closing parenthesis. So `vlan or ip` looks for IP after a VLAN tag that the packet does not have. A test after such a
primitive is right only if it is evaluated only where the primitive is true, as in `vlan and ip`.
"""

from collections.abc import Iterator

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from ..syntax_tree import And, Condition, Match, Not, Or, Primitive, Relation
from .findings import Draft
from .tree_view import TreeView, condition, fold, leaves, loads, operands, with_operands

_EN10MB: Final = 1

_PLACES: Final = {
    "vlan": "4 bytes further",
    "mpls": "4 bytes further",
    "pppoes": "in the PPP frame of a PPPoE session",
    "geneve": "in the inner packet of Geneve",
    "vxlan": "in the inner packet of VXLAN",
}
"""The primitives that move offsets, and the place where later tests look."""

TUNNELS: Final = frozenset({"geneve", "vxlan"})
"""Those whose inner packet has no place where the primitive is false: the offsets are then undefined numbers."""

_WITHIN_PAYLOAD: Final = frozenset({"vlan", "mpls"})
"""Those that leave the offsets of the link header as they are."""

_WITHOUT_OFFSETS: Final = frozenset({"less", "greater", "inbound", "outbound", "ifindex", "ifname"})
_LINK_HEADER: Final = frozenset({"byte", "broadcast", "multicast", "type", "subtype", "dir"})

_Shifts: TypeAlias = tuple[Primitive, ...]
"""The first primitive of each name that moves offsets, in the order of the text."""


class _Leak(NamedTuple):
    """A test whose offsets depend on a primitive that may be false where the test is evaluated."""

    shift: Primitive
    test: Condition


def shifted_tests(view: TreeView) -> Iterator[Draft]:
    """Find tests that a `vlan`, `mpls` or `pppoes` moves although it may be false."""
    yield from _drafts(view, frozenset(_PLACES) - TUNNELS, "{test} is tested {place}, also in packets without {shift}")


def undefined_offsets(view: TreeView) -> Iterator[Draft]:
    """Find tests in the inner packet of a tunnel that may be absent."""
    fact = "the place that {test} looks at is undefined in packets without {shift}"
    yield from _drafts(view, TUNNELS, fact)


def _drafts(view: TreeView, names: frozenset[str], fact: str) -> Iterator[Draft]:
    """Yield a finding for each primitive of some names, with all tests that it moves by mistake."""
    moved: dict[int, list[_Leak]] = {}
    for leak in leaks(view.tree):
        if leak.shift.name in names and not (view.is_live and _has_variable_offset(leak)):
            moved.setdefault(id(leak.shift), []).append(leak)
    if not moved:
        return
    ordered = reordered(view.tree, has_ethernet=view.dlt == _EN10MB and not view.is_live)
    suggestion = "" if any(leaks(ordered)) else view.text_of(ordered)
    for (shift, test), *others in moved.values():
        yield Draft(
            shift.span,
            fact.format(test=view.quote(test), shift=view.quote(shift), place=_PLACES[shift.name]),
            f"{shift.name} moves the offsets of all tests after it, even after 'or', 'not' and ')'",
            (test.span, *(leak.test.span for leak in others)),
            suggestion,
        )


def _has_variable_offset(leak: _Leak) -> bool:
    """Return whether a program of a live socket moves the test only in packets that have a tag in their bytes.

    A second `vlan` tests the inner tag in all packets.
    """
    is_second_tag = isinstance(leak.test, Primitive) and leak.test.name == "vlan"
    return leak.shift.name == "vlan" and not is_second_tag


# Analysis


class _Exits(NamedTuple):
    """The primitives in a condition that may be false after the condition was true, and after it was false."""

    if_true: _Shifts
    if_false: _Shifts


def leaks(tree: Condition) -> Iterator[_Leak]:
    """Yield each test whose offsets depend on a primitive that may be false where the test is evaluated."""
    exits = _all_exits(tree)
    pending: list[tuple[Condition, _Shifts]] = [(tree, ())]
    while pending:
        node, entry = pending.pop()
        if not operands(node):
            yield from (_Leak(shift, node) for shift in entry if _is_moved(node, shift.name))
        following = []
        for operand in operands(node):
            following.append((operand, entry))
            after = exits[id(operand)]
            entry = _joined(entry, after.if_true if isinstance(node, And) else after.if_false)
        pending.extend(reversed(following))


def _all_exits(tree: Condition) -> dict[int, _Exits]:
    """Return the exits of each condition in a tree, by its `id`."""
    exits: dict[int, _Exits] = {}

    def combine(node: Condition, parts: list[_Exits]) -> _Exits:
        exits[id(node)] = result = _exits(node, parts)
        return result

    fold(tree, operands, combine)
    return exits


def _exits(node: Condition, parts: list[_Exits]) -> _Exits:
    """Return the primitives that may be false after a condition, from those of its operands."""
    if not parts:
        return _Exits((), (node,) if _moves(node) else ())  # type: ignore[arg-type]
    if isinstance(node, Not):
        return _Exits(parts[0].if_false, parts[0].if_true)
    everywhere = _joined(*(shifts for part in parts for shifts in part))
    if isinstance(node, And):  # true only after all operands were true; false after any of them
        return _Exits(_joined(*(part.if_true for part in parts)), everywhere)
    return _Exits(everywhere, _joined(*(part.if_false for part in parts)))


def _joined(*parts: _Shifts) -> _Shifts:
    first: dict[str, Primitive] = {}
    for shifts in parts:
        for shift in shifts:
            first.setdefault(shift.name, shift)
    return tuple(first.values())


def _moves(node: Condition) -> bool:
    return isinstance(node, Primitive) and node.name in _PLACES


def _is_moved(test: Condition, name: str) -> bool:
    """Return whether a primitive moves the offsets of a test."""
    if isinstance(test, Primitive) and test.name in _WITHOUT_OFFSETS:
        return False
    if isinstance(test, Relation) and not any(loads(test)):
        return False
    return name not in _WITHIN_PAYLOAD or not _is_of_link_header(test)


def _is_of_link_header(test: Condition) -> bool:
    match test:
        case Match(qualifiers):
            return qualifiers.protocol == "link" and qualifiers.kind in (None, "host")
        case Primitive(name, protocol):
            return name in _LINK_HEADER and protocol in (None, "link")
        case Relation():
            return all(load.protocol in ("link", "radio") for load in loads(test))
    return False


# Correction


def reordered(tree: Condition, *, has_ethernet: bool) -> Condition:
    """Return a tree in which the tests that a primitive must not move precede it.

    `vlan or ip` becomes `ip or vlan`. Alternatives that begin with a VLAN tag have the tag in common if the packets are
    Ethernet frames: `vlan 5 or vlan 6` becomes `vlan and (ether[14:2] & 0xfff = 5 or ether[14:2] & 0xfff = 6)`.
    """
    first_tag = next((node for node in leaves(tree) if _moves(node)), None) if has_ethernet else None

    def combine(node: Condition, inner: list[_Part]) -> _Part:
        if not isinstance(node, And | Or):
            changed = with_operands(node, [part.condition for part in inner]) if inner else node
            return _Part(changed, _exits(node, [part.exits for part in inner]))
        moving = [part for part in inner if part.may_move(node)]
        if isinstance(node, Or) and len(moving) > 1 and _tag(moving[0].condition) is first_tag is not None:
            moving = [_part(condition) for condition in _with_common_tag([part.condition for part in moving])]
        parts = [*(part for part in inner if not part.may_move(node)), *moving]
        exits = parts[0].exits if len(parts) == 1 else _exits(node, [part.exits for part in parts])
        return _Part(with_operands(node, [part.condition for part in parts]), exits)

    return fold(tree, operands, combine).condition


class _Part(NamedTuple):
    """A condition in its new order, and its exits."""

    condition: Condition
    exits: _Exits

    def may_move(self, junction: And | Or) -> bool:
        """Return whether the condition moves the operands of a junction after it although it may be false."""
        return bool(self.exits.if_true if isinstance(junction, And) else self.exits.if_false)


def _part(condition: Condition) -> _Part:
    return _Part(condition, _all_exits(condition)[id(condition)])


def _tag(alternative: Condition) -> Primitive | None:
    """Return the `vlan` with which an alternative begins, if it begins with one."""
    first = alternative.operands[0] if isinstance(alternative, And) else alternative
    return first if isinstance(first, Primitive) and first.name == "vlan" else None


def _with_common_tag(alternatives: list[Condition]) -> list[Condition]:
    """Return alternatives that begin with a VLAN tag as one condition that begins with it; others remain."""
    tags = [tag for tag in map(_tag, alternatives) if tag is not None]
    if len(tags) < len(alternatives):
        return alternatives
    rest: list[Condition] = []
    for alternative, tag in zip(alternatives, tags, strict=True):
        numbers = [condition(f"ether[14:2] & 0xfff = {tag.arguments[0].value}")] if tag.arguments else []
        others = list(alternative.operands[1:]) if isinstance(alternative, And) else []
        if not (numbers or others):
            return [tag]  # it includes the other alternatives
        rest.append(with_operands(And((), tag.span), [*numbers, *others]))
    span = tags[0].span
    return [And((Primitive("vlan", None, (), span), with_operands(Or((), span), rest)), span)]

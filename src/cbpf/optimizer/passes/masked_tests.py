r"""Masked tests: a switch on a value becomes a switch on some of its bits, if that takes fewer instructions.

A test of a network is a test of a range, so it needs no mask. But several networks of one prefix length need two jumps
each, and only one after an `and`. A set of values that agree in some bits and take all values in the others needs one
jump after an `and`.

>>> from cbpf import Program, parse
>>> from cbpf.isa.dialects import PCAP
>>> from cbpf.optimizer.codegen.emit import emit
>>> from cbpf.optimizer.ir.value_numbering import ValueTable
>>> from cbpf.optimizer.lift import lift
>>> text = "ldb [0]\nand #0xf0\njeq #0x40,3,0\nldb [0]\nand #0xf0\njeq #0x80,0,1\nret #1\nret #0"
>>> diagram, root = lift(parse(text), ValueTable(PCAP))
>>> from cbpf.optimizer.passes.switch_merging import merge_switches
>>> root = merge_switches(diagram, root)
>>> print(Program(emit(diagram, root, "size")))  # before
(000) ldb      [0]
(001) jge      #0x90            jt 6	jf 2
(002) jge      #0x80            jt 5	jf 3
(003) jge      #0x50            jt 6	jf 4
(004) jge      #0x40            jt 5	jf 6
(005) ret      #1
(006) ret      #0
>>> print(Program(emit(diagram, mask_tests(diagram, root), "size")))  # after
(000) ldb      [0]
(001) and      #0xf0
(002) jeq      #0x40            jt 4	jf 3
(003) jeq      #0x80            jt 4	jf 5
(004) ret      #1
(005) ret      #0
"""

from collections.abc import Iterator

from ..._typing import Final, TypeGuard
from ...isa.opcodes import WORD_MASK, Action
from ...isa.word_ranges import Ranges
from ..codegen.switch_lowering import JumpChain, lower_switch
from ..ir.diagram import Diagram, Node, NodeId, Switch, ranges_of_targets
from ..ir.requirements import ValueId
from ..ir.simplify import simplify_operation

_MAX_ARMS: Final = 64


def mask_tests(diagram: Diagram, root: NodeId) -> NodeId:
    """Return the root of an equivalent diagram in which a switch tests masked values if that takes less code."""
    order = diagram.topological_order(root)
    if not any(_may_shorten(diagram.nodes[node_id], diagram) for node_id in order):
        return root
    rebuilt: dict[NodeId, NodeId] = {}
    for node_id in reversed(order):
        rebuilt[node_id] = _shortest(diagram, diagram.rebuild(node_id, rebuilt))
    return rebuilt[root]


def _may_shorten(node: Node, diagram: Diagram) -> TypeGuard[Switch]:
    """Return whether a switch may take more than the two instructions that it takes after an `and`."""
    if not isinstance(node, Switch) or len(node.starts) > _MAX_ARMS:
        return False
    return len(node.starts) > 3 or (len(node.starts) == 3 and _masks(diagram, node.value))


def _shortest(diagram: Diagram, node_id: NodeId) -> NodeId:
    node = diagram.nodes[node_id]
    if not _may_shorten(node, diagram):
        return node_id
    candidates = [*_without_low_bits(diagram, node), *_with_fixed_bits(diagram, node)]
    if not candidates:
        return node_id
    return min(node_id, *candidates, key=lambda candidate: _code_size(diagram, candidate, node.value))


def _code_size(diagram: Diagram, node_id: NodeId, value: ValueId) -> int:
    """Return the number of jumps of a switch, plus that of the `and` if it needs one that *value* does not contain."""
    node, table = diagram.nodes[node_id], diagram.values
    assert isinstance(node, Switch)
    if _masks(diagram, node.value) and node.starts == (0, 1):
        return 1  # `jset`
    chain = lower_switch(node.starts, node.targets, table.upper[node.value], None)
    assert isinstance(chain, JumpChain)
    return len(chain.jumps) + (_masks(diagram, node.value) and not _masks(diagram, value))


def _masks(diagram: Diagram, value: ValueId) -> bool:
    return diagram.values.split_constant(value, Action.AND) is not None


def _without_low_bits(diagram: Diagram, node: Switch) -> Iterator[NodeId]:
    """Yield the switch on the value without the lowest bits, which no start of an arm has set."""
    step = min(start & -start for start in node.starts[1:])
    if step == 1:
        return
    masked = simplify_operation(diagram.values, Action.AND, node.value, diagram.values.constant(WORD_MASK & -step))
    ends = [*node.starts[1:], diagram.values.upper[masked] + step]
    is_single = [end - start == step for start, end in zip(node.starts, ends, strict=True)]
    starts = list(node.starts)
    for index in range(1, len(starts)):
        if is_single[index - 1] and not is_single[index]:  # no masked value is between the two arms
            starts[index] -= step - 1
    yield diagram.switch(masked, zip(starts, node.targets, strict=True))


def _with_fixed_bits(diagram: Diagram, node: Switch) -> Iterator[NodeId]:
    """Yield the test of the bits in which all values of a target agree, if these values are all such values."""
    table = diagram.values
    ranges_by_target = ranges_of_targets(node, table.upper[node.value])
    if len(ranges_by_target) != 2:
        return
    for target, ranges in ranges_by_target.items():
        (other,) = ranges_by_target.keys() - {target}
        mask, bits = _fixed_bits(ranges)
        if sum(high - low + 1 for low, high in ranges) == 1 << (WORD_MASK & ~mask).bit_count():
            masked = simplify_operation(table, Action.AND, node.value, table.constant(mask))
            yield diagram.test(masked, ((bits, bits),), target, other)


def _fixed_bits(ranges: Ranges) -> tuple[int, int]:
    """Return a mask of the bits in which all values in *ranges* agree, and these bits."""
    always, ever = WORD_MASK, 0
    for low, high in ranges:
        varying = (1 << (low ^ high).bit_length()) - 1
        always &= low & ~varying
        ever |= high | varying
    return WORD_MASK & ~(always ^ ever), always

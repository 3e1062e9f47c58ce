r"""List expansion: tests of a placeholder become tests of a list of addresses or ports.

The program contains placeholders: constants that each represent a list (`placeholders`). A test of a placeholder
becomes a test of the list's ranges. The placeholder of IPv6 addresses is tested as four consecutive 32-bit words; this
chain becomes a tree of tests.

>>> from cbpf import Program, parse
>>> from cbpf.isa.dialects import PCAP
>>> from cbpf.optimizer.codegen.emit import emit
>>> from cbpf.optimizer.ir.value_numbering import ValueTable
>>> from cbpf.optimizer.lift import lift
>>> program = parse("ldh [22]\njeq #0xfff0,0,1\nret #1\nret #0")  # 0xfff0 represents the list of ports
>>> diagram, root = lift(program, ValueTable(PCAP))
>>> placeholders = Placeholders(host=1, host6=(2, 3, 4, 5), port=0xFFF0)
>>> ports = AddressRanges(ports=((443, 443), (8000, 8999)))
>>> print(Program(emit(diagram, root, "size")))  # before
(000) ldh      [22]
(001) jeq      #0xfff0          jt 2	jf 3
(002) ret      #1
(003) ret      #0
>>> print(Program(emit(diagram, expand_lists(diagram, root, placeholders, ports), "size")))  # after
(000) ldh      [22]
(001) jeq      #0x1bb           jt 4	jf 2
(002) jge      #0x2328          jt 5	jf 3
(003) jge      #0x1f40          jt 4	jf 5
(004) ret      #1
(005) ret      #0
"""

from collections.abc import Sequence
from typing import NamedTuple

from ...isa.opcodes import WORD_MASK
from ...isa.word_ranges import Ranges, union
from ..ir.diagram import Arm, Diagram, NodeId, Switch
from ..ir.requirements import ValueId
from ..ir.value_numbering import ByteLoad
from ..placeholders import AddressRanges, IPv6Words, PlaceholderMismatch, Placeholders


class _WordChain(NamedTuple):
    """The chain that tests the four words of an IPv6 address: its nodes, their values, and its two targets."""

    node_ids: list[NodeId]
    values: list[ValueId]
    on_equal: NodeId
    on_different: NodeId


def expand_lists(diagram: Diagram, root: NodeId, placeholders: Placeholders, lists: AddressRanges) -> NodeId:
    """Return the root of a diagram that tests the lists where *diagram* tests the placeholders.

    Raises `PlaceholderMismatch` if the placeholder of a list is not tested, or not tested for equality.
    """
    expanded: set[Ranges] = set()
    placeholder_tests: set[NodeId] = set()
    expanded_tests: set[NodeId] = set()
    rebuilt: dict[NodeId, NodeId] = {}
    constants = placeholders.constants
    for node_id in reversed(diagram.topological_order(root)):
        node = diagram.nodes[node_id]
        rebuilt[node_id] = diagram.rebuild(node_id, rebuilt)
        if isinstance(node, Switch) and len(node.starts) == 3 and node.starts[1] in constants:
            placeholder_tests.add(node_id)
            chain = _word_chain_from(diagram, node_id, placeholders.host6)
            ranges = lists.hosts6 if chain is not None else _list_of(diagram, node, placeholders, lists)
            if ranges and chain is not None:
                on_equal, on_different = rebuilt[chain.on_equal], rebuilt[chain.on_different]
                rebuilt[node_id] = _build_tree(diagram, chain.values, ranges, on_equal, on_different)
                expanded_tests.update(chain.node_ids)
            elif ranges:
                rebuilt[node_id] = diagram.test(node.value, ranges, rebuilt[node.targets[1]], rebuilt[node.targets[0]])
                expanded_tests.add(node_id)
            expanded.add(ranges)
    if expanded - {()} != {ranges for ranges in lists if ranges} or placeholder_tests != expanded_tests:
        raise PlaceholderMismatch
    return rebuilt[root]


def _list_of(diagram: Diagram, node: Switch, placeholders: Placeholders, lists: AddressRanges) -> Ranges:
    """Return the list whose placeholder a switch compares with a load of its size; empty if there is none."""
    load = diagram.values.definitions[node.value]
    for size, placeholder, ranges in ((4, placeholders.host, lists.hosts), (2, placeholders.port, lists.ports)):
        if isinstance(load, ByteLoad) and load.size == size and _tests_equality(node, placeholder):
            return ranges
    return ()


def _tests_equality(node: Switch, constant: int) -> bool:
    return node.starts == (0, constant, constant + 1) and node.targets[0] == node.targets[2]


def _word_chain_from(diagram: Diagram, node_id: NodeId, words: IPv6Words) -> _WordChain | None:
    """Return the chain from a node onwards that compares the words of an address in order, or None."""
    node_ids: list[NodeId] = []
    values: list[ValueId] = []
    on_different: NodeId | None = None
    for word in words:
        node = diagram.nodes[node_id]
        if not isinstance(node, Switch) or not _tests_equality(node, word):
            return None
        if on_different not in (None, node.targets[0]):
            return None
        node_ids.append(node_id)
        values.append(node.value)
        on_different, node_id = node.targets[0], node.targets[1]
    assert on_different is not None
    return _WordChain(node_ids, values, node_id, on_different)


def _build_tree(diagram: Diagram, values: Sequence[ValueId], ranges: Ranges, inside: NodeId, outside: NodeId) -> NodeId:
    """Return the node that tests whether the concatenation of *values*, 32 bits each, is in *ranges*."""
    if len(values) == 1:
        return diagram.test(values[0], ranges, inside, outside)
    complete, partial = _split_by_first_word(ranges, 32 * (len(values) - 1))
    arms = [(low, high, inside) for low, high in complete]
    arms += (
        (word, word, _build_tree(diagram, values[1:], union(inner), inside, outside)) for word, inner in partial.items()
    )
    return diagram.switch(values[0], _fill_gaps(sorted(arms), outside))


def _split_by_first_word(ranges: Ranges, lower_bits: int) -> tuple[Ranges, dict[int, list[tuple[int, int]]]]:
    """Split ranges by their first word, which is followed by *lower_bits* bits.

    Returns the ranges of first words that are complete (all following words are in *ranges*), and for each other first
    word the ranges of the following words.
    """
    upper = (1 << lower_bits) - 1
    complete: list[tuple[int, int]] = []
    partial: dict[int, list[tuple[int, int]]] = {}
    for low, high in ranges:
        first, last = low >> lower_bits, high >> lower_bits
        if low & upper != 0 or (first == last and high & upper != upper):
            end = high & upper if first == last else upper
            partial.setdefault(first, []).append((low & upper, end))
            first += 1
        if first <= last and high & upper != upper:
            partial.setdefault(last, []).append((0, high & upper))
            last -= 1
        if first <= last:
            complete.append((first, last))
    return union(complete), partial


def _fill_gaps(arms: Sequence[tuple[int, int, NodeId]], default: NodeId) -> list[Arm]:
    """Return the arms of a switch on a word; values in none of the disjoint, sorted *arms* go to *default*."""
    filled: list[Arm] = []
    next_start = 0
    for low, high, target in arms:
        if next_start < low:
            filled.append((next_start, default))
        filled.append((low, target))
        next_start = high + 1
    if next_start <= WORD_MASK:
        filled.append((next_start, default))
    return filled

"""`top`: the groups of packets with the most packets or bytes, in bounded memory."""

from contextlib import closing

from ..._typing import TYPE_CHECKING, Any, Final, Iterable, Mapping
from ..._validators import checked, iterable, one_of, within
from ...capture.source_stream import Source
from ...capture.times import TimeLimit
from ...errors import DamagedCapture, FieldError
from ...filtering.arguments import with_checks
from ...filtering.bound_filter import Filter
from ...isa.dialects import PCAP, Dialect
from ..addresses import ADDRESS_COLUMNS, Choice, address_texts
from ..reading import TableOptions, open_table
from ..schema import Column
from ..text_values import is_textual, texts
from .groups import Measure, TopGroup, TopGroups
from .sums import MEASURES, GroupSums

if TYPE_CHECKING:
    from ..._options import EngineName

_BATCH_ROWS: Final = 1 << 18
MAX_GROUPS: Final = 1_000_000
"""The number of groups that are counted at a time by default; a million of two addresses takes about 700 MB."""


@checked(
    count=within(1, 2**31 - 1, "a number of groups"),
    max_groups=within(1, 2**31 - 1, "a number of groups"),
    sort=one_of(*MEASURES),
)
@with_checks("engine", "dialect", "as_socket")
def top(
    source: Source | Iterable[Source],
    by: str | Iterable[str],
    *,
    count: int = 20,
    sort: Measure = "packets",
    filter: "Filter | None" = None,
    define: "Mapping[str, Filter | Column] | None" = None,
    max_groups: int = MAX_GROUPS,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
) -> TopGroups:
    """Find the groups of packets with the most packets or bytes, in bounded memory.

    A group is the packets with the same values of some columns. Up to *max_groups* groups, all numbers are exact. If
    there are more, the largest *max_groups* are counted by the algorithm Space-Saving, and the result has the bounds of
    each number; a group that was not counted has at most 1/(*max_groups* + 1) of all packets (of all bytes, if groups
    are sorted by bytes).

    Args:
        source: A path, "-" for standard input, a binary file object, or several of these.
        by: The names of one or more columns of `read_batches`, except data; `src` and `dst`, the addresses of IPv4 or
            IPv6; and those of *define*.
        count: The number of groups in the result, 1 to 2**31 - 1.
        sort: "packets" or "bytes" (on the wire): the measure by which groups are compared.
        filter: Only packets that this filter accepts, as for `cbpf.filter_capture`; None: all packets.
        define: Further columns, as for `read_batches`.
        max_groups: The number of groups that are counted at a time, 1 to 2**31 - 1; a million of two addresses takes
            about 700 MB.
        since: Only packets with this time or a later one, in the forms of `cbpf.read_capture`.
        until: Only packets with an earlier time, in the same forms.
        sample: Only about one in this number of the packets, 1 to 2**32 - 1, chosen at random by their numbers; the
            numbers are those of the sample.
        seed: Another choice of packets, 0 to 2**64 - 1.
        engine: The execution engine of the filter and the columns.
        dialect: The dialect whose rules verify and run the filter and the columns of *define*.
        as_socket: Apply the filter and the columns of *define* to the view that a live packet socket would have had of
            each packet (`cbpf.socket_view`).

    Returns:
        The groups, the largest one first; those of the same size are in the order of the other measure, then of their
        values. The attribute *damage* is not None if a source is truncated or corrupt; its complete packets are
        counted.

    Raises:
        CaptureError: A source cannot be read or does not begin as a capture, or no packet can have one of the columns
            because of its link type.
        ExpressionError: An expression is invalid, or fits no interface (`LinkTypeError`).
        FieldError: An argument is out of range, or a column is unknown.
        MissingLibrary: pyarrow is not installed (extra `arrow`), or the library of an engine or compression.
        VerificationError: The dialect rejects a program.

    >>> import cbpf
    >>> groups = cbpf.arrow.top("examples/traffic.pcap", "dst_port", filter="tcp", count=2)
    >>> groups.groups[0].key, groups.groups[0].packets
    ((80,), 106)
    """
    choice = _choice(by, define)
    names = choice.read_names()
    columns = names if "length" in names else [*names, "length"]
    options = TableOptions(filter, columns, choice.defined, since, until, sample, seed, engine, dialect, as_socket)
    table, stack = open_table("top", source, options)
    sums = GroupSums(names, sort, max_groups)
    damage = None
    with stack, closing(table.batches(_BATCH_ROWS, stack)) as batches:
        try:
            for batch in batches:
                sums.add(batch)
        except DamagedCapture as damaged:
            damage = str(damaged)
    largest, group_count = sums.largest(count)
    return TopGroups(
        by=tuple(choice.names),
        sort=sort,
        groups=() if largest is None else _groups(choice.names, largest),
        packets=sums.sums["packets"],
        bytes=sums.sums["bytes"],
        group_count=group_count if sums.is_exact else None,
        max_groups=max_groups,
        packets_error=sums.errors["packets"],
        bytes_error=sums.errors["bytes"],
        damage=damage,
    )


def _choice(by: str | Iterable[str], define: "Mapping[str, Filter | Column] | None") -> Choice:
    names = [by] if isinstance(by, str) else list(iterable("top.by", by))
    if not names:
        raise FieldError("top.by: is empty; name at least one column")
    choice = Choice("top", "by", names, define)
    if "data" in names:
        raise FieldError("top.by: the column 'data' makes no groups; name columns of headers")
    return choice


def _groups(names: Iterable[str], table: Any) -> tuple[TopGroup, ...]:
    """Return the rows of a table of groups."""
    keys = zip(*(_values(table, name) for name in names), strict=True)
    order = ("#packets", "#bytes", "#packets_error", "#bytes_error")
    numbers = zip(*(table[name].to_pylist() for name in order), strict=True)
    return tuple(TopGroup(key, *sums) for key, sums in zip(keys, numbers, strict=True))


def _values(table: Any, name: str) -> list[Any]:
    """Return the values of a column as Python objects: numbers, Boolean values, and text of others."""
    values = address_texts(table, name) if name in ADDRESS_COLUMNS else table[name]
    if name not in ADDRESS_COLUMNS and is_textual(name, values.type):
        values = texts(name, values)
    items: list[Any] = values.to_pylist()
    return items

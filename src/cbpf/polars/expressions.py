"""The namespace `bpf` of expressions: filters on columns of packets."""

from .._pyarrow import load_pyarrow
from .._typing import TYPE_CHECKING, Any, Callable
from ..capture.arrow_columns import items
from ..engines.base import choose_range_reader
from ..errors import FieldError, PacketError
from ..facade.machine import VM
from ..isa.dialects import PCAP, Dialect
from ..packet.batch import Packets, as_batch
from .library import load_polars

if TYPE_CHECKING:
    from .._options import EngineName
    from ..expression.address_lists import Expression
    from ..isa.program import Instructions
    from ..packet.link_types import LinkType


class BpfExpressions:
    """Filters on a column of packets: `pl.col("data").bpf`, after `import cbpf.polars`.

    A result is null where the packet is null. The packets are not copied.

    Args:
        packets: An expression of the type `Binary`; polars passes the one that has the attribute `bpf`.

    >>> import cbpf.polars, polars as pl
    >>> packets = pl.DataFrame({"data": [bytes(60), bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(46)]})
    >>> packets.select(pl.col("data").bpf.matches("arp"))["data"].to_list()
    [False, True]
    """

    def __init__(self, packets: Any) -> None:
        self._packets = packets

    def matches(
        self,
        filter: "str | Expression | Instructions | VM",
        *,
        link_type: "str | int | LinkType" = "EN10MB",
        length: Any = None,
        engine: "EngineName" = "auto",
    ) -> Any:
        """Return an expression for whether a filter accepts each packet.

        Args:
            filter: An expression of tcpdump's language, a program, or a `VM` with its engine and dialect.
            link_type: The link type of the packets, for which an expression is compiled.
            length: The length of each packet on the wire in bytes: the name of a column of integers, or an expression
                of polars. By default, that of the bytes: then a filter such as "greater 100" sees the captured length.
            engine: The execution engine, as for `cbpf.VM`.

        Returns:
            An expression of the type `Boolean`.

        Raises:
            ExpressionError: The expression is invalid, or does not fit the link type.
            FieldError: An argument is out of range.
            VerificationError: The program is not valid.
            MissingLibrary: polars or pyarrow is not installed (extra `polars`).
        """
        pl, vm = load_polars(), _machine(filter, engine, PCAP, link_type)
        return self._map(lambda packets: _series(vm, packets) != 0, length, pl.Boolean)

    def verdict(
        self,
        program: "Instructions | VM",
        *,
        length: Any = None,
        engine: "EngineName" = "auto",
        dialect: Dialect = PCAP,
    ) -> Any:
        r"""Return an expression for the verdict of a program on each packet.

        Args:
            program: A program, or a `VM` with its engine and dialect; `cbpf.parse` reads a program from assembly.
            length: The length of each packet on the wire, as for `matches`.
            engine: The execution engine, as for `cbpf.VM`.
            dialect: The rules that verify and run the program.

        Returns:
            An expression of the type `UInt32`.

        Raises:
            FieldError: An argument is out of range.
            VerificationError: The dialect rejects the program.
            MissingLibrary: polars or pyarrow is not installed (extra `polars`).

        >>> import cbpf.polars, polars as pl
        >>> packets = pl.DataFrame({"data": [bytes(60), None]})
        >>> packets.select(pl.col("data").bpf.verdict(cbpf.parse("ld #len\nret a")))["data"].to_list()
        [60, None]
        """
        if isinstance(program, str):
            raise FieldError("verdict.program: an expression has no verdict but 0 or not; use matches")
        vm = _machine(program, engine, dialect, "EN10MB")
        return self._map(lambda packets: _series(vm, packets), length, load_polars().UInt32)

    def _map(self, function: Callable[[Packets], Any], length: Any, type: Any) -> Any:
        """Return an expression that applies a function to packets, with their lengths on the wire if they are given."""
        pl = load_polars()
        load_pyarrow()
        inputs = [self._packets]
        if length is not None:
            inputs.append((pl.col(length) if isinstance(length, str) else length).cast(pl.UInt32))

        def apply(columns: Any) -> Any:
            data = columns[0]
            if data.dtype != pl.Binary:
                raise PacketError(f"column {data.name!r} has the type {data.dtype}; packets are Binary")
            missing = data.is_null() if data.null_count() else None
            batch = as_batch(data if missing is None else data.fill_null(b""), choose_range_reader)
            lengths = None if length is None else _wire_lengths(columns[1], data)
            result = function(Packets.of(batch, wire_lengths=lengths)).alias(data.name)
            return result if missing is None else result.set(missing, None)

        return pl.map_batches(inputs, apply, return_dtype=type, is_elementwise=True)


def _machine(filter: Any, engine: "EngineName", dialect: Dialect, link_type: "str | int | LinkType") -> VM:
    from ..expression.address_lists import Expression

    if isinstance(filter, VM):
        return filter
    if isinstance(filter, str | Expression):
        from ..expression.compiler import compile

        filter = compile(filter, link_type=link_type)
    return VM(filter, engine=engine, dialect=dialect)


def _series(vm: VM, packets: Packets) -> Any:
    """Return the verdicts as a series, without a copy."""
    pa, verdicts = load_pyarrow(), vm.verdicts(packets)
    buffers = [None, pa.py_buffer(verdicts)]
    return load_polars().Series(pa.Array.from_buffers(pa.uint32(), len(verdicts), buffers))


def _wire_lengths(lengths: Any, data: Any) -> memoryview:
    """Return lengths on the wire for packets: those of the bytes where they are null."""
    pl = load_polars()
    if len(lengths) == 1 != len(data):  # a literal
        lengths = lengths.new_from_index(0, len(data))
    if lengths.null_count():
        captured = data.bin.size().fill_null(0).cast(pl.UInt32)
        lengths = lengths.zip_with(lengths.is_not_null(), captured)
    return items(lengths.rechunk().to_arrow(), "I")

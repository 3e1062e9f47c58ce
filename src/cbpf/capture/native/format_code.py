"""The machine code of a capture format: for the scanner, with the form of its results, and for the encoder."""

from collections.abc import Sequence

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ...engines.llvm.jit import Code
    from ..sampling import Sample
    from ..times import TimeBounds


class ScanOutput(NamedTuple):
    """The form in which a native scan returns accepted records, and the bounds of their times, or None for no bounds.

    "ranges": the memory of the records, to be copied; "extents": a row for each record, to be copied as a sample or to
    several files; "packets": the packets as columns (`packets.PacketColumns`); "inputs": the same, but only the columns
    that filters need; "records": all columns, with a row for each record without a packet. Packets outside *sample* are
    not accepted.
    """

    kind: Literal["ranges", "extents", "packets", "inputs", "records"] = "ranges"
    bounds: "TimeBounds | None" = None
    sample: "Sample | None" = None


class NativeScan(NamedTuple):
    """Machine code that reads the records of the current section; *settings* are fields of `native.abi.ScanRequest`."""

    code: "Code"
    settings: dict[str, int]


class NativeEncoding(NamedTuple):
    """Machine code that encodes the packets of a source for a writer.

    *limits* has a number of bytes for each interface of the source: packets of which as many bytes would be written,
    or more, are left to `RecordWriter.encode`. Of each packet, at most *snaplen* bytes are written.
    """

    code: "Code"
    limits: Sequence[int]
    snaplen: int

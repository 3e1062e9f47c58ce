"""The interface of the generators of `record_layouts`: the code that reads the records of a format."""

from ..._named_tuple import NamedTuple
from ..._typing import Protocol
from ...engines.llvm.ir import IRValue
from .request_access import RequestAccess


class RecordValues(NamedTuple):
    """The values of a record: the address of its packet, two lengths, and in formats with classes four more.

    They are its class (one byte), the index of its interface in the section, whether it has a time stamp (i1), and the
    number of bytes of its options.
    """

    address: IRValue
    captured: IRValue
    wire: IRValue
    packet_class: IRValue | None = None
    interface: IRValue | None = None
    is_timed: IRValue | None = None
    option_size: IRValue | None = None


class RecordCodegen(Protocol):
    """Generates the code that reads the records of a format.

    Each method writes code and returns the values that it computes; *otherwise* is the label to jump to in the case
    that the method describes. Records begin at multiples of *alignment*. In a format without classes (*has_classes*),
    every record has a packet, and all packets are of class 0.
    """

    alignment: int
    has_classes: bool

    def follow(self, access: RequestAccess, position: IRValue, otherwise: str) -> IRValue:
        """Return the end of the record at *position*; jump if it extends beyond the readable bytes."""

    def read(self, access: RequestAccess, position: IRValue, end: IRValue, otherwise: str) -> RecordValues:
        """Return the values of the record from *position* to *end*; jump if the scanner does not handle it."""

    def time_ns(self, access: RequestAccess, position: IRValue, record: RecordValues, otherwise: str) -> IRValue:
        """Return the signed time of the record at *position*; jump if it is invalid or does not fit in 64 bits.

        The result for a record without a packet is any number.
        """

    def plausible(self, access: RequestAccess, position: IRValue) -> IRValue:
        """Return the end of the record at *position* if it is plausible, or 0; 32 bytes from there on are readable."""

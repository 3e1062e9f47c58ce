"""Programs on columns of packets: the call of the machine code of `entry_points.match_columns`."""

import ctypes
from array import array
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from ..._typing import TYPE_CHECKING, Any, Final
from ...engines.llvm.context import raise_interruption
from ...packet.buffers import address_of
from ..packets import PacketColumns

if TYPE_CHECKING:
    from ...engines.llvm.context import PacketContext

_COLUMNS: Final = ("starts", "ends", "wire_lengths", "interfaces")


def selections(codes: Mapping[int, Any], count: int) -> Iterator[tuple[Any, bytes]]:
    """Yield each machine code with a flag for each of *count* interfaces: whether it is the code for their packets."""
    for code in {id(code): code for code in codes.values()}.values():  # a ctypes function is not hashable
        yield code, bytes(codes.get(interface) is code for interface in range(count))


def match_columns(
    code: Any, context: "PacketContext", columns: PacketColumns, selected: bytes, verdicts: "array[int]"
) -> bool:
    """Run a program on the packets of selected interfaces, in columns that the scanner returned.

    *selected* has a flag for each interface of the capture, and *verdicts* an item for each packet; those of packets
    that are not selected do not change. Return False if machine code may not read the packets.
    """
    count = len(columns.starts)
    with ExitStack() as stack:
        addresses = [stack.enter_context(address_of(getattr(columns, name))) for name in _COLUMNS]
        memory = columns.source.address()
        if memory is None:
            return False
        code(memory, *addresses, selected, count, verdicts.buffer_info()[0], ctypes.byref(context))
    raise_interruption()
    return True

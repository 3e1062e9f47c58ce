"""Batches of packets in the memory of a CUDA device."""

from array import array

from ..._record import Immutable
from ..._typing import Any, NoReturn, final
from ...errors import PacketError
from ...packet.batch import Packets
from ...packet.device_memory import OnDevice
from ..llvm.ptx import check_kernel
from .arrays import column_of
from .device import CudaDevice, current_device


@final
class DevicePackets(Immutable, OnDevice):
    """A batch of packets on a CUDA device: ranges of one buffer in its memory, which is not copied.

    All arguments are arrays in the memory of the current device, of any library: they have `__dlpack__` or
    `__cuda_array_interface__`. All ranges are checked once, on construction, and the columns are copied, so that the
    program never reads a byte outside of its packet. The buffer is not copied, so a change of its content changes the
    packets. Work that a library has queued for an array is awaited on construction; later changes of the buffer must be
    complete when `VM.verdicts` is called. The class cannot be subclassed.

    Args:
        buffer: Bytes: a one-dimensional array of integers of 1 byte.
        positions: The index in *buffer* of each packet's byte 0: integers of 8 bytes.
        lengths: The captured length of each packet, in bytes: integers of 4 bytes.
        wire_lengths: The length of each packet on the wire, in bytes: integers of 4 bytes; by default the captured
            lengths.

    Raises:
        PacketError: A range exceeds the buffer, the columns have different lengths, or an argument is not an adjacent
            array of its type on the current device.
        MemoryError: The device has no room for the copies of the columns.
        MissingLibrary: cuda.core, a device or its driver is missing.
    """

    __slots__ = ("_buffer", "_count", "_device_id", "_lengths", "_positions", "_wire_lengths")
    _buffer: Any
    _positions: Any
    _lengths: Any
    _wire_lengths: Any
    _count: int
    _device_id: int

    def __init__(self, buffer: Any, *, positions: Any, lengths: Any, wire_lengths: Any = None) -> None:
        device = current_device()
        memory = column_of("DevicePackets.buffer", buffer, 1, device)
        given = {"positions": (positions, 8), "lengths": (lengths, 4), "wire_lengths": (wire_lengths, 4)}
        columns = {
            name: column_of(f"DevicePackets.{name}", source, size, device)
            for name, (source, size) in given.items()
            if name != "wire_lengths" or source is not None
        }
        count = columns["positions"].shape[0]
        for name, column in columns.items():
            if column.shape[0] != count:
                raise PacketError(
                    f"DevicePackets.{name}: has {column.shape[0]} entries, but there are {count} positions"
                )
        copies = {name: device.copy(column.buffer, column.itemsize * count) for name, column in columns.items()}
        _check_ranges(device, copies["positions"], copies["lengths"], count, memory.shape[0])
        self._set(device, memory.buffer, copies, count)

    def _set(self, device: CudaDevice, buffer: Any, columns: dict[str, Any], count: int) -> None:
        """Set all attributes; the ranges are known to be inside of the buffer."""
        columns.setdefault("wire_lengths", columns["lengths"])
        values = {f"_{name}": column for name, column in columns.items()}
        self._set_once(_buffer=buffer, _count=count, _device_id=device.id, **values)

    def __init_subclass__(cls) -> None:
        raise TypeError("DevicePackets cannot be subclassed")  # kernels rely on the ranges that were checked

    @classmethod
    def of(cls, source: Any) -> "DevicePackets":
        """Return packets of this machine's memory, copied to the current device.

        Args:
            source: Any source that `Packets.of` accepts, such as `Packets` or a list of buffers.

        Returns:
            The packets, in the order of *source*, with their wire lengths.

        Raises:
            PacketError: *source* does not contain packets.
            MissingLibrary: cuda.core, a device or its driver is missing.
        """
        packets, device = Packets.of(source), current_device()
        columns = {
            "positions": device.copy_to_device(packets.positions),
            "lengths": device.copy_to_device(packets.lengths),
            "wire_lengths": device.copy_to_device(packets.wire_lengths),
        }
        result = object.__new__(cls)
        result._set(device, device.copy_to_device(packets.buffer), columns, len(packets))
        return result

    @property
    def device_id(self) -> int:
        """The index of the device."""
        return self._device_id

    def __len__(self) -> int:
        return self._count

    def __reduce__(self) -> NoReturn:
        raise TypeError("DevicePackets cannot be pickled: they are in the memory of a device")

    def __repr__(self) -> str:
        return f"<DevicePackets: {self._count} on device {self._device_id}>"


def columns_on_device(packets: DevicePackets) -> tuple[Any, Any, Any, Any]:
    """Return the buffer, the positions, the lengths and the wire lengths for kernels."""
    return packets._buffer, packets._positions, packets._lengths, packets._wire_lengths


def _check_ranges(device: CudaDevice, positions: Any, lengths: Any, count: int, size: int) -> None:
    """Raise `PacketError` if a range exceeds a buffer of *size* bytes."""
    if not count:
        device.synchronize()
        return
    flag = array("Q", [0])
    place = device.copy_to_device(memoryview(flag))
    kernel = device.shared_kernel("check_ranges", check_kernel)
    device.launch(kernel, count, positions, lengths, count, size, place)
    device.copy_to_host(place, flag)
    if flag[0]:
        raise PacketError(f"DevicePackets: packet {flag[0] - 1} exceeds the buffer, which has {size} bytes")

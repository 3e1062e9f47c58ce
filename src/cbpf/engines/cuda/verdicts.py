"""Verdicts that are in the memory of a CUDA device."""

from array import array

from ..._record import Immutable
from ..._typing import Any, NoReturn, final
from ...packet.device_memory import KDL_CUDA, OnDevice
from .device import STREAM, CudaDevice, current_device


@final
class DeviceVerdicts(Immutable, OnDevice):
    """The verdicts on a batch of packets, in the memory of a CUDA device: 32-bit unsigned numbers.

    Libraries read them without a copy: `cupy.asarray(verdicts)`, `torch.as_tensor(verdicts, device="cuda")`,
    `numba.cuda.as_cuda_array(verdicts)`, `torch.from_dlpack(verdicts)`. The numbers are complete when the object is
    returned. `VM.verdicts` makes objects of this class.
    """

    __slots__ = ("_buffer", "_count", "_device_id")
    _buffer: Any
    _count: int
    _device_id: int

    def __init__(self) -> None:
        raise TypeError("DeviceVerdicts are made by VM.verdicts only")

    @property
    def device_id(self) -> int:
        """The index of the device."""
        return self._device_id

    def to_host(self) -> "array[int]":
        """Return a copy in the memory of this machine.

        Returns:
            An array of unsigned 32-bit numbers, one per packet, which supports the buffer protocol.
        """
        verdicts = array("I", bytes(4 * self._count))
        if verdicts:
            current_device().copy_to_host(self._buffer, verdicts)
        return verdicts

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The numbers by the CUDA Array Interface, version 3."""
        return {
            "version": 3,
            "shape": (self._count,),
            "typestr": "<u4",
            "data": (self._buffer.handle if self._count else 0, False),
            "strides": None,
            "stream": STREAM,
        }

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Return the numbers as a capsule of DLPack; the stream need not wait, since they are complete."""
        if dl_device == self.__dlpack_device__():
            dl_device = None
        view = current_device().numbers_view(self._buffer, self._count)
        return view.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return the type and the index of the device, by DLPack."""
        return KDL_CUDA, self._device_id

    def __len__(self) -> int:
        return self._count

    def __reduce__(self) -> NoReturn:
        raise TypeError("DeviceVerdicts cannot be pickled: they are in the memory of a device; pickle to_host()")

    def __repr__(self) -> str:
        return f"<DeviceVerdicts: {self._count} on device {self._device_id}>"


def verdicts_on(device: CudaDevice, buffer: Any, count: int) -> DeviceVerdicts:
    """Return the verdicts in a buffer of *count* numbers on a device, which are complete."""
    verdicts = object.__new__(DeviceVerdicts)
    verdicts._set_once(_buffer=buffer, _count=count, _device_id=device.id)
    return verdicts

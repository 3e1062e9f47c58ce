"""The cuda engine: the llvm engine, whose batches run on a CUDA device."""

from array import array

from ..._typing import Any, Final
from ...errors import PacketError, ProgramFormatError
from ...isa.dialects import Dialect
from ...isa.metadata_loads import PACKET_ALONE, impossible_loads
from ...isa.program import Program
from ...packet.batch import Packets
from ...packet.device_memory import is_on_device
from ..llvm.engine import LLVMEngine
from ..llvm.machine import DefaultPacketMachine
from ..llvm.ptx import ptx_kernel, rows_kernel
from .arrays import DeviceArray, matrix_of
from .device import CudaDevice, current_device, require_cuda_core
from .packets import DevicePackets, columns_on_device
from .verdicts import DeviceVerdicts, verdicts_on

_NAME: Final = "filter"


class CudaEngine(LLVMEngine):
    """One program as a CUDA kernel; single packets and captures run on this machine, by the llvm engine.

    Kernels are compiled at the first batch on a device and cached for it. A process that is forked from one that has
    used the engine cannot use it, since a CUDA context does not survive a fork.

    Args:
        program: The program, which *dialect* must accept.
        dialect: The dialect.

    Raises:
        MissingLibrary: cuda.core or llvmlite is not installed.
        ProgramFormatError: The program loads metadata of Linux, or from a header window.
    """

    def __init__(self, program: Program, dialect: Dialect) -> None:
        for problem in impossible_loads(program, dialect, PACKET_ALONE):
            raise ProgramFormatError(f"the engine 'cuda': {problem}")
        super().__init__(program, dialect)
        require_cuda_core()
        self._kernels: dict[int, Any] = {}

    def verdicts(self, packets: Any) -> "array[int] | DeviceVerdicts":  # type: ignore[override]
        """Return the verdicts on many packets, where the packets are: on the device, or in this machine's memory."""
        if type(packets) is DevicePackets:
            return self._verdicts_of_ranges_on_device(packets)
        if type(packets) is not Packets and is_on_device(packets):
            device = current_device()
            return self._verdicts_of_rows(matrix_of(packets, device), device)
        return self._verdicts_of_ranges_on_device(DevicePackets.of(packets)).to_host()

    def _verdicts_of_ranges_on_device(self, packets: DevicePackets) -> DeviceVerdicts:
        device = current_device()
        if packets.device_id != device.id:
            raise PacketError(f"packets: on CUDA device {packets.device_id}, but the current one is {device.id}")
        return self._verdicts_on(device, *columns_on_device(packets), len(packets))

    def _verdicts_of_rows(self, rows: DeviceArray, device: CudaDevice) -> DeviceVerdicts:
        count, width = rows.shape
        if width > 0xFFFF_FFFF:
            raise PacketError(f"packets: rows of {width} bytes; a packet has at most 4294967295")
        positions, lengths = device.allocate(8 * count), device.allocate(4 * count)
        kernel = device.shared_kernel("fill_rows", rows_kernel)
        device.launch(kernel, count, count, rows.strides[0], width, positions, lengths)
        return self._verdicts_on(device, rows.buffer, positions, lengths, lengths, count)

    def _verdicts_on(
        self, device: CudaDevice, memory: Any, positions: Any, lengths: Any, wire_lengths: Any, count: int
    ) -> DeviceVerdicts:
        verdicts = device.allocate(4 * count)
        kernel = self._kernel(device)
        device.launch(kernel, count, memory, positions, lengths, wire_lengths, count, verdicts)
        # Another library may reuse the memory of the packets as soon as the caller drops them.
        device.synchronize()
        return verdicts_on(device, verdicts, count)

    def _kernel(self, device: CudaDevice) -> Any:
        if device.id not in self._kernels:
            text = ptx_kernel(self._program, self._dialect, _NAME, DefaultPacketMachine)
            self._kernels[device.id] = device.kernel(_NAME, text)
        return self._kernels[device.id]

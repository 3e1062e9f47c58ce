"""Access to the memory of a scan from generated code: the request, the lanes, and the bytes of the capture."""

import ctypes

from ..._typing import Any
from ...engines.llvm.ir import I32, I64, Function, IRValue
from .abi import INPUT_COUNT, LANES_OFFSET, Lane, ScanRequest


class RequestAccess:
    """Generates the loads and stores of a scan; *swapped* captures have the opposite byte order of the host.

    *output* is the structure of an output, `FilterOutput` or `ColumnOutput`. All inputs of the request are loaded at
    the start of the function.
    """

    def __init__(self, output: type[ctypes.Structure], *, swapped: bool) -> None:
        self.function = Function("entry", I32, request="ptr noalias")
        self._output_structure = output
        self._swapped = swapped
        self._inputs = {name: self._load(name, kind) for name, kind, *_ in ScanRequest._fields_[:INPUT_COUNT]}
        self.base = self.input("base")

    def _load(self, name: str, kind: Any) -> IRValue:
        field = self.field(name)
        return field.load_pointer() if kind is ctypes.c_void_p else field.load(8)

    def input(self, name: str) -> IRValue:
        """Return an input of the request: a number or an address."""
        return self._inputs[name]

    def field(
        self, name: str, structure: type[ctypes.Structure] = ScanRequest, address: IRValue | None = None
    ) -> IRValue:
        """Return the address of a field of the request, or of another structure at *address*."""
        return (address or self.function["request"]).gep(getattr(structure, name).offset)

    def number(self, position: IRValue, size: int) -> IRValue:
        """Return a number of *size* bytes of the capture, in its byte order, as 64 bits."""
        loaded = self.base.gep(position).load(size)
        return (loaded.bswap() if self._swapped else loaded).zext_or_trunc(I64)

    def lane(self, index: IRValue) -> IRValue:
        """Return the address of a `Lane`."""
        return self.input("scratch").gep(index * ctypes.sizeof(Lane) + LANES_OFFSET)

    def lane_field(self, lane: IRValue, name: str) -> IRValue:
        """Return the address of a field of a `Lane`."""
        return self.field(name, Lane, lane)

    def column(self, index: IRValue, offset: int, size: int) -> IRValue:
        """Return the address of an item of *size* bytes in the array at an offset of the scratch memory."""
        return self.input("scratch").gep(index * size + offset)

    def output(self, index: IRValue) -> IRValue:
        """Return the address of the output of a filter."""
        return self.input("outputs").gep(index * ctypes.sizeof(self._output_structure))

    def lane_output(self, lane: IRValue, output: IRValue) -> IRValue:
        """Return the address of the output of a filter in a lane."""
        index = lane * (self.input("filters") + 1) + output
        return self.input("lane_outputs").gep(index * ctypes.sizeof(self._output_structure))

    def output_field(self, name: str, output: IRValue) -> IRValue:
        """Return the address of a field of an output."""
        return self.field(name, self._output_structure, output)

    def output_memory(self, output: IRValue) -> IRValue:
        """Return the address of the first field of an output, which is null if its records are not collected."""
        return output

    def add(self, field: IRValue, number: IRValue) -> None:
        """Add a number to the field at this address."""
        field.store(field.load(8) + number)

    def jump_if(self, condition: IRValue, label: str) -> None:
        """Jump to a label in the rare case that a condition holds."""
        next_label = self.function.label("on")
        self.function.cbranch(condition, label, next_label, rare=True)
        self.function.begin_block(next_label)

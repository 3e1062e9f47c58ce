"""The run of a program on one packet: its steps, and the state before each of them."""

from __future__ import annotations

import cbpf

from ..._typing import Iterator, Sequence
from .code import Code, Settings
from .extension_values import replaced_metadata
from .state import SCRATCH_SLOTS, PacketBytes, State


def accepts(verdict: int, dialect: cbpf.Dialect) -> bool:
    """Return whether a verdict accepts the packet; that of a dialect with records is an action of seccomp."""
    return verdict != 0 if dialect.record_size is None else cbpf.seccomp.SeccompAction(verdict).runs


class PacketRun:
    """A run on a packet, traced when its steps are first needed.

    Args:
        packet: The packet, as captured.
        interface: Its interface.
        code: The program; None if the filter does not fit the packets of the interface, which are rejected.
        settings: How the program is run.
    """

    def __init__(self, packet: cbpf.Packet, interface: cbpf.Interface, code: Code | None, settings: Settings) -> None:
        self.number = packet.number
        self.code = code
        self.dialect = settings.dialect
        data, wire_length = cbpf.host_view(packet.data, interface.link_type, interface.byte_order, packet.wire_length)
        metadata = None
        if settings.as_socket:
            data, wire_length, metadata = cbpf.socket_view(data, interface.link_type, wire_length)
        if code is not None and code.draws_numbers:  # so that repeated runs load equal random numbers
            metadata = (metadata or cbpf.Metadata()).replace(seed=packet.number)
        if settings.values:
            metadata = replaced_metadata(metadata or cbpf.Metadata(), settings.values)
        self.bytes = PacketBytes(data, wire_length, settings.dialect.byte_order)
        self._metadata = metadata
        self._steps: Sequence[cbpf.Step] | None = None

    @property
    def steps(self) -> Sequence[cbpf.Step]:
        """The steps; none before a program is loaded, or if the packet is shorter than the dialect's record."""
        if self._steps is None:
            self._steps = () if self.code is None else tuple(self._trace(self.code.vm))
        return self._steps

    @property
    def metadata(self) -> cbpf.Metadata:
        """The metadata of the packet."""
        return self._metadata or cbpf.Metadata()

    @property
    def verdict(self) -> int:
        """The verdict, 0 to 2**32 - 1."""
        if self._steps:
            return self._steps[-1].verdict or 0
        if self.code is None:
            return 0
        return self.code.vm.evaluate(self.bytes.data, wire_length=self.bytes.wire_length, metadata=self._metadata)

    @property
    def accepts(self) -> bool:
        """Whether the verdict accepts the packet."""
        return accepts(self.verdict, self.dialect)

    @property
    def first_state(self) -> State:
        """The state before the first step."""
        return State(0, 0, (0,) * SCRATCH_SLOTS, self.bytes)

    def state(self, position: int) -> State:
        """Return the state before the step at a position; after the last step for the number of steps."""
        if position == 0:
            return self.first_state
        before = self.steps[position - 1]
        return State(before.a, before.x, before.scratch, self.bytes)

    def _trace(self, vm: cbpf.VM) -> Iterator[cbpf.Step]:
        return vm.trace(self.bytes.data, wire_length=self.bytes.wire_length, metadata=self._metadata)

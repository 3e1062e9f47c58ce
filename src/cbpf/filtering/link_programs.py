"""The programs of a filter by kind of packets, compiled in advance: the filter of processes that compile nothing."""

from .._typing import Mapping
from ..errors import CbpfError, LinkTypeError
from ..isa.program import Program
from ..packet.link_types import LinkType
from ..vm import VM


class MissingProgram(CbpfError):
    """The filter was not compiled for a kind of packets that occurs in the capture."""

    def __init__(self, kind: tuple[LinkType, str]) -> None:
        super().__init__(f"the filter was not compiled for link type {kind[0].name}")
        self.kind = kind


class LinkPrograms:
    """The programs of a filter for the kinds of packets known so far.

    Args:
        vms: For each kind of packets, a link type and a byte order ("<" or ">"), the VM of its program, or the reason
            why the filter does not fit.
    """

    def __init__(self, vms: Mapping[tuple[LinkType, str], VM | str]) -> None:
        self._vms = dict(vms)

    @property
    def vms(self) -> list[VM]:
        """The VMs of all programs."""
        return [vm for vm in self._vms.values() if isinstance(vm, VM)]

    def program(self, kind: tuple[LinkType, str]) -> Program:
        """Return the program for a kind of packets.

        Args:
            kind: The link type and the byte order.

        Returns:
            The program.

        Raises:
            LinkTypeError: The filter does not fit the link type.
            MissingProgram: The filter was not compiled for the link type and byte order.
        """
        vm = self._vms.get(kind)
        if vm is None:
            raise MissingProgram(kind)
        if isinstance(vm, str):
            raise LinkTypeError(vm)
        return vm.program

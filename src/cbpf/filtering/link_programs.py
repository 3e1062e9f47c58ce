"""The programs of a filter by kind of packets, compiled in advance: the filter of processes that compile nothing."""

from .._typing import Mapping
from ..errors import CbpfError
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
        vms: The VM of the program for each kind of packets, a link type and a byte order ("<" or ">").
    """

    def __init__(self, vms: Mapping[tuple[LinkType, str], VM]) -> None:
        self._vms = dict(vms)

    @property
    def vms(self) -> list[VM]:
        """The VMs of all programs."""
        return list(self._vms.values())

    def program(self, kind: tuple[LinkType, str]) -> Program:
        """Return the program for a kind of packets.

        Args:
            kind: The link type and the byte order.

        Returns:
            The program.

        Raises:
            MissingProgram: The filter was not compiled for the link type and byte order.
        """
        if kind not in self._vms:
            raise MissingProgram(kind)
        return self._vms[kind].program

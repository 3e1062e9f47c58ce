"""The program that a live capture attaches to its interface."""

import sys

from .._named_tuple import NamedTuple
from ..errors import FieldError
from ..expression.address_lists import Expression
from ..expression.compiler import compile
from ..facade.arguments import ProgramSource, as_program
from ..isa.dialects import LINUX, PCAP, Dialect
from ..isa.program import Program
from ..isa.verifier import verify
from ..packet.link_types import LinkType
from .libpcap_handle import netmask_of

LIVE_DIALECT: Dialect = LINUX if sys.platform == "linux" else PCAP
"""The dialect of the programs that libpcap attaches to an interface: those of this system's kernel."""


class LiveTarget(NamedTuple):
    """The packets that a program is for: the interface, their link type, and the snapshot length."""

    interface: str
    link_type: LinkType
    snaplen: int

    def program(self, source: ProgramSource) -> Program:
        """Return the verified program of a filter, which is compiled for live use if it is an expression."""
        if isinstance(source, str | Expression):
            program = self._compiled(source)
        else:
            program = Program(as_program(source, link_type=self.link_type, dialect=LIVE_DIALECT))
        if not program:
            raise FieldError("filter: a program without instructions cannot be attached")
        verify(program, dialect=LIVE_DIALECT)
        return program

    def _compiled(self, expression: str | Expression) -> Program:
        return compile(
            expression,
            link_type=self.link_type,
            snaplen=self.snaplen,
            netmask=netmask_of(self.interface),
            dialect=LIVE_DIALECT,
            live=LIVE_DIALECT is LINUX and not self.is_cooked,
        )

    @property
    def is_cooked(self) -> bool:
        """Whether packets have a header that libpcap makes of the kernel's metadata.

        A program is written for packets with that header. libpcap rewrites its loads for the kernel, or runs it itself.
        """
        return self.link_type.name in ("LINUX_SLL", "LINUX_SLL2")

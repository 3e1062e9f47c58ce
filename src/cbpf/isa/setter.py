"""The interface of objects to which a filter can be attached."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .raw_instruction import RawInstruction


@runtime_checkable
class Setter(Protocol):
    """An object to which a filter can be attached, such as a socket: the interface of Go's package bpf.

    cbpf does not call it; it is for programs that attach filters to sockets of several kinds. `isinstance` tests
    whether an object has the method.
    """

    def set_bpf(self, filter: Sequence[RawInstruction]) -> None:
        """Attach a filter, and replace the one that is attached.

        Args:
            filter: The instructions, for example a `Program`.
        """
        ...

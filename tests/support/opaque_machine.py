"""A machine whose words and truths refuse to be asked: it finds a Python `if` on a word in the semantics."""

from collections.abc import Sequence
from typing import Any, NoReturn

from cbpf import Dialect, Metadata, RawInstruction
from cbpf.engines.interpreter import IntegerMachine
from cbpf.isa.semantics import begin, execute
from cbpf.packet.skb import SocketBuffer


class Opaque:
    """A value that only the machine may open."""

    def __init__(self, value: int) -> None:
        self.hidden = value

    def _refuse(self, *_: object) -> NoReturn:
        raise AssertionError("the semantics looked at a word")

    __bool__ = __int__ = __index__ = __hash__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __eq__ = __ne__ = __add__ = __sub__ = __and__ = __or__ = _refuse


class OpaqueMachine:
    """Every operation opens its opaque arguments, lets the integer machine work, and closes what it gives."""

    def __init__(self, inner: IntegerMachine) -> None:
        object.__setattr__(self, "inner", inner)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.inner, name)
        if not callable(attribute):
            return Opaque(attribute)

        def operation(*arguments: Any) -> Any:
            opened = [argument.hidden if isinstance(argument, Opaque) else argument for argument in arguments]
            result = attribute(*opened)
            return None if result is None else Opaque(result)

        return operation

    def __setattr__(self, name: str, value: Opaque) -> None:
        setattr(self.inner, name, value.hidden)


def run_opaquely(program: Sequence[RawInstruction], packet: bytes, dialect: Dialect) -> int:
    """The verdict, by a machine of opaque words."""
    buffer = SocketBuffer(packet, Metadata(), header_windows=dialect.header_windows)
    inner = IntegerMachine(buffer, len(packet))
    machine = OpaqueMachine(inner)
    try:
        begin(machine, dialect)
        while inner.verdict is None:
            index = inner.next_index
            inner.next_index = index + 1
            execute(machine, program[index], index, dialect)
    except Exception as error:
        if type(error).__name__ != "_Finished":
            raise
    assert inner.verdict is not None
    return inner.verdict

"""A machine whose words and conditions cannot be inspected: it detects a Python `if` on a word in the semantics."""

from collections.abc import Sequence
from typing import Any, NoReturn

from cbpf import Dialect, Metadata, RawInstruction
from cbpf.engines.interpreter import IntegerMachine
from cbpf.isa.semantics import begin, execute
from cbpf.packet.skb import SocketBuffer


class Opaque:
    """A value that only the machine may read."""

    def __init__(self, value: int) -> None:
        self.hidden = value

    def _fail(self, *_: object) -> NoReturn:
        raise AssertionError("the semantics inspected a word")

    __bool__ = __int__ = __index__ = __hash__ = __lt__ = __le__ = __gt__ = __ge__ = _fail
    __eq__ = __ne__ = __add__ = __sub__ = __and__ = __or__ = _fail


class OpaqueMachine:
    """A machine that runs each operation on an integer machine, and wraps its results in `Opaque`."""

    def __init__(self, inner: IntegerMachine) -> None:
        object.__setattr__(self, "inner", inner)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.inner, name)
        if not callable(attribute):
            return Opaque(attribute)

        def operation(*arguments: Any) -> Any:
            values = [argument.hidden if isinstance(argument, Opaque) else argument for argument in arguments]
            result = attribute(*values)
            return None if result is None else Opaque(result)

        return operation

    def __setattr__(self, name: str, value: Opaque) -> None:
        setattr(self.inner, name, value.hidden)


def run_opaquely(program: Sequence[RawInstruction], packet: bytes, dialect: Dialect) -> int:
    """Return the verdict, computed by a machine with opaque words."""
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

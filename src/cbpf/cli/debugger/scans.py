"""Scans of a whole capture by machine code: the packets on which a program stops, and the numbers of verdicts.

A trace of a packet takes many times as long as its verdict by machine code. A search therefore scans the capture for
packets whose runs reach one of some instructions, and traces only those.
"""

from __future__ import annotations

import cbpf

from ..._named_tuple import NamedTuple
from ..._stdlib import partial, suppress
from ..._typing import (
    TYPE_CHECKING,
    Callable,
    Final,
    Hashable,
    Iterable,
    Iterator,
    Literal,
    Protocol,
    Sequence,
    TypeAlias,
)
from .code import ProgramSet, Settings
from .derived_programs import reaching, with_accumulator, with_outcome
from .formulas import Formula
from .packet_run import accepts
from .packet_source import PacketSource
from .state import state_with

if TYPE_CHECKING:
    from array import array

    ReadVerdicts: TypeAlias = "Callable[[], Iterator[array[int]]]"

_MAX_SCANS: Final = 64  # each has the capture open
_LONG: Final = 1000
"""Instructions from which on machine code is faster also for a small capture."""


class Skipped(NamedTuple):
    """The packets before one that may stop a run.

    Args:
        number: The number of that packet; None if there is none.
        accepted: The number of packets before it that the program accepts.
        rejected: The number of packets before it that the program rejects.
        damage: The error that ends the capture, if it was reached.
    """

    number: int | None
    accepted: int
    rejected: int
    damage: cbpf.CaptureError | None = None


class Target(Protocol):
    """A reason for which a run or a search stops."""

    def next_packet(self, scans: Scans, start: int) -> int | None:
        """Return the number of the first packet from *start* on which it may stop; None if there is none."""
        ...


class VerdictScan:
    """The verdicts of a program on the packets of a capture; the scan begins again for a packet before its position.

    Args:
        read: Returns the verdicts of all packets, as `capture_verdicts` does.
        is_wanted: Whether a verdict is wanted.
    """

    def __init__(self, read: ReadVerdicts, is_wanted: Callable[[int], bool]) -> None:
        self._read = read
        self._is_wanted = is_wanted
        self._arrays: Iterator[array[int]] | None = None
        self._verdicts: Sequence[int] = ()
        self._first = 1
        """The number of the packet of the first of these verdicts."""
        self._found: tuple[int, int | None] = (1, 0)
        """The packet from which the last search began, and its result."""

    def find(self, start: int) -> int | None:
        """Return the number of the first packet from *start* with a wanted verdict, or None.

        Raises:
            DamagedCapture: The capture is truncated or corrupt before such a packet.
        """
        first, found = self._found
        if first <= start and (found is None or start <= found):
            return found
        position = start
        while self._reach(position):
            for number in range(position, self._first + len(self._verdicts)):
                if self._is_wanted(self._verdicts[number - self._first]):
                    self._found = (start, number)
                    return number
            position = self._first + len(self._verdicts)
        self._found = (start, None)
        return None

    def forget_end(self) -> None:
        """Forget that no packet was found, since the capture may have grown."""
        if self._found[1] is None:
            self._found = (1, 0)

    def count(self, start: int, stop: int | None) -> Skipped:
        """Count the verdicts from packet *start* to the one before *stop*, or to the end; wanted ones are accepted."""
        wanted = total = 0
        try:
            while (stop is None or start + total < stop) and self._reach(start + total):
                end = None if stop is None else stop - self._first
                part = self._verdicts[start + total - self._first : end]
                wanted += sum(map(self._is_wanted, part))
                total += len(part)
        except cbpf.CaptureError as error:
            return Skipped(None, wanted, total - wanted, error)
        return Skipped(stop, wanted, total - wanted)

    def _reach(self, number: int) -> bool:
        """Read the verdicts of a packet and of some after it; return whether the capture has the packet."""
        if self._arrays is None or number < self._first:
            self._arrays, self._verdicts, self._first = self._read(), (), 1
        while number >= self._first + len(self._verdicts):
            arrays, self._arrays = self._arrays, None  # an error, or Ctrl-C, ends the iterator
            following = None if arrays is None else next(arrays, None)
            if following is None:
                return False
            self._first += len(self._verdicts)
            self._verdicts, self._arrays = following, arrays
        return True


class Scans:
    """The scans of one capture file with one program.

    Args:
        path: The file.
        program: The program that runs on the packets of all interfaces.
        savefile: The savefile that has it, if there is one.
        settings: How it is run.
    """

    def __init__(self, path: str, program: cbpf.Program, savefile: cbpf.Savefile | None, settings: Settings) -> None:
        self.program = program
        self.dialect = settings.dialect
        self._path = path
        self._savefile = savefile
        self._as_socket = settings.as_socket
        self._scans: dict[Hashable, VerdictScan] = {}

    def begin(self) -> None:
        """Begin a command: the capture may have more packets than at the one before."""
        for scan in self._scans.values():
            scan.forget_end()

    def next_verdict(self, start: int, *, accepted: bool) -> int | None:
        """Return the number of the first packet from *start* that the program accepts, or rejects."""
        return self._verdict_scan(accepted=accepted).find(start)

    def next_reaching(self, start: int, indices: Iterable[int]) -> int | None:
        """Return the number of the first packet from *start* on which one of some instructions is executed."""
        chosen = frozenset(indices)
        return self._scan(chosen, lambda: reaching(self.program, chosen), bool).find(start) if chosen else None

    def next_outcome(self, start: int, index: int, *, taken: bool) -> int | None:
        """Return the number of the first packet from *start* on which a test may have an outcome."""
        program = with_outcome(self.program, index, taken=taken)
        if program is None:
            return self.next_reaching(start, [index])
        return self._scan((index, taken), lambda: program, bool).find(start)

    def next_accumulator(self, start: int, index: int, condition: Formula) -> int | None:
        """Return the number of the first packet from *start* on which a condition on A may hold at an instruction."""
        holds = _memoized(lambda a: condition.holds(state_with(a)))
        return self._scan((index, condition), lambda: with_accumulator(self.program, index), holds).find(start)

    def skip(self, start: int, stop: int | None, targets: Iterable[Target]) -> Skipped:
        """Count the packets from *start* to the one before the next on which a target may be reached.

        Args:
            start: The number of the first packet.
            stop: The number of the packet at which counting ends in any case; None: the capture ends it.
            targets: The targets.
        """
        numbers = [stop]
        for target in targets:
            with suppress(cbpf.CaptureError):  # which counting reports
                numbers.append(target.next_packet(self, start))
        nearest = min((number for number in numbers if number is not None), default=None)
        counted = self._verdict_scan(accepted=True).count(start, nearest)
        return counted._replace(number=None if nearest == stop else nearest)

    def _verdict_scan(self, *, accepted: bool) -> VerdictScan:
        outcomes = _memoized(lambda verdict: accepts(verdict, self.dialect) is accepted)
        return self._scan(accepted, lambda: self.program, outcomes)

    def _scan(
        self, key: Hashable, program: Callable[[], cbpf.Program], is_wanted: Callable[[int], bool]
    ) -> VerdictScan:
        """Return the scan for a key; if there is none, make one, and forget the oldest of many."""
        if key not in self._scans:
            if len(self._scans) == _MAX_SCANS:
                del self._scans[next(iter(self._scans))]
            self._scans[key] = VerdictScan(partial(self._read, program()), is_wanted)
        return self._scans[key]

    def _read(self, program: cbpf.Program) -> Iterator[array[int]]:
        filter = program if self._savefile is None else self._savefile.replace(program=program)
        # A longer program with other unreachable instructions need not pass the checker that the program has passed.
        dialect = self.dialect.replace(scratch_written=False, longest=None, longest_translated_jump=None)
        engine: Literal["llvm", "auto"] = "llvm" if len(program) >= _LONG and _has_machine_code() else "auto"
        return cbpf.capture_verdicts(self._path, filter, engine=engine, dialect=dialect, as_socket=self._as_socket)


def _has_machine_code() -> bool:
    try:
        cbpf.VM([cbpf.RetConstant(0)], engine="llvm")
    except cbpf.MissingLibrary:
        return False
    return True


def _memoized(function: Callable[[int], bool]) -> Callable[[int], bool]:
    """Return a function that calls another one once for each argument."""

    class Memo(dict[int, bool]):
        def __missing__(self, argument: int) -> bool:
            self[argument] = result = function(argument)
            return result

    return Memo().__getitem__


def scans_of(source: PacketSource, programs: ProgramSet, settings: Settings) -> Scans | None:
    """Return the scans of a capture; None if its packets are not the inputs of one program."""
    code = programs.common_code(source) if source.is_file else None
    if code is None or code.draws_numbers or settings.values:
        return None
    savefile = programs.filter if isinstance(programs.filter, cbpf.Savefile) else None
    return Scans(source.path, code.vm.program, savefile, settings)

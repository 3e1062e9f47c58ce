"""The programs of a filter for the interfaces of captures, and the interfaces whose packets it does not fit.

An expression is a program for one link type, and some expressions fit only some link types: `vlan` does not fit a
loopback interface, and no protocol fits USB. The packets of an interface that the filter does not fit do not match.
That is a warning as long as the filter fits another interface of the same captures, and an error if it fits none.
"""

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Callable, Sequence, TypeAlias
from .._validators import check_optimizer, checked, flag, function, optional
from ..capture.base import Interface
from ..capture.reader import CaptureReader
from ..errors import CaptureError, CbpfError, LinkTypeError, VerificationError, warn
from ..expression.names import SYSTEM_NAMES, Lookups, Resolver
from ..expression.program_cache import Options, compile_cached
from ..expression.target import interface_target, netmask_number
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions, Program
from ..isa.verifier import verify
from ..packet.link_types import LinkType, link_type, link_type_by_dlt

if TYPE_CHECKING:
    from .._options import Optimizer
    from ..expression.address_lists import Expression
    from ..formats.savefile import Savefile
    from .link_programs import LinkPrograms

PacketKind: TypeAlias = tuple[LinkType, str]
"""The link type and the byte order: an expression is compiled once for each pair.

The snapshot length is not part of it: it changes only the number that an accepting program returns.
"""


def packet_kind(interface: Interface) -> PacketKind:
    """Return the kind of the packets of an interface."""
    return interface.link_type, interface.byte_order


def _any_interface() -> Interface:
    return Interface(link_type("EN10MB"), 262_144, "<")


def _as_filter(
    filter: "Expression | Savefile | LinkPrograms | Instructions",
) -> "Expression | Savefile | LinkPrograms | Program":
    """Return a filter that is not a text; the modules of its kinds are imported for such a filter only."""
    from ..expression.address_lists import Expression
    from ..formats.savefile import Savefile
    from .link_programs import LinkPrograms

    return filter if isinstance(filter, Expression | Savefile | LinkPrograms) else Program(filter)


class _Misfit(NamedTuple):
    """Why a filter does not fit a kind of packets: the error, and its text without the name of the capture."""

    error: CbpfError
    reason: str


class CapturePrograms:
    """The programs of a filter for the interfaces of one or more captures.

    An expression is compiled once for each link type and byte order. A savefile fits the link type that it was compiled
    for, and any other program fits every link type. Packets of an interface that the filter does not fit do not match.

    Args:
        filter: An expression, a savefile, a program, or programs that were made in advance (`LinkPrograms`).
        dialect: The dialect under which the programs will run.
        optimizer: The optimiser of expressions, as for `compile`.
        optimizes_lists: Whether "cbpf" optimises expressions with long lists whatever *optimizer* is: their plain code
            has a jump for each entry.
        names: The source of the names in expressions, as for `compile`. Each name is looked up once for all interfaces.
        netmask: The netmask of the network, for `ip broadcast` in expressions, as for `compile`; by default 0, which
            tcpdump assumes for captures as well.
        as_socket: Whether the programs will run on the views of a live packet socket (`socket_view`). Under LINUX,
            expressions are then compiled for such sockets, as with `live=True`.
        check: Called with each program. If it raises `VerificationError`, the filter does not fit the interface.

    >>> from cbpf import read_capture
    >>> programs = CapturePrograms("arp")
    >>> with read_capture("examples/traffic.pcap") as capture:
    ...     programs.prepare([capture])
    ...     len(programs.program(capture, next(capture).interface))
    4
    """

    @checked(
        dialect=lambda path, value: check_dialect(value, path),
        optimizer=check_optimizer,
        optimizes_lists=flag,
        as_socket=flag,
        check=optional(function),
    )
    def __init__(
        self,
        filter: "str | Expression | Savefile | LinkPrograms | Instructions",
        *,
        dialect: Dialect = PCAP,
        optimizer: "Optimizer" = "cbpf",
        optimizes_lists: bool = True,
        names: Resolver | None = SYSTEM_NAMES,
        netmask: int | str | None = 0,
        as_socket: bool = False,
        check: Callable[[Program], object] | None = None,
    ) -> None:
        self._filter = filter if isinstance(filter, str) else _as_filter(filter)
        self._dialect = dialect
        self._names = Lookups(names)
        self._optimizer = optimizer
        self._optimizes_lists = optimizes_lists
        self._netmask = netmask_number("CapturePrograms.netmask", netmask)
        self._is_live = as_socket and dialect.header_windows
        self._check = check or (lambda program: verify(program, dialect=dialect))
        self._programs: dict[PacketKind, Program] = {}
        self._misfits: dict[PacketKind, _Misfit] = {}
        self._warned: set[tuple[str, PacketKind]] = set()

    def prepare(self, captures: Sequence[CaptureReader]) -> None:
        """Find the errors that are known before the first packet; nothing is read of the captures.

        Args:
            captures: All captures whose packets the filter will run on.

        Raises:
            CaptureError: The savefile fits no interface of the captures.
            ExpressionError: The expression is invalid, or fits no interface of the captures.
            VerificationError: The dialect rejects the program, or those of all interfaces.
        """
        if isinstance(self._filter, Program):
            self._check(self._filter)
        for capture in captures:
            if capture.container.interfaces:
                self.fits(capture, 0)
        if all(capture.container.interfaces_are_final for capture in captures):
            self.require_fit(captures)

    def require_fit(self, captures: Sequence[CaptureReader]) -> None:
        """Raise the error of the first interface if the filter fits no interface that the captures have described.

        Args:
            captures: All captures whose packets the filter has run on.

        Raises:
            CaptureError: The savefile fits no interface of the captures.
            ExpressionError: The expression is invalid, or fits no interface of the captures.
            VerificationError: The dialect rejects the program, or those of all interfaces.
        """
        if self._programs:
            return
        described = [(capture.name, interface) for capture in captures for interface in capture.container.interfaces]
        for name, interface in described or [("", _any_interface())]:  # an invalid expression is an error in any case
            if self._find(interface, name) is not None:
                return
        if described:
            raise next(iter(self._misfits.values())).error

    def fits(self, capture: CaptureReader, interface: int) -> bool:
        """Return whether the filter fits an interface.

        Args:
            capture: The capture.
            interface: The index of the interface in `CaptureReader.interfaces`.

        Returns:
            Whether there is a program for the packets of the interface.

        Raises:
            ExpressionError: The expression is invalid for every link type.
        """
        return self._find(capture.container.interfaces[interface], capture.name) is not None

    def first(self, capture: CaptureReader) -> Program | None:
        """Return the program for the first interface that the filter fits, of those described so far.

        Args:
            capture: The capture.

        Returns:
            The program, or None if the filter fits no interface that the capture has described so far.

        Raises:
            ExpressionError: The expression is invalid for every link type.
        """
        if isinstance(self._filter, Program):
            return self._filter
        programs = (self._find(interface, capture.name) for interface in capture.container.interfaces)
        return next((program for program in programs if program is not None), None)

    def program(self, capture: CaptureReader, interface: int) -> Program | None:
        """Return the program for the packets of an interface.

        Args:
            capture: The capture.
            interface: The index of the interface in `CaptureReader.interfaces`.

        Returns:
            The program, or None if the filter does not fit: then no packet of the interface matches, and an
            `ExpressionWarning` gives the reason, once for each capture and kind of packets.

        Raises:
            ExpressionError: The expression is invalid for every link type.
        """
        described = capture.container.interfaces[interface]
        program = self._find(described, capture.name)
        if program is None:
            self._warn(capture.name, interface, described)
        return program

    def _find(self, interface: Interface, name: str) -> Program | None:
        kind = packet_kind(interface)
        if kind not in self._programs and kind not in self._misfits:
            try:
                program = self._make(interface, name)
                self._check(program)
            except (LinkTypeError, CaptureError, VerificationError) as error:
                self._misfits[kind] = _Misfit(error, str(error).removeprefix(f"{name}: "))
            else:
                self._programs[kind] = program
        return self._programs.get(kind)

    def _make(self, interface: Interface, name: str) -> Program:
        if isinstance(self._filter, Program):
            return self._filter
        if not isinstance(self._filter, str):
            from ..formats.savefile import Savefile
            from .link_programs import LinkPrograms

            if isinstance(self._filter, Savefile):
                return _program_of_savefile(self._filter, interface, name)
            if isinstance(self._filter, LinkPrograms):
                return self._filter.program(packet_kind(interface))
        return compile_for_interface(
            self._filter,
            interface,
            self._dialect,
            self._names,
            self._optimizer if isinstance(self._filter, str) else "cbpf",
            optimizes_lists=self._optimizes_lists,
            netmask=self._netmask,
            as_socket=self._is_live,
        )

    def _warn(self, name: str, index: int, interface: Interface) -> None:
        kind = packet_kind(interface)
        if (name, kind) not in self._warned:
            self._warned.add((name, kind))
            place = f"{name}: interface {index}, link type {interface.link_type.name}"
            text = f"{place}: {self._misfits[kind].reason}; its packets do not match"
            warn(text)


def compile_for_interface(
    expression: "str | Expression",
    interface: Interface,
    dialect: Dialect,
    names: Lookups,
    optimizer: "Optimizer" = "cbpf",
    *,
    optimizes_lists: bool = True,
    netmask: int | None = 0,
    as_socket: bool = False,
) -> Program:
    """Return the program of an expression for the packets of an interface in a file, to run under *dialect*."""
    options = Options(optimizer, dialect, optimizes_lists)
    return compile_cached(interface_target(interface, netmask=netmask, as_socket=as_socket), expression, names, options)


def _program_of_savefile(savefile: "Savefile", interface: Interface, name: str) -> Program:
    """Return the program of a savefile; raise `CaptureError` unless it was compiled for the interface's link type."""
    if savefile.link_type != interface.link_type.dlt:
        expected = link_type_by_dlt(savefile.link_type).name
        fact = f"link type {interface.link_type.name} is not {expected}, for which the savefile was compiled"
        raise CaptureError(f"{name}: {fact}")
    if savefile.snaplen < interface.snaplen:
        fact = f"the savefile was compiled for a snapshot length of {savefile.snaplen}, below {interface.snaplen}"
        warn(f"{name}: {fact}; packets are not truncated")
    return savefile.program

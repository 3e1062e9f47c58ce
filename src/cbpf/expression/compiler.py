"""The compiler of filter expressions (pcap-filter(7)): a front end, followed by the optimiser.

An expression passes through three steps, each once: the front end returns plain instructions, the optimiser returns a
better program, and the verifier checks that program.
"""

from collections.abc import Iterable

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Any, Final
from .._validators import check_optimizer, flag, one_of, within
from ..errors import FieldError, quoted, warn
from ..isa.dialects import LINUX, PCAP, Dialect, check_dialect
from ..isa.program import Program
from ..packet.link_types import LinkType, link_type_by_dlt
from ..packet.link_types import link_type as find_link_type
from .address_lists import Expression
from .front_end import REJECT_ALL, Code, RawInstructions, check_characters, plain_code
from .names import SYSTEM_NAMES, Lookups, Resolver, SystemResolver
from .target import SocketStart, Target, netmask_number

if TYPE_CHECKING:
    from .._options import FrontEnd, Goal, Optimizer

DEFAULT_SNAPLEN: Final = 262_144
"""The verdict on accepted packets by default, in bytes: tcpdump's default snapshot length."""

check_snaplen: Final = within(0, 0xFFFF_FFFF, "a snapshot length")
_MAX_SNAPLEN_OF_LIBPCAP: Final = 0x7FFF_FFFF
_check_front_end: Final = one_of("cbpf", "libpcap")
_check_goal: Final = one_of("size", "speed", None)


def compile(
    expression: str | Expression,
    *,
    link_type: str | int | LinkType = "EN10MB",
    snaplen: int = DEFAULT_SNAPLEN,
    netmask: int | str | None = None,
    optimizer: "Optimizer" = "cbpf",
    dialect: Dialect | None = None,
    goal: "Goal | None" = None,
    frontend: "FrontEnd" = "cbpf",
    names: Resolver | None = SYSTEM_NAMES,
    lint: bool = False,
    live: bool = False,
) -> Program:
    """Return the program of a filter expression.

    An expression that rejects all packets compiles to `ret #0`, with an `ExpressionWarning`.

    Args:
        expression: The expression in tcpdump's language (pcap-filter(7)); an empty one accepts every packet. An
            `Expression` additionally has lists of addresses and ports.
        link_type: The link type of the packets: a name such as "EN10MB" (Ethernet, the default), a LINKTYPE_ number, or
            a `LinkType`.
        snaplen: The verdict on accepted packets, in bytes (0..4294967295; default 262144). Another hook than a socket
            may give it another meaning, such as 4294967295 for tc.
        netmask: The netmask of the network that is captured on, as dotted text or as a number whose most significant
            byte is the first; only `ip broadcast` requires one.
        optimizer: "cbpf" (the default) optimises with `optimize`, which preserves the verdict on every packet.
            "libpcap" runs libpcap's own optimiser, which changes the verdict on some packets, most of them truncated;
            it requires the front end "libpcap". None returns plain code, which defines the meaning of the expression.
        dialect: The dialect whose arithmetic "cbpf" preserves; by default LINUX with *live*, else PCAP. The dialects
            differ in shifts by 32 and more and in offsets above 2**31, which almost no expression has.
        goal: The goal of "cbpf", "size" or "speed" (see `optimize`); by default "size", and "speed" for an `Expression`
            with lists.
        frontend: The compiler of plain code: "cbpf" (the default), or "libpcap" for comparisons, which needs libpcap
            (extra `libpcap`).
        names: The source of the names in the expression: by default the system, whose resolver may query name servers.
            None rejects names of hosts, networks, services and protocols. The front end "libpcap" supports the
            system's names only.
        lint: Whether to emit an `ExpressionWarning` for each error and warning of `lint_expression`.
        live: Whether the program is for a live Linux packet socket (AF_PACKET), for which some fields are metadata:
            `vlan` tests both the tag that Linux has removed and a tag in the bytes, and later primitives refer to the
            headers after it; `inbound`, `outbound` and `ifindex` are the kernel's. The link type is that of the
            interface, or LINUX_SLL2 for a socket of type SOCK_DGRAM. The lengths `len`, `less` and `greater` exclude
            a removed tag and a link header that the socket does not receive.

    Returns:
        The program. It is not verified if "cbpf" did not improve it, or if another optimiser was chosen.

    Raises:
        ExpressionError: The expression cannot be compiled. `LinkTypeError` if the link type is the reason.
        FieldError: An argument is invalid, or does not go with the front end.
        VerificationError: The dialect does not support the program of an expression with long lists.
        MissingLibrary: The front end "libpcap" was chosen, and libpcap is not installed.

    >>> print(compile("arp"))
    (000) ldh      [12]
    (001) jeq      #0x806           jt 2	jf 3
    (002) ret      #262144
    (003) ret      #0
    """
    netmask = netmask_number("compile.netmask", netmask)
    dlt, length = find_link_type(link_type).dlt, check_snaplen("compile.snaplen", snaplen)
    target = Target(dlt, length, netmask, socket="link" if flag("compile.live", live) else None)
    lookups = Lookups(names)
    compiled = compile_quietly(
        target,
        expression,
        lookups,
        frontend=frontend,
        optimizer=optimizer,
        dialect=(LINUX if live else PCAP) if dialect is None else dialect,
        goal=goal,
    )
    for warning in compiled.warnings:
        warn(warning)
    if flag("compile.lint", lint):
        _warn_of_mistakes(expression if isinstance(expression, str) else expression.text, target, lookups)
    return compiled.program


def compile_for_socket(
    expression: str | Expression,
    start: SocketStart,
    *,
    link_type: str | int | LinkType = "RAW",
    names: Resolver | None = SYSTEM_NAMES,
) -> Program:
    """Return the program of an expression for a live Linux socket, and emit its warnings on behalf of the caller.

    - A packet socket (AF_PACKET) of type SOCK_RAW: `start="link"` with the link type of its interface.
    - A packet socket of type SOCK_DGRAM: `start="link"` with the link type LINUX_SLL2.
    - A UDP, TCP or raw socket of IPv4 or IPv6: `start="network"`. The link type is RAW (IP), and all loads go through
      the kernel's window at the network header, wherever the packet of the socket begins.
    - Packets of other sockets, such as AF_UNIX, have no headers that an expression could refer to.

    Args:
        expression: The expression.
        start: The header from which the program loads.
        link_type: The link type of the packets of a packet socket.
        names: The source of the names in the expression; see `compile`.

    Returns:
        The program, optimised for the dialect LINUX. It accepts packets with the verdict `DEFAULT_SNAPLEN`.

    Raises:
        ExpressionError: The expression cannot be compiled; `LinkTypeError` if the link type is the reason.
    """
    target = Target(find_link_type(link_type).dlt, DEFAULT_SNAPLEN, socket=start)
    compiled = compile_quietly(target, expression, Lookups(names), dialect=LINUX)
    for warning in compiled.warnings:
        warn(warning)
    return compiled.program


def _warn_of_mistakes(text: str, target: Target, names: Lookups) -> None:
    """Emit a warning for each error and warning about an expression."""
    from .linting.linter import lint_findings

    for finding in lint_findings(text, target, names):
        if finding.severity in ("error", "warning"):
            message = f"{quoted(text)}: {finding.place}: {finding.fact}; {finding.rule} [{finding.identifier}]"
            warn(message)


def hosts(addresses: Iterable[object], **options: Any) -> Program:
    """Return the program that accepts packets from or to a list of addresses.

    Args:
        addresses: Addresses, networks and ranges; see `Expression`.
        **options: The keyword arguments of `compile`.

    Returns:
        The program.

    Raises:
        FieldError: An entry or an argument is invalid.
        ExpressionError: Packets of the link type have no such addresses.

    >>> program = hosts(["192.0.2.0/24", "198.51.100.7", "2001:db8::1-2001:db8::9"], link_type="RAW")
    >>> from cbpf import VM
    >>> VM(program).run(bytes.fromhex("4500001400000000 40110000 c0000263 0a000001"))
    262144
    """
    return compile(Expression(hosts=addresses), **options)


def ports(numbers: Iterable[object], **options: Any) -> Program:
    """Return the program that accepts packets from or to a list of ports.

    Args:
        numbers: Port numbers and ranges; see `Expression`.
        **options: The keyword arguments of `compile`.

    Returns:
        The program.

    Raises:
        FieldError: An entry or an argument is invalid.
        ExpressionError: Packets of the link type have no ports.

    >>> len(ports([53, "8000-8999"]))
    30
    """
    return compile(Expression(ports=numbers), **options)


class Compiled(NamedTuple):
    """The program of an expression, and the warnings about it."""

    program: Program
    warnings: tuple[str, ...]


def compile_quietly(
    target: Target,
    expression: str | Expression,
    names: Lookups,
    *,
    frontend: "FrontEnd" = "cbpf",
    optimizer: "Optimizer" = "cbpf",
    dialect: Dialect = PCAP,
    goal: "Goal | None" = None,
    optimize_sets: bool = False,
) -> Compiled:
    """Return the program of an expression for a live device or a capture file, and its warnings; see `compile`.

    With *optimize_sets*, "cbpf" optimises an expression with long lists whatever the optimiser: its plain code has a
    jump for each entry.
    """
    if not isinstance(expression, str | Expression):
        raise FieldError(f"expression: {expression!r} is not text")
    _check_front_end("compile.frontend", frontend)
    check_optimizer("compile.optimizer", optimizer)
    _check_goal("compile.goal", goal)
    check_dialect(dialect)
    if isinstance(expression, str):
        check_characters(expression)
        expression = Expression(expression)
    if optimizer == "libpcap" and frontend != "libpcap":
        raise FieldError("compile.optimizer: 'libpcap' requires frontend='libpcap' (--frontend libpcap)")
    if target.socket is not None and not dialect.header_windows:
        raise FieldError(f"compile.live: True requires dialect=LINUX, not {dialect.name}")
    if target.socket is not None and frontend == "libpcap":
        raise FieldError("compile.frontend: 'libpcap' does not support live=True; use 'cbpf'")
    if frontend == "libpcap" and target.snaplen > _MAX_SNAPLEN_OF_LIBPCAP:
        raise FieldError(f"compile.snaplen: the front end 'libpcap' supports at most {_MAX_SNAPLEN_OF_LIBPCAP}")
    if frontend == "libpcap" and type(names.resolver) is not SystemResolver:
        raise FieldError("compile.names: the front end 'libpcap' uses the names of the system only")
    if any(expression.lists) and frontend != "cbpf":
        raise FieldError(f"compile.frontend: {frontend!r} does not support address and port lists; use 'cbpf'")
    if any(expression.lists) and optimizer != "cbpf":
        raise FieldError(f"compile.optimizer: {optimizer!r} does not support address and port lists; use 'cbpf'")
    code = _code(expression, target, names, frontend, optimizer, keep_sets=optimize_sets or optimizer == "cbpf")
    about_code = code.warnings + (code.socket_warnings if _is_for_sockets(target, dialect) else ())
    found = [f"{quoted(expression.text)}: {warning}" for warning in about_code]
    is_optimized = optimizer == "cbpf" or code.sets
    default_goal: Goal = "speed" if any(expression.lists) or optimize_sets else "size"
    program = _optimized(code, dialect, goal or default_goal) if is_optimized else Program(code.instructions)
    if program is None:
        program = Program(_code(expression, target, names, frontend, optimizer, keep_sets=False).instructions)
    if tuple(program) == REJECT_ALL:
        fact = f"rejects all packets of link type {link_type_by_dlt(target.dlt).name}"
        subject = quoted(expression.text) + (" with lists" if any(expression.lists) else "")
        found.append(f"{subject} {fact}")
    return Compiled(program, tuple(found))


def _code(
    expression: Expression,
    target: Target,
    names: Lookups,
    frontend: "FrontEnd",
    optimizer: "Optimizer",
    *,
    keep_sets: bool,
) -> Code:
    """Return the code of the front end; libpcap's own optimiser may have changed it."""
    if frontend == "cbpf":
        return plain_code(expression, target, names, keep_sets=keep_sets)
    from .libpcap_front_end import libpcap_code

    return libpcap_code(expression.text, target, optimize=optimizer == "libpcap")


def _optimized(code: Code, dialect: Dialect, goal: "Goal") -> Program | None:
    """Return the optimised program, which is verified, or the plain one if the optimiser finds no better one.

    The result is None if the arithmetic of an expression with long lists is too complex for the optimiser.
    """
    if code.sets:
        return _optimized_with_sets(code, dialect, goal)
    from ..optimizer.pipeline import improve

    # Every rule that the optimiser relies on, except for this one, holds for all programs that a front end returns.
    improved = (
        improve(code.instructions, dialect=dialect, goal=goal) if _has_opcodes(dialect, code.instructions) else None
    )
    return Program(code.instructions) if improved is None else improved


def _optimized_with_sets(code: Code, dialect: Dialect, goal: "Goal") -> Program | None:
    from ..isa.verifier import verify
    from ..optimizer.ir.value_numbering import TooLarge
    from ..optimizer.pipeline import with_sets

    if not _has_opcodes(dialect, code.instructions):
        verify(code.instructions, dialect=dialect)
    try:
        return with_sets(code.instructions, code.sets, dialect=dialect, goal=goal)
    except TooLarge:
        return None


def _is_for_sockets(target: Target, dialect: Dialect) -> bool:
    """Return whether a program may be attached to a socket: it is for Linux, and not for a capture file."""
    return dialect.header_windows and target.file_order is None


def _has_opcodes(dialect: Dialect, instructions: RawInstructions) -> bool:
    return all(raw.op in dialect.opcodes for raw in instructions)

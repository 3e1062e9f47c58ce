"""The compiler of filter expressions (pcap-filter(7)): libpcap's front end, followed by cbpf's optimiser.

An expression passes through three steps, each once: `front_end` returns raw instructions, the optimiser returns a
better program, and the verifier checks that program. An `Expression` with lists of addresses and ports is compiled
with placeholders in place of the lists, which the optimiser replaces by tests of the lists (`optimizer.placeholders`).
"""

import warnings
from collections.abc import Iterable
from typing import Any, Final

from .._options import Goal, Optimizer
from .._validators import check_word, one_of, within
from ..errors import ExpressionError, ExpressionWarning, FieldError, LinkTypeError, quoted
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Program
from ..optimizer.placeholders import AddressRanges, PlaceholderMismatch, choose_placeholders
from ..packet.link_types import LinkType, link_type_by_dlt
from ..packet.link_types import link_type as find_link_type
from .address_lists import Expression, list_texts, text_with_placeholders
from .front_end import REJECT_ALL, RawInstructions, check_text, raw_instructions
from .libpcap import NETMASK_UNKNOWN, Handle

DEFAULT_SNAPLEN: Final = 262_144
"""The verdict on accepted packets by default, in bytes: tcpdump's default snapshot length."""

_check_snaplen: Final = within(0, 0x7FFF_FFFF, "a snapshot length")
_check_optimizer: Final = one_of("cbpf", "libpcap", None)
_check_goal: Final = one_of("size", "speed", None)


def compile(
    expression: str | Expression,
    *,
    link_type: str | int | LinkType = "EN10MB",
    snaplen: int = DEFAULT_SNAPLEN,
    netmask: int | str | None = None,
    optimizer: Optimizer = "cbpf",
    dialect: Dialect = PCAP,
    goal: Goal | None = None,
) -> Program:
    """Return the program of a filter expression.

    Host names are resolved by the system's resolver. An expression that rejects all packets compiles to `ret #0`, with
    an `ExpressionWarning`.

    Args:
        expression: The expression in tcpdump's language (pcap-filter(7)); an empty one accepts every packet. An
            `Expression` additionally has lists of addresses and ports.
        link_type: The link type of the packets: a name such as "EN10MB" (Ethernet, the default), a LINKTYPE_ number, or
            a `LinkType`.
        snaplen: The verdict on accepted packets, in bytes (0..2147483647; default 262144).
        netmask: The netmask of the network that is captured on, as dotted text or as a number whose most significant
            byte is the first; only `ip broadcast` requires one.
        optimizer: "cbpf" (the default) optimises with `optimize`, which preserves the verdict on every packet.
            "libpcap" runs libpcap's own optimiser, which changes the verdict on some packets, most of them truncated.
            None returns libpcap's plain code, which defines the meaning of the expression.
        dialect: The dialect whose arithmetic "cbpf" preserves. LINUX is for programs that are attached to a socket; the
            dialects differ in shifts by 32 and more and in offsets above 2**31, which almost no expression has.
        goal: The goal of "cbpf", "size" or "speed" (see `optimize`); by default "size", and "speed" if there are lists.

    Returns:
        The program. It is not verified if "cbpf" did not improve it, or if another optimiser was chosen.

    Raises:
        ExpressionError: libpcap rejects the expression; the message contains libpcap's own. `LinkTypeError` if it would
            accept it for another link type.
        FieldError: An argument is invalid, or an `Expression` with lists is combined with another optimiser.
        VerificationError: The dialect does not support the program of an `Expression` with lists.
        MissingLibrary: libpcap is not installed.

    >>> print(compile("arp"))
    (000) ldh      [12]
    (001) jeq      #0x806           jt 2	jf 3
    (002) ret      #262144
    (003) ret      #0
    """
    handle = Handle(find_link_type(link_type).dlt, _check_snaplen("compile.snaplen", snaplen))
    return compile_for(handle, expression, netmask=_netmask(netmask), optimizer=optimizer, dialect=dialect, goal=goal)


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


def compile_for(
    handle: Handle,
    expression: str | Expression,
    *,
    netmask: int,
    optimizer: Optimizer = "cbpf",
    dialect: Dialect = PCAP,
    goal: Goal | None = None,
) -> Program:
    """Return the program of an expression for a live device or a capture file; see `compile`."""
    if not isinstance(expression, str | Expression):
        raise FieldError(f"expression: {expression!r} is not text")
    _check_optimizer("compile.optimizer", optimizer)
    _check_goal("compile.goal", goal)
    if isinstance(expression, str):
        check_text(expression)
        expression = Expression(expression)
    if any(expression.lists):
        if optimizer != "cbpf":
            raise FieldError(f"compile.optimizer: {optimizer!r} does not support address and port lists; use 'cbpf'")
        program = _compile_lists(expression, handle, netmask, check_dialect(dialect), goal or "speed")
    else:
        instructions = raw_instructions(expression.text, handle, netmask, optimize=optimizer == "libpcap")
        improved = _improve(instructions, check_dialect(dialect), goal or "size") if optimizer == "cbpf" else None
        program = Program(instructions) if improved is None else improved
    if tuple(program) == REJECT_ALL:
        fact = f"rejects all packets of link type {link_type_by_dlt(handle.dlt).name}"
        subject = quoted(expression.text) + (" with lists" if any(expression.lists) else "")
        warnings.warn(f"{subject} {fact}", ExpressionWarning, stacklevel=3)
    return program


def _improve(instructions: RawInstructions, dialect: Dialect, goal: Goal) -> Program | None:
    """Return the optimised program, which is verified; None if there is none, or if the dialect lacks an opcode.

    Every other rule that the optimiser relies on holds for all programs that the front end returns.
    """
    from ..optimizer.pipeline import improve

    return improve(instructions, dialect=dialect, goal=goal) if _has_opcodes(dialect, instructions) else None


def _has_opcodes(dialect: Dialect, instructions: RawInstructions) -> bool:
    return all(raw.op in dialect.opcodes for raw in instructions)


def _compile_lists(expression: Expression, handle: Handle, netmask: int, dialect: Dialect, goal: Goal) -> Program:
    """Compile an expression with placeholders, and return the optimised program that tests for the lists instead.

    Packets of some link types have no addresses of a list's family; as in libpcap, such a list matches nothing.
    """
    from ..isa.verifier import verify
    from ..optimizer.ir.value_numbering import TooLarge
    from ..optimizer.pipeline import with_lists

    subject = f"{quoted(expression.text)} with lists"
    used = {raw.k for raw in raw_instructions(expression.text, handle, netmask)}
    placeholders, lists = choose_placeholders(used), expression.lists
    texts = list_texts(lists, expression.direction, placeholders)
    possible = {
        name: text
        for name, text in texts.items()
        if raw_instructions(text, handle, netmask, optimize=True, subject=subject) != REJECT_ALL
    }
    if lists.kinds(texts) != lists.kinds(possible):
        return Program(REJECT_ALL)
    lists = AddressRanges(**{name: getattr(lists, name) for name in possible})
    text = text_with_placeholders(expression.text, possible)
    instructions = raw_instructions(text, handle, netmask, subject=subject)
    if not _has_opcodes(dialect, instructions):
        verify(instructions, dialect=dialect)
    try:
        return with_lists(instructions, placeholders, lists, dialect=dialect, goal=goal)
    except TooLarge:
        raise ExpressionError(f"{subject}: its arithmetic is too complex to be combined with lists") from None
    except PlaceholderMismatch:
        fact = f"packets of link type {link_type_by_dlt(handle.dlt).name} do not have such addresses or ports"
        raise LinkTypeError(f"{subject}: {fact}") from None


def _netmask(netmask: int | str | None) -> int:
    if netmask is None:
        return NETMASK_UNKNOWN
    if isinstance(netmask, str):
        import ipaddress

        try:
            return int(ipaddress.IPv4Address(netmask))
        except ValueError:
            raise FieldError(f"compile.netmask: {netmask!r} is not an IPv4 netmask such as 255.255.255.0") from None
    number: int = check_word("compile.netmask", netmask)
    return number

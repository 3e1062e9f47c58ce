"""Filter expressions (pcap-filter(7)) -> Program, with libpcap's front end."""

import warnings
from collections.abc import Iterable
from typing import Any, Final

from .._options import Goal, Optimizer
from .._validators import check_word, one_of, within
from ..errors import ExpressionError, ExpressionWarning, FieldError, VerificationError
from ..isa.dialects import PCAP, Dialect
from ..isa.instructions import RetConstant
from ..isa.opcodes import OPCODE_BY_CODE, Action
from ..isa.program import Program
from ..packet.link_types import LinkType, link_type_by_dlt
from ..packet.link_types import link_type as find_link_type
from .address_lists import Expression, placeholders_beside, text_with_placeholders
from .libpcap import NETMASK_UNKNOWN, Handle, compiler

LONGEST_EXPRESSION: Final = 65_535
DEFAULT_SNAPLEN: Final = 262_144
check_snaplen: Final = within(0, 0x7FFF_FFFF, "a snapshot length")

_REJECTS_ALL: Final = "expression rejects all packets"
_REJECTING: Final = Program([RetConstant(0)])


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
    """The program of a filter expression; an empty one accepts every packet. An `Expression` has long lists beside it.

      link_type: a name, or a LINKTYPE_ number; snaplen: the verdict on a packet that is kept, in bytes.
      netmask: of the network captured on, as dotted text or a number; only `ip broadcast` asks for it.
      optimizer: None gives libpcap's plain code, which says what the expression means. "cbpf" makes it short with
        `optimize`, with the same verdict on every packet. "libpcap" runs libpcap's own optimiser, which changes the
        verdict on some packets, mostly on those that are cut short.
      dialect: whose arithmetic "cbpf" keeps: LINUX for a program that goes to a socket. It matters for shifts by 32
        and more and for offsets beyond 2**31, which nearly no expression has.
      goal: of the optimiser (see `optimize`); by default "size", and "speed" where there are lists. Lists need "cbpf".

    Raises `ExpressionError` in libpcap's words, `FieldError` for a wrong argument. An expression that rejects
    all packets becomes `ret #0`, with an `ExpressionWarning`. Names are looked up by the system's resolver.

    >>> print(compile("arp"))
    (000) ldh      [12]
    (001) jeq      #0x806           jt 2	jf 3
    (002) ret      #262144
    (003) ret      #0
    """
    handle = Handle(find_link_type(link_type).dlt, check_snaplen("compile.snaplen", snaplen))
    return compile_for(handle, expression, netmask=_netmask(netmask), optimizer=optimizer, dialect=dialect, goal=goal)


def hosts(addresses: Iterable[object], **options: Any) -> Program:
    """The program that keeps packets from or to the addresses (see `Expression.hosts`); options are those of `compile`.

    >>> program = hosts(["192.0.2.0/24", "198.51.100.7", "2001:db8::1-2001:db8::9"], link_type="RAW")
    >>> from cbpf import VM
    >>> VM(program).run(bytes.fromhex("4500001400000000 40110000 c0000263 0a000001"))
    262144
    """
    return compile(Expression(hosts=addresses), **options)


def ports(numbers: Iterable[object], **options: Any) -> Program:
    """The program that keeps packets from or to the ports (see `Expression.ports`); options are those of `compile`."""
    return compile(Expression(ports=numbers), **options)


_check_optimizer: Final = one_of("cbpf", "libpcap", None)
_check_goal: Final = one_of("size", "speed", None)


def compile_for(
    handle: Handle,
    expression: str | Expression,
    *,
    netmask: int,
    optimizer: Optimizer = "cbpf",
    dialect: Dialect = PCAP,
    goal: Goal | None = None,
) -> Program:
    """The program of an expression for a live device or a capture; see `compile`."""
    if not isinstance(expression, str | Expression):
        raise FieldError(f"expression: {expression!r} is not text")
    _check_optimizer("compile.optimizer", optimizer)
    _check_goal("compile.goal", goal)
    if isinstance(expression, str):
        _require_harmless(expression)
        expression = Expression(expression)
    if any(expression.lists):
        program = _compiled_with_lists(expression, handle, netmask, optimizer, dialect, goal or "speed")
    else:
        program = _compiled(expression.text, handle, netmask, optimize=optimizer == "libpcap")
        if optimizer == "cbpf":
            program = _optimized(program, dialect, goal or "size")
    if program == _REJECTING:
        fact = f"rejects all packets of link type {link_type_by_dlt(handle.dlt).name}"
        warnings.warn(f"expression {_shown(expression.text)} {fact}", ExpressionWarning, stacklevel=3)
    return program


def _optimized(program: Program, dialect: Dialect, goal: Goal) -> Program:
    """The program made short; a dialect that does not take such programs gets it as it is."""
    from ..optimizer.pipeline import optimize

    try:
        return optimize(program, dialect=dialect, goal=goal)
    except VerificationError:
        return program


def _compiled_with_lists(
    expression: Expression, handle: Handle, netmask: int, optimizer: Optimizer, dialect: Dialect, goal: Goal
) -> Program:
    """libpcap compiles placeholders for the lists."""
    from ..optimizer.ir.value_numbering import TooLarge
    from ..optimizer.passes.list_expansion import NothingToList
    from ..optimizer.pipeline import with_lists

    if optimizer != "cbpf":
        raise FieldError(f"compile.optimizer: {optimizer!r} cannot make lists; only 'cbpf' can")
    numbers = {raw.k for raw in _compiled(expression.text, handle, netmask, optimize=False)}
    places = placeholders_beside(numbers)
    text = text_with_placeholders(expression, places)
    try:
        program = _compiled(text, handle, netmask, optimize=False)
    except ExpressionError as error:
        reason = str(error).removeprefix(f"expression {_shown(text)}: ")
        raise ExpressionError(f"{expression!r}: {reason}") from None
    try:
        return with_lists(program, places, expression.lists, dialect=dialect, goal=goal)
    except TooLarge:
        raise ExpressionError(f"{expression!r}: its arithmetic is too long to stand beside lists") from None
    except NothingToList:
        raise ExpressionError(f"{expression!r}: packets of link type {handle.dlt} have no such addresses") from None


def _compiled(expression: str, handle: Handle, netmask: int, *, optimize: bool) -> Program:
    """What libpcap makes of an expression."""
    _require_harmless(expression)
    try:
        program = Program(compiler()(expression, handle, optimize, netmask))
    except ExpressionError as error:
        if str(error) == _REJECTS_ALL:
            return _REJECTING
        raise ExpressionError(f"expression {_shown(expression)}: {error}") from None
    _refuse_backward_jump(expression, program)
    return program


def _shown(expression: str) -> str:
    return repr(expression) if len(expression) <= 80 else repr(expression[:80]) + "..."


def _require_harmless(expression: str) -> None:
    """Raises for text that libpcap would misread, or that is so long that it would take minutes, or crash."""
    if len(expression) > LONGEST_EXPRESSION:
        fact = f"has {len(expression)} characters"
        raise ExpressionError(f"expression {_shown(expression)}: {fact}; at most {LONGEST_EXPRESSION} are compiled")
    if "\0" in expression:
        column = expression.index("\0") + 1
        raise ExpressionError(
            f"expression {_shown(expression)}: column {column}: a NUL character; libpcap would stop there"
        )
    try:
        expression.encode()
    except UnicodeEncodeError as error:
        raise ExpressionError(f"expression {_shown(expression)}: column {error.start + 1}: is not text") from None


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


def _refuse_backward_jump(expression: str, program: Program) -> None:
    for index, raw in enumerate(program):
        if OPCODE_BY_CODE[raw.op].action is Action.JUMP and raw.k >= len(program):
            raise ExpressionError(
                f"expression {_shown(expression)}: instruction {index} jumps backward: protochain walks the headers"
                " in a loop, and a program here must end; name the headers one by one instead"
            )

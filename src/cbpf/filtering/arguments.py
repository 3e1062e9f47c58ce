"""The checks of the arguments that several functions for captures have."""

from collections.abc import Callable

from .._typing import Final, TypeVar
from .._validators import Check, checked, flag, function, instance_of, integer, optional, within
from ..capture.reader import CaptureReader
from ..isa.dialects import check_dialect
from ..vm import check_engine
from .bound_filter import check_filter

_Function = TypeVar("_Function", bound=Callable[..., object])

_CHECKS: Final[dict[str, Check]] = {
    "as_socket": flag,
    "capture": instance_of(CaptureReader),
    "count": optional(within(1, 2**63 - 1, "a number of packets")),
    "dialect": lambda path, value: check_dialect(value, path),
    "engine": check_engine,
    "filter": check_filter,
    "interface": integer,
    "invert": flag,
    "progress": optional(function),
    "snaplen": optional(within(1, 262_144, "a snapshot length")),
}


def with_checks(*names: str) -> Callable[[_Function], _Function]:
    """Return a decorator of functions whose arguments of these names are checked before each call."""
    return checked(**{name: _CHECKS[name] for name in names})

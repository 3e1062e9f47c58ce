"""The checks of the arguments that several functions for captures have."""

from .._typing import Any, Callable, Final, Iterable, Mapping, TypeVar
from .._validators import (
    Check,
    check_optimizer,
    checked,
    flag,
    function,
    instance_of,
    integer,
    iterable,
    optional,
    within,
)
from ..capture.reader import CaptureReader
from ..errors import FieldError
from ..isa.dialects import check_dialect
from ..vm import check_engine
from .bound_filter import Filter, check_filter

_Function = TypeVar("_Function", bound=Callable[..., object])


def _check_rotation(path: str, value: Any) -> Any:
    if value is None:
        return None
    from .rotation import Rotation

    return instance_of(Rotation)(path, value)


_CHECKS: Final[dict[str, Check]] = {
    "as_socket": flag,
    "capture": instance_of(CaptureReader),
    "count": optional(within(1, 2**63 - 1, "a number of packets")),
    "dialect": lambda path, value: check_dialect(value, path),
    "engine": check_engine,
    "filter": check_filter,
    "interface": integer,
    "invert": flag,
    "optimizer": check_optimizer,
    "progress": optional(function),
    "rotation": _check_rotation,
    "snaplen": optional(within(1, 262_144, "a snapshot length")),
}


def with_checks(*names: str) -> Callable[[_Function], _Function]:
    """Return a decorator of functions whose arguments of these names are checked before each call."""
    return checked(**{name: _CHECKS[name] for name in names})


_Target = TypeVar("_Target")


def route_pairs(
    path: str, routes: Mapping[Any, _Target] | Iterable[tuple[Filter, _Target]]
) -> list[tuple[Filter, _Target]]:
    """Return routes as pairs of a filter and its target, of which there is at least one."""
    pairs = list(routes.items() if isinstance(routes, Mapping) else iterable(path, routes))
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise FieldError(f"{path}: {pair!r} is not a pair of a filter and its target")
        check_filter(path, pair[0])
    if not pairs:
        raise FieldError(f"{path}: is empty; name at least one filter and its target")
    return pairs

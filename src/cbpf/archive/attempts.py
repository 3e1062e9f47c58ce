"""Calls of a store, which are repeated while it does not answer, and whose errors are one line."""

import errno
from collections.abc import Callable
from time import monotonic, sleep

from .._typing import Final, TypeVar
from ..errors import ArchiveError, CbpfError

STORE_PATIENCE: Final = 60.0
"""The seconds for which a call is repeated while the store does not answer."""

FIRST_PATIENCE: Final = 10.0
"""The seconds for which the first call of a store in this process is repeated: its address may be wrong."""

_FIRST_PAUSE: Final = 0.25  # seconds; doubled after each attempt
_LONGEST_PAUSE: Final = 4.0

_ANSWERS: Final = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    PermissionError,
)
"""The exceptions that are an answer of the store."""
_LOCAL_CAUSES: Final = {errno.EDQUOT, errno.EMFILE, errno.ENOSPC, errno.EROFS}
_DRIVERS: Final = {"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "httpx", "requests", "urllib3"}
"""The packages of the drivers of stores, whose exceptions are mostly those of connections."""
_MISTAKES: Final = ("Credential", "Config", "Profile", "ParamValidation", "InvalidRegion", "InvalidURL", "Auth")
"""Parts of the names of exceptions that another attempt would raise again."""

_answered: Final[set[tuple[str, str]]] = set()
"""The protocols and servers or buckets that have answered in this process."""

_Result = TypeVar("_Result")


class ObjectReplaced(ArchiveError):
    """An object has been replaced since it was listed."""


def attempt(place: str, action: Callable[[], _Result], *, patience: float | None = None) -> _Result:
    """Return the result of a call of a store; repeat it while the store does not answer.

    Args:
        place: The path of the object or the store, for messages.
        action: The call; it can be repeated.
        patience: The seconds after which the call is not repeated any more; None: STORE_PATIENCE, or
            FIRST_PATIENCE for the first call, and 0 for a path.

    Returns:
        The result of the call.

    Raises:
        ArchiveError: The store answers with an error, or does not answer. `__cause__` is the exception of the driver.
    """
    protocol, is_remote, rest = place.partition("://")
    root = (protocol, rest.partition("/")[0])
    if patience is None:
        patience = 0 if not is_remote else FIRST_PATIENCE if _is_first(root) else STORE_PATIENCE
    end, pause = monotonic() + patience, _FIRST_PAUSE
    while True:
        try:
            result = action()
        except CbpfError:
            raise
        except Exception as error:
            if isinstance(error, _ANSWERS):
                _answered.add(root)
            if not is_transient(error) or monotonic() + pause > end:
                raise ArchiveError(f"{place}: {_fact(error)}") from error
        else:
            _answered.add(root)
            return result
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _is_first(root: tuple[str, str]) -> bool:
    """Return whether a store may have a wrong address: a worker has the address from a process that has used it."""
    from multiprocessing import parent_process

    return root not in _answered and parent_process() is None


def is_transient(error: Exception) -> bool:
    """Return whether an exception of a driver may come from a store that does not answer for a while."""
    if isinstance(error, _ANSWERS) or any(word in type(error).__name__ for word in _MISTAKES):
        return False
    if isinstance(error, OSError):
        return error.errno not in _LOCAL_CAUSES
    return type(error).__module__.partition(".")[0] in _DRIVERS


def _fact(error: Exception) -> str:
    """Return an exception of a driver as a fact, with the remedy where there is one."""
    text = " ".join(str(error).split())
    if "Credential" in type(error).__name__:
        remedy = "set them as its driver expects, or as storage options; anon=true reads a public store"
        return f"no credentials for the store; {remedy}"
    match error:
        case FileNotFoundError() if "bucket does not exist" in text or "NoSuchBucket" in text:
            return "no such bucket"
        case FileNotFoundError():
            return "does not exist"
        case PermissionError():
            return f"access is denied ({text}); the credentials of the store need this right"
        case OSError() if is_transient(error):
            return f"the store does not answer ({text or type(error).__name__})"
        case _ if is_transient(error):
            return f"the store does not answer ({type(error).__name__}: {text})"
        case OSError():
            return error.strerror or text
    return f"{type(error).__name__}: {text}"

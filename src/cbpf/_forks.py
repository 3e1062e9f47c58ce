"""Forks: a process is forked only while no other thread holds a lock that the child would need.

A child process has one thread. A lock that another thread of the parent held remains locked in it, and the state that
the lock protects remains incomplete. So a fork (os.fork, multiprocessing) waits until no thread holds a guard, and
until no thread imports a module of this package or of its dependencies: Python does not release the locks of such
modules in the child (`importlib._bootstrap._ModuleLock`).

`import cbpf` imports this module, which imports only modules that every interpreter has loaded.
"""

import _imp
import _thread
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

    Guard = Callable[[], AbstractContextManager[Any]]
    Locks = list[AbstractContextManager[Any]]

_DEPENDENCIES = ("backports", "bitwuzla", "click", "cypcap", "isal", "llvmlite", "lz4", "system_calls", "tomlkit")
_WAITS_FOR = sys.stdlib_module_names | {__package__, *_DEPENDENCIES}


class _ImportLock:
    """The lock without which no import can begin, taken while no other thread imports a module."""

    def __enter__(self) -> None:
        finished: set[str] = set()
        _imp.acquire_lock()
        while unfinished := _unfinished_imports() - finished:
            _imp.release_lock()
            for name in unfinished:
                _wait_for_import(name)
            finished |= unfinished
            _imp.acquire_lock()

    def __exit__(self, *exception: object) -> None:
        _imp.release_lock()


def _unfinished_imports() -> set[str]:
    """Return the names of the modules that are being imported, and of those that other threads look for.

    A thread has the lock of a module before the module is in sys.modules; the import system drops unused locks.
    """
    modules = {name for name, module in [*sys.modules.items()] if _is_initializing(module)}
    locks = getattr(sys.modules["_frozen_importlib"], "_module_locks", {})
    used = [(name, lock) for name, reference in [*locks.items()] if (lock := reference()) is not None]
    others = {name for name, lock in used if lock.owner != _thread.get_ident()}
    return {name for name in modules | others if name.partition(".")[0] in _WAITS_FOR}


def _is_initializing(module: object) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _wait_for_import(name: str) -> None:
    """Wait until another thread has imported a module; return immediately if this thread is importing it."""
    from contextlib import suppress

    with suppress(Exception):  # the other thread's import failed, and is repeated at the next use
        __import__(name)


_guards: "list[Guard]" = []
_forks: "list[Locks]" = []  # the locks that each fork in progress holds


def guard_forks(guard: "Guard") -> None:
    """Call *guard* before each fork, and hold the lock that it returns until after the fork.

    The lock must be reentrant, since a signal handler may fork while its thread holds the lock.
    """
    _guards.append(guard)


def _before_fork() -> None:
    locks: Locks = []
    _forks.append(locks)  # first, so that an interrupted wait releases the locks that it has
    guarded = -1
    while guarded != len(_guards):  # an import that was waited for may have added one
        _release(locks)
        guarded = len(_guards)
        for guard in (*_guards, _ImportLock):
            lock = guard()
            lock.__enter__()
            locks.append(lock)


def _after_fork() -> None:
    _release(_forks.pop())


def _release(locks: "Locks") -> None:
    while locks:
        locks.pop().__exit__(None, None, None)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)

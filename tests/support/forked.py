"""Functions that run in a forked child process, for tests that change the process."""

import os
import pickle
import warnings
from collections.abc import Callable
from typing import Any


def in_child(function: Callable[[], Any]) -> Any:
    """Return the result of a function in a child process; raise the exception that it raised there.

    A child that ends otherwise gives its exit code, negative for a signal.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks in processes with threads
        child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.write(writer, _outcome(function))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        data = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not data:
        return code
    error, result = pickle.loads(data)
    if error is not None:
        raise error
    return result


def _outcome(function: Callable[[], Any]) -> bytes:
    try:
        return pickle.dumps((None, function()))
    except Exception as error:
        return pickle.dumps((error, None))

"""The disk cache of the programs of expressions on captures: the compiler takes longer to import than to run.

The key of a program has everything that the program depends on, and the cache adds a fingerprint of the source of this
package. A program is not stored if the compilation looked up a name, whose answer may change, or had a warning. Like
any other program, a cached one is verified before it runs.
"""

from itertools import count

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Final
from ..engines.llvm import code_cache
from ..errors import warn
from ..isa.dialects import DIALECTS, Dialect
from ..isa.program import Program
from .names import Lookups
from .target import Target

if TYPE_CHECKING:
    from .._options import Optimizer
    from .address_lists import Expression

_MAX_PROGRAMS: Final = 16
"""The number of programs that a process looks up and stores. After the first one, the compiler is imported."""

_numbers: Final = count(1)


class Options(NamedTuple):
    """The arguments of `compiler.compile_quietly` that a program depends on, beside the expression and its target."""

    optimizer: "Optimizer"
    dialect: Dialect
    optimize_sets: bool


def compile_cached(target: Target, expression: "str | Expression", names: Lookups, options: Options) -> Program:
    """Return the program of an expression for a capture, from the disk cache if possible, and emit its warnings."""
    key = _key(target, expression, options)
    if key is None or next(_numbers) > _MAX_PROGRAMS:
        return _compile(target, expression, names, options)[0]
    data = code_cache.look_up(key)
    if data is not None:
        return Program.from_bytes(data)
    program, has_warnings = _compile(target, expression, names, options)
    if names.are_unused and not has_warnings:
        code_cache.store(key, bytes(program))
    return program


def _key(target: Target, expression: "str | Expression", options: Options) -> str | None:
    """Return the key of a program; None if the program is not cached."""
    dialect = options.dialect
    if not isinstance(expression, str) or dialect is not DIALECTS.get(dialect.name):
        return None
    return f"program {expression!a} {tuple(target)} {options.optimizer} {dialect.name} {options.optimize_sets}"


def _compile(target: Target, expression: "str | Expression", names: Lookups, options: Options) -> tuple[Program, bool]:
    """Return the program of an expression, and whether the compilation had warnings."""
    from .compiler import compile_quietly

    compiled = compile_quietly(target, expression, names, **options._asdict())
    for warning in compiled.warnings:
        warn(warning)
    return compiled.program, bool(compiled.warnings)

"""The filters of system calls that the topic `seccomp` measures: made-up ones, or those of a folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.setting import Omitted

import cbpf
from support import large_seccomp_filters as made_up

FOLDER: Final = os.environ.get("CBPF_SECCOMP_FILTERS")
"""A folder with filters as arrays of struct sock_filter (`*.bpf`) and profiles (`*.json`), instead of made-up ones."""

STACK_SIZE: Final = 6


class Filters(NamedTuple):
    """The files of filters.

    Args:
        first: The filter whose optimisation is the unit of time.
        second: A filter that is compared with it.
        stack: Six filters.
        profiles: Profiles, which are compiled.
        single_bits: A filter of 4,096 instructions that tests many bits.
        random_masks: A filter of 4,096 instructions that tests many masks of one argument.
    """

    first: Path
    second: Path
    stack: tuple[Path, ...]
    profiles: tuple[Path, ...]
    single_bits: Path
    random_masks: Path


def filters(directory: Path) -> Filters:
    """Return the filters of the folder in CBPF_SECCOMP_FILTERS, or made-up ones; new files are in *directory*."""
    directory.mkdir(exist_ok=True)
    longest = [_write(directory / f"{make.__name__}.bpf", make) for make in (made_up.single_bits, made_up.random_masks)]
    return Filters(*(_of_folder(Path(FOLDER)) if FOLDER else _made_up(directory)), *longest)


def _made_up(directory: Path) -> tuple[Path, Path, tuple[Path, ...], tuple[Path, ...]]:
    stack = tuple(
        _write(directory / f"version-{version}.bpf", lambda version=version: made_up.linear_filter(version))  # type: ignore[misc]
        for version in range(STACK_SIZE)
    )
    profile = directory / "profile.json"
    profile.write_text(made_up.profile())
    return stack[0], stack[1], stack, (profile,)


def _of_folder(folder: Path) -> tuple[Path, Path, tuple[Path, ...], tuple[Path, ...]]:
    """Return the longest filters of a folder and its profiles; one in linear shape is the first filter."""
    programs = sorted(folder.glob("*.bpf"), key=lambda path: ("linear" not in path.name, -path.stat().st_size))
    profiles = [path for path in sorted(folder.glob("*.json")) if '"defaultAction"' in path.read_text()]
    if len(programs) < STACK_SIZE or not profiles:
        raise Omitted(f"CBPF_SECCOMP_FILTERS needs {STACK_SIZE} filters (*.bpf) and a profile (*.json)")
    return programs[0], programs[1], tuple(programs[:STACK_SIZE]), tuple(profiles)


def _write(path: Path, make: Callable[[], cbpf.Program]) -> Path:
    path.write_bytes(make().to_bytes(byte_order="little"))
    return path

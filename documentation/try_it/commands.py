"""The programs of example commands, with the values that the command line of cbpf reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import cbpf
from cbpf.cli.declarations import Invocation
from cbpf.cli.parser import parse
from documentation.try_it import states
from documentation.try_it.shell import Stage
from documentation.try_it.states import SAMPLE, Example

_TEXT_COMMANDS: Final = ("echo", "printf", "cat")
_PROGRAM_ARGUMENTS: Final = ("program", "text", "paths", "arguments", "filters")
_CAPTURE_ARGUMENTS: Final = ("capture", "arguments")
_PASSED: Final = ("asm", "convert", "compile", "disasm", "optimize")
"""The commands whose standard output is a program."""
_COMPARING: Final = ("diff", "seccomp diff", "seccomp implies")
_NOT_ON_THE_PAGE: Final = ("hosts", "ports")
"""Options whose programs the page cannot make."""


class CommandReader:
    """The reader of the command lines of a document, one after another.

    Args:
        files: The texts of the files that the document shows, by name.
    """

    def __init__(self, files: dict[str, str]) -> None:
        self._texts = dict(files)
        self._programs: dict[str, Example] = {}
        self.dialects: dict[str, str] = {}
        """The dialects of the files, where a command states one."""

    def examples(self, pipeline: list[Stage]) -> Iterator[Example]:
        """Yield the programs of a pipeline, and remember those that it writes to files."""
        passed: Example | None = None
        for stage in pipeline:
            found, passed = self._stage(stage, passed)
            yield from found
            if stage.target is not None:
                self._programs.pop(stage.target, None)
                if passed is not None:
                    self._programs[stage.target] = passed
                    self._texts[stage.target] = passed.state["s"]

    def _stage(self, stage: Stage, given: Example | None) -> tuple[list[Example], Example | None]:
        """Return the programs of a command, and the one that it passes on."""
        name, *words = stage.words
        if name in _TEXT_COMMANDS:
            return [], self._shown_text(name, words, stage.here_document)
        if name != "cbpf":
            return [], None
        if stage.here_document is not None:
            given = states.program(stage.here_document, "the program")
        invocation = parse(words)
        if invocation is None or not _is_on_the_page(invocation.values):
            return [], None
        found = list(self._found(invocation, given))
        result = found[0] if found and invocation.command.name in _PASSED else None
        target = invocation.values.get("target")
        if result is not None and isinstance(target, str):
            self._programs[target] = result
        return found, result

    def _shown_text(self, name: str, words: list[str], here_document: str | None) -> Example | None:
        if name == "cat" and here_document is None:
            return self._file(words[0]) if len(words) == 1 else None
        text = here_document if here_document is not None else " ".join(words)
        if name == "printf":
            text = text.replace("\\n", "\n")
        return states.program(text, "the program")

    def _file(self, path: str) -> Example | None:
        """Return the program in a file of the document, or that a command has written."""
        text = self._texts.get(path, "")
        if path not in self._programs and (path.endswith(".asm") or states.is_program(text)):
            return states.program(text, path)
        return self._programs.get(path)

    def _found(self, invocation: Invocation, given: Example | None) -> Iterator[Example]:
        """Yield the programs of an invocation; *given* is the program of its standard input."""
        values = invocation.values
        expressions = list(self._expressions(invocation))
        programs = list(self._programs_of(invocation, given))
        if invocation.command.name in _COMPARING and len(programs + expressions) == 2:
            comparison = states.compared(*programs, *expressions)
            if comparison is not None:
                yield self._with_capture(comparison, values)
            return
        for example in programs + expressions:
            yield self._with_capture(example, values)

    def _expressions(self, invocation: Invocation) -> Iterator[Example]:
        settings = _settings(invocation)
        for text in self._expression_texts(invocation.values):
            example = states.expression(text, settings)
            if example is not None:
                yield example

    def _expression_texts(self, values: dict[str, Any]) -> Iterator[str]:
        given = values.get("expression")
        if isinstance(given, str):
            yield given
        elif given:
            yield " ".join(given)
        yield from values.get("expressions") or ()
        for route in values.get("routes") or ():
            yield route.rpartition("=")[0]
        if values.get("expression_file") in self._texts:
            yield self._texts[values["expression_file"]]

    def _programs_of(self, invocation: Invocation, given: Example | None) -> Iterator[Example]:
        """Yield the programs of the arguments, or the one of the standard input."""
        values = invocation.values
        has_dialect = "dialect" in invocation.given or _is_seccomp(invocation)
        keys: dict[str, Any] = {"d": _dialect(invocation)} if has_dialect else {}
        if invocation.command.name == "optimize":
            keys |= {"O": 1, "g": invocation.values["goal"] or "size"}
        paths = list(_paths(values, _PROGRAM_ARGUMENTS))
        self.dialects |= {path: keys["d"] for path in paths if has_dialect and path not in self.dialects}
        found = [example for path in paths if (example := self._file(path)) is not None]
        if not found and given is not None and values.get("expression") is None:
            found = [given]
        for example in found:
            yield states.changed(example, **keys)

    def _with_capture(self, example: Example, values: dict[str, Any]) -> Example:
        """Return an example with the sample capture, if the command reads it, and the number of its packet."""
        if SAMPLE not in _paths(values, ("sources", *_CAPTURE_ARGUMENTS)):
            return example
        number = values.get("number")
        return states.changed(example, c=SAMPLE, n=number if isinstance(number, int) and number > 1 else None)


def _paths(values: dict[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = values.get(name)
        for each in [value] if isinstance(value, str) else value or ():
            yield from [each] if isinstance(each, str) else each  # those before and after "--"


def _is_on_the_page(values: dict[str, Any]) -> bool:
    """Return whether the page makes the program of a command: not with options for which it has no setting."""
    if any(values.get(name) for name in _NOT_ON_THE_PAGE):
        return False
    return "libpcap" not in (values.get("frontend"), values.get("optimizer"))


def _settings(invocation: Invocation) -> dict[str, Any]:
    """Return the settings of a command as keys of a state."""
    values = invocation.values
    link_type = values.get("link_type") or "EN10MB"
    with suppress(cbpf.FieldError):  # the example of an error, which the page shows as well
        link_type = cbpf.link_type(link_type).name
    is_live = bool(values.get("live")) or invocation.command.name == "capture"
    compiles = "live" in values or "goal" in values  # other commands limit the packets that they write
    return {
        "y": link_type,
        "d": "linux" if is_live and "dialect" not in invocation.given else _dialect(invocation),
        "O": int(not values.get("unoptimized") and values.get("optimizer", "cbpf") != "none"),
        "S": (compiles and values.get("snaplen")) or cbpf.DEFAULT_SNAPLEN,
        "m": values.get("netmask") or "",
        "g": values.get("goal") or "size",
        "L": int(is_live),
    }


def _is_seccomp(invocation: Invocation) -> bool:
    return invocation.command.name.startswith("seccomp ")


def _dialect(invocation: Invocation) -> str:
    dialect = invocation.values.get("dialect")
    return dialect.name if dialect is not None else "seccomp" if _is_seccomp(invocation) else "pcap"

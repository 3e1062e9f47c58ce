"""The programs of Python examples: those of texts that the source contains."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any, Final

import cbpf
from documentation.try_it import states
from documentation.try_it.states import SAMPLE, Example

_PROGRAM_PARAMETERS: Final = ("program", "expression", "filter", "left", "right", "old", "new")
"""The parameters of the public functions that take an expression or a program."""
_READING: Final = ("read", "read_text")
_PACKET: Final = re.compile(r'bytes\.fromhex\("([0-9a-fA-F ]+)"\)')
_KEYS: Final = {"snaplen": "S", "netmask": "m", "goal": "g"}
_LIVE: Final = ("cbpf.sniff", "cbpf.linux.packet_socket", "cbpf.linux.fanout", "cbpf.linux.attach_tap")
"""Functions that compile expressions for live packet sockets."""
_FOR_SOCKETS: Final = ("cbpf.linux.attach", "cbpf.linux.attach_reuseport")
"""Functions that compile expressions for the packets of a socket, which the page does not do."""
_Value = str | Example


def source_of(text: str) -> str:
    """Return the source of a doctest, without prompts and outputs; of a module, its text."""
    lines = text.splitlines()
    if not any(line.startswith(">>> ") for line in lines):
        return text
    return "\n".join(line[4:] for line in lines if line.startswith((">>> ", "... ")) or line in (">>>", "..."))


class PythonReader:
    """The reader of the Python examples of a document, which share one namespace.

    Args:
        files: The texts of the files that the document shows, by name.
    """

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self._names: dict[str, list[_Value]] = {}
        self._own_names: set[str] = set()  # those that the current block binds
        self._found: list[Example] = []

    def examples(self, text: str) -> list[Example]:
        """Return the programs of a block."""
        self._found, self._own_names = [], set()
        try:
            module = ast.parse(source_of(text))
        except SyntaxError:
            return []
        for statement in module.body:
            self._statement(statement)
        return [self._in_context(example, text) for example in self._found]

    def _in_context(self, example: Example, text: str) -> Example:
        """Return an example with the sample capture or the packet that its block contains."""
        packets = _PACKET.findall(text)
        if f'"{SAMPLE}"' in text:
            return states.changed(example, c=SAMPLE)
        if len(packets) == 1:
            return states.changed(example, p=bytes.fromhex(packets[0]).hex())
        return example

    def _statement(self, statement: ast.stmt) -> None:
        """Read the calls of a statement, and the values of the names that it binds."""
        for node in ast.walk(statement):
            if isinstance(node, ast.For | ast.comprehension):
                self._bind(node.target, self._items(node.iter))
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                self._bind(node.optional_vars, self._read_files(node.context_expr))
        if isinstance(statement, ast.Assign):
            self._assign(statement)
        else:
            self._read(statement)

    def _assign(self, statement: ast.Assign) -> None:
        (target,) = statement.targets[:1]
        if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
            for name, value in zip(target.elts, statement.value.elts, strict=False):
                self._bind(name, self._values(value))
        else:
            self._bind(target, self._values(statement.value))

    def _bind(self, target: ast.expr, values: list[_Value]) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self._names[node.id] = values
                self._own_names.add(node.id)

    def _items(self, node: ast.expr) -> list[_Value]:
        elements = node.elts if isinstance(node, ast.Tuple | ast.List) else []
        return [value for element in elements for value in self._values(element)]

    def _read(self, node: ast.AST) -> None:
        """Read the calls in a node, from the outermost one."""
        if isinstance(node, ast.expr) and not isinstance(node, ast.Name):
            self._values(node)
        else:
            for child in ast.iter_child_nodes(node):
                self._read(child)

    def _values(self, node: ast.expr) -> list[_Value]:
        """Return the texts and programs that an expression may have as its value."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else []
        if isinstance(node, ast.Name):
            return self._names.get(node.id, [])
        if isinstance(node, ast.JoinedStr):
            return self._joined(node)
        if isinstance(node, ast.Call) and (function := _function(node.func)) is not None:
            return self._call(function, node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READING:
            return self._read_files(node.func.value)
        for child in ast.iter_child_nodes(node):
            self._read(child)
        return []

    def _read_files(self, node: ast.expr) -> list[_Value]:
        """Return the texts of the files of the document that an expression opens."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, [])
        if not isinstance(node, ast.Call) or len(node.args) != 1:
            return []
        names = self._values(node.args[0])
        return [self._files[name] for name in names if isinstance(name, str) and name in self._files]

    def _joined(self, node: ast.JoinedStr) -> list[_Value]:
        parts = []
        for part in node.values:
            values = self._values(part.value if isinstance(part, ast.FormattedValue) else part)
            if len(values) != 1 or not isinstance(values[0], str):
                return []
            parts.append(values[0])
        return ["".join(parts)]

    def _call(self, name: str, node: ast.Call) -> list[_Value]:
        arguments = _arguments(name, node)
        known = len(self._found)
        values = {parameter: self._values(argument) for parameter, argument in arguments.items()}
        settings = _settings(arguments)
        if settings is None:
            return []
        if name == "cbpf.parse":
            texts = [text for text in values.get("source", []) if isinstance(text, str)]
            programs = [states.program(text, self._name(text), dialect=settings.get("d")) for text in texts]
            return self._keep([each for each in programs if each is not None])
        if name.startswith("cbpf.seccomp."):
            settings["d"] = "seccomp"
        if name in _LIVE:
            settings |= {"L": 1, "d": "linux"}
        if name in _FOR_SOCKETS:
            settings["d"] = "linux"
            values = {key: [each for each in given if not isinstance(each, str)] for key, given in values.items()}
        found = [self._subjects(values[each], settings) for each in _PROGRAM_PARAMETERS if values.get(each)]
        if {"left", "right"} <= arguments.keys() or {"old", "new"} <= arguments.keys():
            if [len(each) for each in found] != [1, 1]:
                return []
            del self._found[known:]  # the comparison has both programs
            comparison = states.compared(found[0][0], found[1][0])
            return self._keep([comparison]) if comparison is not None else []
        examples = [example for each in found for example in each]
        if not self._has_own_text(node):
            return list(examples)
        sources = {example.state["s"] for example in examples}  # with the settings of this call, instead of inner ones
        self._found[known:] = [example for example in self._found[known:] if example.state["s"] not in sources]
        return self._keep(examples)

    def _name(self, text: str) -> str:
        """Return the name of the file with a text, or that of a program without a file."""
        return next((name for name, content in self._files.items() if content == text), "the program")

    def _has_own_text(self, node: ast.AST) -> bool:
        """Return whether a call has a text of its block, and not only names of earlier ones."""
        return any(
            (isinstance(each, ast.Constant) and isinstance(each.value, str))
            or (isinstance(each, ast.Name) and each.id in self._own_names)
            for each in ast.walk(node)
        )

    def _subjects(self, values: list[_Value], settings: dict[str, Any]) -> list[Example]:
        """Return the programs of the values of an argument."""
        subjects = []
        for value in values:
            if isinstance(value, str):
                example = states.expression(value, settings)
            else:
                example = states.changed(value, **settings)
            subjects += [example] if example is not None else []
        return subjects

    def _keep(self, examples: list[Example]) -> list[_Value]:
        self._found += [example for example in examples if example not in self._found]
        return list(examples)


def _function(node: ast.expr) -> str | None:
    """Return the full name of a public function or class with a program, such as "cbpf.linux.attach"; else None."""
    name = _full_name(ast.unparse(node))
    if name == "cbpf.parse":
        return name
    try:
        parameters = _parameters(name)
    except (AttributeError, TypeError, ValueError):
        return None
    return name if any(parameter in _PROGRAM_PARAMETERS for parameter in parameters) else None


def _full_name(name: str) -> str:
    """Return the full name of a public object; docstrings use the short names of their module."""
    first = name.partition(".")[0]
    for prefix, module in (("", cbpf), ("seccomp.", cbpf.seccomp)):
        if first in module.__all__:
            return f"cbpf.{prefix}{name}"
    return name


def _parameters(name: str) -> dict[str, inspect.Parameter]:
    package, *names = name.split(".")
    if package != "cbpf":
        raise ValueError
    value: Any = cbpf
    for each in names:
        value = getattr(value, each)
    return dict(inspect.signature(value).parameters)


def _arguments(name: str, node: ast.Call) -> dict[str, ast.expr]:
    """Return the arguments of a call by parameter."""
    parameters = [each for each, kind in _parameters(name).items() if kind.kind is not inspect.Parameter.KEYWORD_ONLY]
    given = dict(zip(parameters, node.args, strict=False))
    return given | {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}


def _settings(arguments: dict[str, ast.expr]) -> dict[str, Any] | None:
    """Return the settings of keyword arguments as keys of a state; None if the page has no setting for one."""
    settings: dict[str, Any] = {}
    for name, node in arguments.items():
        try:
            settings |= _setting(name, node)
        except ValueError:
            return None
    return settings


def _setting(name: str, node: ast.expr) -> dict[str, Any]:
    """Return the setting of an argument; raise `ValueError` if its value is not on the page."""
    text = ast.unparse(node)
    match name:
        case "dialect" if text.removeprefix("cbpf.").lower() in cbpf.DIALECTS:
            return {"d": text.removeprefix("cbpf.").lower()}
        case "link_type" if isinstance(node, ast.Attribute):
            return {"y": node.attr}
        case "link_type":
            return {"y": cbpf.link_type(ast.literal_eval(node)).name}
        case "optimizer" if text in ("None", "'cbpf'"):
            return {"O": int(text != "None")}
        case "snaplen" | "netmask" | "goal":
            return {_KEYS[name]: ast.literal_eval(node)}
        case "live" if text == "True":
            return {"L": 1, "d": "linux"}
        case "dialect" | "optimizer" | "frontend" | "names" | "hosts" | "ports":
            raise ValueError(name)
    return {}

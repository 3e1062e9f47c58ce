"""A griffe extension for the API reference: docstrings and signatures as a reader of the site needs them.

- The attributes of a class are one table with types and texts, members of enums among them. The texts of the fields of
  records and named tuples are in the `Args:` section of the class. An attribute that needs more than one paragraph has
  a heading of its own instead.
- Records and named tuples have the signature of their constructor.
- Bases that are not public are not shown; a public class has their members.
- Methods with the decorator `cbpf._lazy.Lazy` are attributes.
- Members that are internal to the package are not shown.
- Doctests are code blocks, and the names of public objects are links.
"""

import re
from collections.abc import Iterator
from typing import Any

import griffe

RECORD_BASES = {"Record", "NamedTuple"}
ENUM_BASES = {"Enum", "IntEnum"}
HIDDEN_BASES = RECORD_BASES | {"Immutable", "Exception"}
# Members that other packages of cbpf use, and that are not part of the API.
INTERNAL_MEMBERS = {
    "CaptureReader": "advance advance_to buffer chunks container descriptor look_ahead park position read_chunk"
    " source_bytes",
    "Expression": "lists",
    "Interface": "needs_nanoseconds",
    "LinkType": "host_order",
    "VM": "native_match",
}


class AttributeTables(griffe.Extension):
    """Rewrite the objects of a package, once it is loaded, as the module describes."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Rewrite all objects of a package."""
        objects = list(_objects(pkg))
        exports = {str(name) for name in pkg.exports or ()}
        for each in objects:
            each.labels -= {"module-attribute", "class-attribute", "instance-attribute"}
            if each.docstring:
                each.docstring.value = _as_markdown(each.docstring.value, pkg.name, exports - {each.name})
        classes = [each for each in objects if isinstance(each, griffe.Class)]
        records = [cls for cls in classes if RECORD_BASES & set(_base_names(cls))]
        enums = {cls.path for cls in classes if ENUM_BASES & set(_base_names(cls))}
        for cls in classes:
            for name in cls.members.keys() & INTERNAL_MEMBERS.get(cls.name, "").split():
                cls.del_member(name)
            _replace_lazy_methods(cls)
            _expand_annotations(cls)
        public = {member.target_path for member in pkg.members.values() if isinstance(member, griffe.Alias)}
        for cls in classes:
            if cls.path in public:
                _adopt_members(cls, public)
        for cls in records:
            if "__init__" not in cls.members:
                _add_signature(cls)
                _move_argument_texts(cls)
        for cls in (each for each in classes if each.path in public):
            _add_table(cls, is_enum=cls.path in enums)


def _objects(scope: griffe.Object) -> Iterator[griffe.Object]:
    for member in scope.members.values():
        if isinstance(member, griffe.Object):
            yield member
            yield from _objects(member)


def _last_name(expression: object) -> str:
    return str(expression).rpartition(".")[2]


def _bases(cls: griffe.Class) -> Iterator[griffe.Class]:
    """Yield the classes of the package from which a class inherits, the next ones first."""
    for base in cls.resolved_bases:
        if isinstance(base, griffe.Class):
            yield base
            yield from _bases(base)


def _base_names(cls: griffe.Class) -> Iterator[str]:
    for each in (cls, *_bases(cls)):
        yield from (_last_name(base) for base in each.bases)


def _as_markdown(text: str, package: str, exports: set[str]) -> str:
    """Return a docstring with fences around doctests, and with links in place of the public names in code font."""

    def replace(match: re.Match[str]) -> str:
        if match["doctest"]:
            return f"{match['indent']}```pycon\n{match[0]}\n{match['indent']}```"
        name = match["name"]
        return f"[{match[0]}][{package}.{name}]" if name in exports else match[0]

    pattern = r"^(?P<indent> *)(?P<doctest>>>> .*(?:\n.*\S.*)*)|`(?P<name>\w+)(?:\.\w+)?(?:\(\))?`"
    return re.sub(pattern, replace, text, flags=re.MULTILINE)


def _attributes(cls: griffe.Class) -> list[griffe.Attribute]:
    members = (member for member in cls.members.values() if isinstance(member, griffe.Attribute))
    return [member for member in members if not member.name.startswith("_")]


def _replace_lazy_methods(cls: griffe.Class) -> None:
    for name, method in list(cls.members.items()):
        if isinstance(method, griffe.Function) and "Lazy" in {_last_name(each.value) for each in method.decorators}:
            attribute = griffe.Attribute(name, annotation=method.returns, docstring=method.docstring)
            attribute.labels.add("property")
            cls.members[name] = attribute
            attribute.parent = cls


def _expand_annotations(cls: griffe.Class) -> None:
    """Replace the names of aliases such as `Word`, which are `Annotated[int, check]`, by the types."""
    for attribute in _attributes(cls):
        if isinstance(attribute.annotation, griffe.ExprName):
            alias = _resolved(cls, attribute.annotation)
            value = alias.value if isinstance(alias, griffe.Attribute) else None
            if isinstance(value, griffe.ExprSubscript) and _last_name(value.left) == "Annotated":
                type_and_checks = value.slice
                assert isinstance(type_and_checks, griffe.ExprTuple)
                attribute.annotation = type_and_checks.elements[0]


def _resolved(cls: griffe.Class, name: griffe.ExprName) -> griffe.Object | None:
    try:
        found = cls.modules_collection[name.canonical_path]
        return found.final_target if isinstance(found, griffe.Alias) else found
    except (KeyError, griffe.AliasResolutionError):  # a name of another package
        return None


def _adopt_members(cls: griffe.Class, public: set[str]) -> None:
    """Copy the members of bases that are not public, which are given by their paths, and remove those bases."""
    for base in _bases(cls):
        if base.path not in public and base.name not in HIDDEN_BASES:
            for name, member in base.members.items():
                if isinstance(member, griffe.Attribute | griffe.Function) and not cls.members.get(name):
                    cls.set_member(name, member)
    hidden = HIDDEN_BASES | {base.name for base in _bases(cls) if base.path not in public}
    cls.bases = [base for base in cls.bases if _last_name(base) not in hidden]


def _add_signature(cls: griffe.Class) -> None:
    kind = griffe.ParameterKind.positional_or_keyword
    new = cls.members.pop("__new__", None)
    if isinstance(new, griffe.Function):
        parameters = list(new.parameters)[1:]
    else:
        fields = (each for each in _attributes(cls) if each.annotation is not None and "property" not in each.labels)
        parameters = [
            griffe.Parameter(each.name, annotation=each.annotation, kind=kind, default=each.value) for each in fields
        ]
    signature = griffe.Parameters(griffe.Parameter("self", kind=kind), *parameters)
    cls.set_member("__init__", griffe.Function("__init__", parameters=signature))


def _parsed(docstring: griffe.Docstring) -> list[griffe.DocstringSection]:
    """Return the sections of a docstring as the page will show them; a change of the list changes the page."""
    sections: list[griffe.DocstringSection] = docstring.__dict__.setdefault(
        "parsed", docstring.parse("google", warnings=False)
    )
    return sections


def _move_argument_texts(cls: griffe.Class) -> None:
    """Make the text of each argument the docstring of its attribute, and remove the section from the docstring."""
    if cls.docstring is None:
        return
    sections = _parsed(cls.docstring)
    for section in [each for each in sections if isinstance(each, griffe.DocstringSectionParameters)]:
        for argument in section.value:
            cls.members[argument.name].docstring = griffe.Docstring(argument.description)
        sections.remove(section)


def _add_table(cls: griffe.Class, *, is_enum: bool) -> None:
    rows = [each for each in _attributes(cls) if each.docstring is None or "\n\n" not in each.docstring.value]
    if not rows or cls.docstring is None:
        return
    table = griffe.DocstringSectionAttributes(
        [
            griffe.DocstringAttribute(
                each.name,
                annotation=each.value if is_enum else each.annotation,
                description=each.docstring.value if each.docstring else "",
            )
            for each in rows
        ],
        title="Members:" if is_enum else "Attributes:",
    )
    _parsed(cls.docstring).insert(1, table)
    for each in rows:
        each.docstring = None  # it has no heading of its own

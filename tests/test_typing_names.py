"""The placeholders for the names of `typing` allow the same syntax, and have the attributes that the package reads.

The names of `collections.abc` are its own classes.
"""

import collections.abc
import re
import typing
from typing import Any, Final

import pytest

from cbpf import _typing as placeholders
from support.project import ROOT

_SOURCE: Final = ROOT / "src" / "cbpf"

_NAMES: Final = """
    Annotated Any BinaryIO ClassVar Final Generic Literal NoReturn Protocol Self TypeAlias TypeGuard TypeVar
    assert_never dataclass_transform final get_args overload
"""


_CLASSES: Final = "Callable Collection Generator Hashable Iterable Iterator Mapping Sequence"


def test_each_name_is_one_of_typing_or_a_class_of_collections() -> None:
    own = {name for name in vars(placeholders) if name.isidentifier() and not name.startswith("_")}
    assert own == {*_NAMES.split(), *_CLASSES.split(), "TYPE_CHECKING"}
    assert all(hasattr(typing, name) for name in own)
    for name in _CLASSES.split():
        assert getattr(placeholders, name) is getattr(collections.abc, name)


@pytest.mark.parametrize("name", _NAMES.split())
def test_typing_is_not_imported(name: str) -> None:
    value = getattr(placeholders, name)
    assert value is not getattr(typing, name)


_EXPRESSIONS: Final = (
    "Literal['a', 'b'] | None",
    "None | Literal['a']",
    "Annotated[int | None, print]",
    "type[Self] | None",
    "dict[str, Any] | list[Final]",
    "TypeVar('T') | int",
    "TypeVar('T', bound=int) | int",
    "TypeVar('T', int, str)",
    "ClassVar[int]",
    "TypeGuard[int]",
    "tuple[BinaryIO, ...] | NoReturn",
)


@pytest.mark.parametrize("expression", _EXPRESSIONS)
def test_both_allow_the_same_syntax(expression: str) -> None:
    assert eval(expression, dict(vars(typing)))
    assert eval(expression, dict(vars(placeholders)))


@pytest.mark.parametrize("expression", ["Any", "Literal['a', 'b']", "Annotated[int, 1]"])
def test_texts_are_those_of_typing_without_its_name(expression: str) -> None:
    expected = repr(eval(expression, dict(vars(typing)))).replace("typing.", "")
    assert repr(eval(expression, dict(vars(placeholders)))) == expected


def test_attributes_are_those_of_typing() -> None:
    for module in (typing, placeholders):
        names: Any = vars(module)
        annotated = names["Annotated"][int, "check"]
        assert annotated.__metadata__ == ("check",)
        assert names["get_args"](names["Literal"]["a", "b"]) == ("a", "b")
        assert not hasattr(names["Literal"]["a", "b"], "__metadata__")


def test_classes_and_decorators_are_unchanged() -> None:
    for module in (typing, placeholders):
        names: Any = vars(module)
        item = names["TypeVar"]("item")

        class Holder(names["Generic"][item]):  # type: ignore[misc]
            __slots__ = ("value",)

        class Interface(names["Protocol"][item]):  # type: ignore[misc]
            pass

        assert Holder[int] is not None  # type: ignore[misc]
        assert not hasattr(Holder(), "__dict__")
        assert Interface is not None
        assert names["final"](Holder) is Holder
        assert names["dataclass_transform"](frozen_default=True)(Holder) is Holder
        with pytest.raises(AssertionError, match="but got: 1"):
            names["assert_never"](1)


def test_two_modules_import_typing() -> None:
    """Their names are public, and have the forms of `typing` for users; commands do not import these modules."""
    statement = re.compile(r"^(?:from|import) typing\b", re.MULTILINE)
    names = {
        path.relative_to(_SOURCE).as_posix() for path in _SOURCE.rglob("*.py") if statement.search(path.read_text())
    }
    assert names == {"_options.py", "isa/setter.py"}

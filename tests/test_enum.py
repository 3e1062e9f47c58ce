"""Internal enumerations behave as those of `enum`, and public ones are members of `enum`."""

import copy
import enum
import pickle
from typing import Any, Final

import pytest

import cbpf
from cbpf import _enum
from cbpf.isa.opcodes import Action, Operand


def _colours(module: Any) -> Any:
    class Colour(module.Enum):  # type: ignore[misc]
        """A colour."""

        RED = module.auto()
        GREEN = module.auto()

        @property
        def initial(self) -> str:
            return str(self.name[0])

    return Colour


_BOTH: Final = pytest.mark.parametrize("colours", [_colours(enum), _colours(_enum)], ids=["enum", "own"])


@_BOTH
def test_members_have_names_and_values(colours: Any) -> None:
    assert [(colour.name, colour.value) for colour in colours] == [("RED", 1), ("GREEN", 2)]
    assert (repr(colours.RED), str(colours.RED)) == ("<Colour.RED: 1>", "Colour.RED")
    assert colours.GREEN.initial == "G"
    assert list(colours.__members__) == ["RED", "GREEN"]
    assert len(colours) == 2


@_BOTH
def test_members_are_found_by_name_and_by_value(colours: Any) -> None:
    assert colours["RED"] is colours.RED
    assert colours(2) is colours.GREEN
    assert colours(colours.GREEN) is colours.GREEN
    assert colours.RED in colours
    with pytest.raises(KeyError, match="BLUE"):
        colours["BLUE"]
    with pytest.raises(ValueError, match="3 is not a valid"):
        colours(3)


@_BOTH
def test_members_are_single_objects(colours: Any) -> None:
    assert colours.RED == colours.RED
    assert colours.RED != colours.GREEN
    assert colours.RED != 1
    assert copy.copy(colours.RED) is colours.RED
    assert copy.deepcopy([colours.RED])[0] is colours.RED
    assert {colours.RED: "red"}[colours.RED] == "red"
    assert type(colours.RED) is colours
    assert colours.__doc__ == "A colour."


@pytest.mark.parametrize("member", [*Action, *Operand])
def test_pickled_members_are_the_same_objects(member: object) -> None:
    assert pickle.loads(pickle.dumps(member)) is member


@pytest.mark.parametrize("enumeration", [cbpf.ALUOp, cbpf.Extension, cbpf.JumpTest, cbpf.Register])
def test_public_enumerations_are_those_of_enum(enumeration: Any) -> None:
    assert issubclass(enumeration, enum.IntEnum)
    assert all(isinstance(member, enum.IntEnum) for member in enumeration)

"""The docstrings of the public names have the sections that editors and `help()` show."""

import pytest

from support.docstrings import Documented, documented, missing_sections


@pytest.mark.parametrize("entry", list(documented()), ids=lambda entry: entry.name)
def test_docstrings_describe_arguments_results_and_errors(entry: Documented) -> None:
    assert not missing_sections(entry)


def test_a_missing_argument_is_found() -> None:
    def function(left: int, right: int) -> int:
        """Return a sum.

        Args:
            left: a number.
        """
        raise ValueError(left + right)

    entry = Documented("function", function, function.__doc__ or "")
    assert missing_sections(entry) == ["right", "Args:", "Returns:", "Raises:"]

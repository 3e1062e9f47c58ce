"""The plugins of all tests, those in docstrings included."""

pytest_plugins = ["support.doctests"]

"""The pages of the site about the commands, made from their help texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from documentation.commands import CommandText, OptionText, all_commands

DOCS: Final = Path(__file__).parents[1] / "docs"
FOLDER: Final = DOCS / "reference" / "commands"
GUIDES: Final = ("tutorial.md", "how-to", "migration")


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    guides = [
        path for name in GUIDES for path in ([DOCS / name] if name.endswith(".md") else (DOCS / name).glob("*.md"))
    ]
    texts = {path: path.read_text() for path in sorted(guides)}
    main, *commands = all_commands()
    return {"index.md": _index(main), **{_file_name(command): _page(command, texts) for command in commands}}


def _file_name(command: CommandText) -> str:
    return f"{command.page.removeprefix('cbpf-')}.md"


def _index(main: CommandText) -> str:
    return _joined(
        "# The command cbpf",
        _usage(main),
        *main.paragraphs,
        *_subcommands(main),
        *_options(main),
        *_exit_codes(main),
    )


def _page(command: CommandText, guides: dict[Path, str]) -> str:
    return _joined(
        f"# {command.name}",
        _usage(command),
        *command.paragraphs,
        *_subcommands(command),
        *_examples(command),
        *_options(command),
        *_exit_codes(command),
        *_guides(command, guides),
    )


def _joined(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"


def _usage(command: CommandText) -> str:
    return f"```text\n{' '.join((command.name, *command.usage))}\n```"


def _subcommands(command: CommandText) -> Iterator[str]:
    if command.subcommands:
        rows = [f"| [`{entry.name}`]({_file_name(entry)}) | {entry.summary} |" for entry in command.subcommands]
        yield "\n".join(["| command | purpose |", "|---|---|", *rows])


def _examples(command: CommandText) -> Iterator[str]:
    if command.examples:
        yield "## Examples"
        yield "\n".join(["```sh", *command.examples, "```"])


def _options(command: CommandText) -> Iterator[str]:
    yield "## Options"
    yield "\n".join(["| option | meaning |", "|---|---|", *map(_option, command.options)])


def _option(option: OptionText) -> str:
    value = "" if not option.metavar else " CHOICE" if option.choices else f" {option.metavar}"
    names = ", ".join(f"`{name}{value}`" for name in option.names)
    details = [
        f"One of {', '.join(f'`{choice}`' for choice in option.choices)}." if option.choices else "",
        f"A number: {option.limits}." if option.limits else "",
        f"Default: `{option.default}`." if option.default else "",
    ]
    keys = "See [JSON output](../json.md)." if "--json" in option.names else ""
    return f"| {names} | {' '.join(part for part in (option.help, *details, keys) if part)} |"


def _exit_codes(command: CommandText) -> Iterator[str]:
    yield "## Exit codes"
    rows = [f"| {code} | {meaning} |" for code, meaning in command.exit_codes]
    yield "\n".join(["| code | meaning |", "|---:|---|", *rows])


def _guides(command: CommandText, guides: dict[Path, str]) -> Iterator[str]:
    """Yield a list of the guides with a command line that runs the command."""
    uses = re.compile(rf"^ *\$ (.*\| )?{command.name} ", re.MULTILINE)
    links = [
        f"- [{text.partition(chr(10))[0].removeprefix('# ')}](../../{path.relative_to(DOCS)})"
        for path, text in guides.items()
        if uses.search(text)
    ]
    if links:
        yield "## Used in"
        yield "\n".join(links)

"""Groups of system calls; CBPF_UPDATE=1 ./dev test -k groups_of_systemd writes `call_groups.txt` again."""

import os
import re
from pathlib import Path
from typing import Final

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, call_group, call_groups, call_names, names_available, read_policy
from support.command_line import CommandLine
from support.generated import check_file
from support.judges import systemd

DATA: Final = Path(cbpf.seccomp.__file__).parent / "names" / "call_groups.txt"
needs_names = pytest.mark.skipif(not names_available(), reason="system-calls is not installed")


def sections() -> dict[str, tuple[str, set[str], set[str]]]:
    """Return the description, the members, and those of later versions of systemd, of each group in the file."""
    _, *texts = DATA.read_text().split("\n\n")
    parts = [(text.splitlines()[0].split(": ", 1), set(text.splitlines()[1:])) for text in texts]
    later = [{line for line in lines if line.endswith(" +")} for _, lines in parts]
    return {
        name: (description, lines - marked, {line.removesuffix(" +") for line in marked})
        for ((name, description), lines), marked in zip(parts, later, strict=True)
    }


def test_the_groups_are_the_groups_of_systemd() -> None:
    """Those of another version may have other members, which the reason of the skipped test lists."""
    if reason := systemd.available():
        pytest.skip(reason)
    version, groups = systemd.version(), systemd.call_groups()
    head = DATA.read_text().partition("\n\n")[0]
    if os.environ.get("CBPF_UPDATE"):
        texts = [re.sub(r"(?<=those of systemd )\S+", version, head)]
        for name, (description, members, later) in sections().items():
            marks = dict.fromkeys(later, " +") | dict.fromkeys(groups.get(name, members), "")
            texts.append("\n".join([f"{name}: {description}", *(each + marks[each] for each in sorted(marks))]))
        check_file(DATA, "\n\n".join(texts) + "\n")
    data = {name: members for name, (_, members, _) in sections().items()}
    differing = {name: set(members) ^ data.get(name, set()) for name, members in groups.items()}
    differences = [f"{name}: {' '.join(sorted(members))}" for name, members in differing.items() if members]
    if differences and f"those of systemd {version} " not in head:
        pytest.skip(f"systemd {version} differs: {'; '.join(differences)}")
    assert differences == []
    assert data.keys() - groups.keys() == {"@known", "@sandbox"}


def test_members_are_sorted() -> None:
    for group in call_groups().values():
        assert list(group.members) == sorted(set(group.members))
        assert {member for member in group.members if member.startswith("@")} <= call_groups().keys()


@needs_names
def test_every_member_is_a_call_of_an_architecture() -> None:
    assert {call for group in call_groups().values() for call in group.calls()} == set(call_group("@known").calls())


@needs_names
def test_known_has_every_call_with_a_name() -> None:
    calls = call_groups()["@known"].calls()
    assert {"read", "socketcall", "_sysctl"} < set(calls)
    assert all(set(call_names(row)) <= set(calls) for row in ARCHITECTURES.values())


def test_groups_in_groups_are_expanded() -> None:
    privileged = call_group("@privileged")
    assert "@swap" in privileged.members
    assert {"swapon", "bpf", "chown"} < set(privileged.calls())
    assert not any(call.startswith("@") for call in privileged.calls())


def test_unknown_groups_have_the_nearest_name() -> None:
    with pytest.raises(cbpf.FieldError, match="group: unknown group '@netwrk-io'; did you mean '@network-io'"):
        call_group("@netwrk-io")
    with pytest.raises(cbpf.FieldError, match="group: unknown group 'q'; known are @aio, @basic-io, "):
        call_group("q")


@needs_names
@pytest.mark.parametrize("name", sorted(set(call_groups()) - {"@known"}))
def test_a_rule_for_a_group_is_one_for_its_calls(name: str) -> None:
    """On each architecture, those calls of the group that it has are denied, and all others are allowed."""
    for row in ARCHITECTURES.values():
        text = f'default = "allow"\narchitectures = ["{row.name}"]\n[[rule]]\ncalls = ["{name}"]\naction = "trap"\n'
        policy = read_policy(text)
        numbers = call_names(row)
        denied = {number for number in numbers.values() if not policy.action(row.audit_arch, number).runs}
        assert denied == {numbers[call] for call in call_group(name).calls() if call in numbers}


def test_the_command_lists_groups_and_their_members(cli: CommandLine) -> None:
    listed = cli("seccomp", "groups").stdout.decode().splitlines()
    assert [line.split()[0] for line in listed] == sorted(call_groups())
    assert cli("seccomp", "groups", "@module").stdout == b"delete_module\nfinit_module\ninit_module\n"
    assert b"@swap\n" in cli("seccomp", "groups", "@privileged").stdout
    failed = cli("seccomp", "groups", "@modul")
    assert (failed.exit_code, failed.stderr) == (2, "cbpf: GROUP: unknown group '@modul'; did you mean '@module'?\n")

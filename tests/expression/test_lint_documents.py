"""The page of the rules of `cbpf lint`: their table, and an example of each.

CBPF_UPDATE=1 ./dev test -k lint_documents writes it again.
"""

from typing import Final

from cbpf.expression.linting.rules import LINT_RULES
from support.command_line import run_here
from support.generated import check_generated
from support.project import ROOT

EXAMPLES: Final = {
    "undefined-offset": ["geneve or ip"],
    "shifted-test": ["(vlan 5 and host 192.0.2.1) or host 192.0.2.2"],
    "mixed-operators": ["tcp or udp and port 53"],
    "negated-list": ["not port 80 or 443"],
    "net-without-prefix": ["net 10.0.0.0"],
    "short-address": ["host 192.168"],
    "number-as-address": ["host 10"],
    "ipv4-field": ["tcp[tcpflags] & tcp-syn != 0"],
    "dropped-check": ["1 + tcp[13] = 3"],
    "modulo-precedence": ["ip[9] % 3 + 1 = 2"],
    "older-libpcap": ["-y", "SUNATM", "vpi != 1"],
    "unequal-alternatives": ["not src host 192.0.2.1 or not src host 192.0.2.2"],
    "rejects-all": ["dst port 80 and 443"],
    "accepts-all": ["not tcp or not udp"],
    "never-true": ["arp or (ip and arp[6:2] = 2)"],
    "always-true": ["udp and len >= 0"],
    "redundant": ["host 192.0.2.1 or net 192.0.2.0/24"],
    "redundant-protocol": ["--all", "tcp and tcp port 80"],
    "any-transport": ["--all", "port 53"],
    "later-fragment": ["--all", "udp port 53"],
    "extension-header": ["--all", "esp"],
    "arp-of-host": ["--all", "host 192.0.2.1"],
    "arp-hardware": ["--all", "-y", "ARCNET", "arp host 192.0.2.1"],
    "icmp-of-ipv4": ["--all", "icmp"],
    "wire-length": ["--all", "less 64"],
    "vlan-metadata": ["--all", "ether[12:2] = 0x8100"],
}
"""The arguments of an example of each rule."""

WITHOUT_EXAMPLE: Final = {"no-solver", "time-limit"}
"""The rules whose findings depend on the installation and on the time."""


def _example(identifier: str) -> str:
    arguments = ["lint", *EXAMPLES[identifier]]
    result = run_here(*arguments)
    output = result.stdout.decode()
    assert f"[{identifier}]" in output, result
    command = " ".join(f"'{word}'" if " " in word else word for word in ["cbpf", *arguments])
    shown = f"[exit {result.exit_code}]\n" if result.exit_code else ""
    return f"### {identifier}\n\n```\n$ {command}\n{output}{shown}```"


def test_lint_documents_show_every_rule() -> None:
    assert EXAMPLES.keys() | WITHOUT_EXAMPLE == {rule.identifier for rule in LINT_RULES}
    rows = [
        f"| {f'[`{name}`](#{name})' if name in EXAMPLES else f'`{name}`'} | {rule.severity} | {rule.summary} |"
        for rule in LINT_RULES
        for name in [rule.identifier]
    ]
    table = "\n".join(["| identifier | severity | finding |", "|---|---|---|", *rows])
    examples = "\n\n".join(map(_example, EXAMPLES))
    page = ROOT / "docs" / "reference" / "lint.md"
    check_generated(page, f"{table}\n\n## Examples\n\n{examples}", "tests/expression/test_lint_documents.py")

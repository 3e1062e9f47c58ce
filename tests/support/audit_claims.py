"""The claims of the findings of an audit: witnesses are evaluated again, and compared with each other."""

from __future__ import annotations

from functools import cache
from typing import Final

import cbpf
from cbpf.seccomp import AuditFinding, Policy, Rule, SeccompAction, Stack, SystemCall, arguments_of
from cbpf.seccomp.auditing.catalog import ring_operations
from cbpf.seccomp.names.multiplexers import IPC_CALLS, SOCKET_CALLS

WITHOUT_WITNESS: Final = {
    "unreachable",
    "constant-test",
    "impossible-rule",
    "unreachable-rule",
    "filter-without-effect",
}
RUNNING: Final = {
    "denies-nothing",
    "architecture-untested",
    "other-architectures-open",
    "abi-open",
    "default-allow",
    "high-bits",
    "low-half",
    "multiplexer-open",
    "equivalent-open",
    "io-uring-open",
    "escape",
}
WITH_CONTRAST: Final = {"abi-open", "high-bits", "low-half", "multiplexer-open", "equivalent-open", "io-uring-open"}


@cache
def _machines(stack: Stack) -> tuple[cbpf.VM, ...]:
    return tuple(cbpf.VM(program, dialect=stack.dialect, engine="interpreter") for program in stack.programs)


def action_of(filter_: Stack | Policy, call: SystemCall) -> SeccompAction:
    """Evaluate a call by another engine than the audit: the interpreter, and the rule of the kernel."""
    if isinstance(filter_, Policy):
        return filter_.action(call.audit_arch, call.number, call.arguments, call.instruction_pointer)
    record = call.to_bytes(filter_.dialect.byte_order)
    actions = [SeccompAction(vm.run(record)) for vm in reversed(_machines(filter_))]
    return min(actions, key=lambda action: action.precedence)


def check_claims(finding: AuditFinding, filter_: Stack | Policy) -> None:
    """Evaluate the witnesses of a finding, and check that they show its claim."""
    assert (finding.witness is None) is (finding.rule in WITHOUT_WITNESS) is (not finding.calls)
    assert (finding.contrast is not None) is (finding.rule in WITH_CONTRAST)
    if finding.witness is None:
        return
    call = finding.witness
    sets = [Rule(each.architectures, each.numbers, each.conditions, 0) for each in finding.calls]
    matching = [
        each for each in sets if each.matches(call.audit_arch, call.number, call.arguments, call.instruction_pointer)
    ]
    assert len(matching) == 1
    assert finding.action == action_of(filter_, call)
    if finding.rule in RUNNING:
        assert finding.action.runs
    if finding.contrast is not None:
        assert finding.contrast_action == action_of(filter_, finding.contrast)
        assert not finding.contrast_action.runs
        _check_contrast(finding, call, finding.contrast)
    _check_action(finding, finding.action)


def _check_contrast(finding: AuditFinding, call: SystemCall, contrast: SystemCall) -> None:
    differing = [index for index in range(6) if call.arguments[index] != contrast.arguments[index]]
    subject = finding.identifier.partition(":")[2]
    match finding.rule:
        case "high-bits" | "low-half":
            assert (call.audit_arch, call.number, call.name) == (contrast.audit_arch, contrast.number, contrast.name)
            (index,) = differing
            assert call.architecture is not None
            argument = arguments_of(str(call.name), call.architecture)[index]
            assert subject == f"{call.name}.{argument.name}"
            read = (1 << argument.width) - 1
            assert (call.arguments[index] & read == contrast.arguments[index] & read) is (finding.rule == "high-bits")
            assert call.arguments[index] >> min(argument.width, 32)
        case "abi-open":
            assert call.name == contrast.name
            assert call.architecture is not None
            assert call.architecture.name == subject
            assert contrast.architecture != call.architecture
            assert not differing
        case "multiplexer-open":
            calls = {"socketcall": SOCKET_CALLS, "ipc": IPC_CALLS}[str(call.name)]
            assert contrast.name == subject
            assert call.arguments[0] & 0xFFFF == calls[subject]
        case "io-uring-open":
            assert call.name == "io_uring_setup"
            assert contrast.name in {name for row in ring_operations() for name in row.calls}
        case "equivalent-open":
            assert contrast.name == subject
            assert call.name != subject


def _check_action(finding: AuditFinding, action: SeccompAction) -> None:
    match finding.rule:
        case "never-allows":
            assert not action.runs
        case "undefined-action":
            assert not action.is_known
        case "errno-too-large":
            assert (action.name, action.data > 4095) == ("ERRNO", True)
        case "errno-zero":
            assert (action.name, action.data) == ("ERRNO", 0)
        case "errno-of-new-calls":
            assert (action.name, action.data == 38) == ("ERRNO", False)
        case "data-ignored":
            assert action.data
            assert action.name not in ("ERRNO", "TRAP", "TRACE")
        case "escape":
            assert finding.witness is not None
            assert finding.witness.name == finding.identifier.partition(":")[2].partition(".")[0]

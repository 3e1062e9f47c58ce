r"""Filters of system calls: calls and architectures as values, decisions of filters, and policies.

A policy is a list of rules: which calls are permitted, and under which conditions on the arguments.

>>> import cbpf
>>> deny_socket = cbpf.parse("ld [0]\njeq #41, 0, 1\nret #0x50001\nret #0x7fff0000")
>>> stack = cbpf.seccomp.Stack([deny_socket])
>>> stack.evaluate(cbpf.seccomp.SystemCall(41, (38, 5, 0))).action.name
'ERRNO'
"""

from .._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..isa.verdicts import SeccompAction
    from .actions import action_text, parse_action
    from .architectures import ARCHITECTURES, Architecture, architecture, architecture_of
    from .arguments import Argument, arguments_of
    from .auditing.audit import audit
    from .auditing.findings import AuditFinding
    from .call_checks import CallFailure, CallOmission, CallReport, check_calls
    from .call_explanation import CallExplanation, explain_call
    from .call_sets import CallSet
    from .calls import SystemCall
    from .classes import CallClass, call_classes, policy
    from .comparison import ClassDifference, difference, implies
    from .compilation import compile_rules
    from .condition_rendering import conditions_text
    from .condition_text import parse_conditions
    from .difference_tables import DifferenceOverview, difference_overview, implication_overview
    from .expected_calls import CallTest, read_call_table
    from .filter_files import FilterFile, read_filter
    from .grouped_calls import CallGroup, call_group, call_groups
    from .installing import execute, install
    from .libseccomp import LibseccompProgram, compile_profile
    from .live_kernel import kernel_decisions
    from .policies import Policy
    from .policy_file import read_policy
    from .policy_format import format_policy
    from .policy_overview import Overview, overview
    from .policy_rendering import policy_text
    from .processes import process_filters, thread_filters
    from .profile_layers import CAPABILITIES, DEFAULT_CAPABILITIES, Omission
    from .profiles import ProfilePolicy, read_profile
    from .program_listing import listing
    from .rules import Condition, MaskedRanges, Rule
    from .stacks import Decision, Stack
    from .system_calls import call_name, call_names, call_number, names_available
    from .tracing import CommandTrace, InstalledFilter, trace_command

# The modules of the names, which are imported at their first use, as in `cbpf` itself.
_NAMES = {
    "..isa.verdicts": "SeccompAction",
    ".actions": "action_text parse_action",
    ".architectures": "ARCHITECTURES Architecture architecture architecture_of",
    ".arguments": "Argument arguments_of",
    ".auditing.audit": "audit",
    ".auditing.findings": "AuditFinding",
    ".call_checks": "CallFailure CallOmission CallReport check_calls",
    ".call_explanation": "CallExplanation explain_call",
    ".grouped_calls": "CallGroup call_group call_groups",
    ".call_sets": "CallSet",
    ".calls": "SystemCall",
    ".classes": "CallClass call_classes policy",
    ".comparison": "ClassDifference difference implies",
    ".compilation": "compile_rules",
    ".condition_rendering": "conditions_text",
    ".condition_text": "parse_conditions",
    ".difference_tables": "DifferenceOverview difference_overview implication_overview",
    ".expected_calls": "CallTest read_call_table",
    ".filter_files": "FilterFile read_filter",
    ".installing": "execute install",
    ".libseccomp": "LibseccompProgram compile_profile",
    ".live_kernel": "kernel_decisions",
    ".policies": "Policy",
    ".policy_file": "read_policy",
    ".policy_format": "format_policy",
    ".policy_overview": "Overview overview",
    ".policy_rendering": "policy_text",
    ".processes": "process_filters thread_filters",
    ".profile_layers": "CAPABILITIES DEFAULT_CAPABILITIES Omission",
    ".profiles": "ProfilePolicy read_profile",
    ".program_listing": "listing",
    ".rules": "Condition MaskedRanges Rule",
    ".stacks": "Decision Stack",
    ".system_calls": "call_name call_names call_number names_available",
    ".tracing": "CommandTrace InstalledFilter trace_command",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "ARCHITECTURES",
    "CAPABILITIES",
    "DEFAULT_CAPABILITIES",
    "Architecture",
    "Argument",
    "AuditFinding",
    "CallClass",
    "CallExplanation",
    "CallFailure",
    "CallGroup",
    "CallOmission",
    "CallReport",
    "CallSet",
    "CallTest",
    "ClassDifference",
    "CommandTrace",
    "Condition",
    "Decision",
    "DifferenceOverview",
    "FilterFile",
    "InstalledFilter",
    "LibseccompProgram",
    "MaskedRanges",
    "Omission",
    "Overview",
    "Policy",
    "ProfilePolicy",
    "Rule",
    "SeccompAction",
    "Stack",
    "SystemCall",
    "action_text",
    "architecture",
    "architecture_of",
    "arguments_of",
    "audit",
    "call_classes",
    "call_group",
    "call_groups",
    "call_name",
    "call_names",
    "call_number",
    "check_calls",
    "compile_profile",
    "compile_rules",
    "conditions_text",
    "difference",
    "difference_overview",
    "execute",
    "explain_call",
    "format_policy",
    "implication_overview",
    "implies",
    "install",
    "kernel_decisions",
    "listing",
    "names_available",
    "overview",
    "parse_action",
    "parse_conditions",
    "policy",
    "policy_text",
    "process_filters",
    "read_call_table",
    "read_filter",
    "read_policy",
    "read_profile",
    "thread_filters",
    "trace_command",
]


def __getattr__(name: str) -> object:
    """Import a public name."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    path = _MODULE_OF[name]
    module = __import__(path.lstrip("."), globals(), fromlist=["__doc__"], level=path.rindex(".", 0, 2) + 1)
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

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
    from .auditing.audit import audit
    from .auditing.findings import AuditFinding
    from .call_tests.call_checks import CallFailure, CallOmission, CallReport, check_calls
    from .call_tests.expected_calls import CallTest, read_call_table
    from .calls import SystemCall
    from .classes import CallClass, call_classes, policy
    from .comparison import ClassDifference, difference, implies
    from .compilation import compile_rules
    from .diagrams.call_sets import CallSet
    from .filter_files import FilterFile, read_filter
    from .kernel.installing import execute, install
    from .kernel.live_kernel import kernel_decisions
    from .kernel.processes import process_filters, thread_filters
    from .kernel.tracing import CommandTrace, InstalledFilter, trace_command
    from .names.actions import action_text, parse_action
    from .names.architectures import ARCHITECTURES, Architecture, architecture, architecture_of
    from .names.arguments import Argument, arguments_of
    from .names.grouped_calls import CallGroup, call_group, call_groups
    from .names.system_calls import call_name, call_names, call_number, names_available
    from .overviews.call_explanation import CallExplanation, explain_call
    from .overviews.difference_tables import DifferenceOverview, difference_overview, implication_overview
    from .overviews.policy_overview import Overview, overview
    from .overviews.program_listing import listing
    from .policies import Policy
    from .policy_files.canonical_form import format_policy
    from .policy_files.reading import read_policy
    from .policy_files.rendering import policy_text
    from .profiles.layers import CAPABILITIES, DEFAULT_CAPABILITIES, Omission
    from .profiles.libseccomp import LibseccompProgram, compile_profile
    from .profiles.reading import ProfilePolicy, read_profile
    from .rules import Condition, MaskedRanges, Rule
    from .stacks import Decision, Stack
    from .texts.condition_rendering import conditions_text
    from .texts.condition_text import parse_conditions

# The modules of the names, which are imported at their first use, as in `cbpf` itself.
_NAMES = {
    "..isa.verdicts": "SeccompAction",
    ".names.actions": "action_text parse_action",
    ".names.architectures": "ARCHITECTURES Architecture architecture architecture_of",
    ".names.arguments": "Argument arguments_of",
    ".auditing.audit": "audit",
    ".auditing.findings": "AuditFinding",
    ".call_tests.call_checks": "CallFailure CallOmission CallReport check_calls",
    ".overviews.call_explanation": "CallExplanation explain_call",
    ".names.grouped_calls": "CallGroup call_group call_groups",
    ".diagrams.call_sets": "CallSet",
    ".calls": "SystemCall",
    ".classes": "CallClass call_classes policy",
    ".comparison": "ClassDifference difference implies",
    ".compilation": "compile_rules",
    ".texts.condition_rendering": "conditions_text",
    ".texts.condition_text": "parse_conditions",
    ".overviews.difference_tables": "DifferenceOverview difference_overview implication_overview",
    ".call_tests.expected_calls": "CallTest read_call_table",
    ".filter_files": "FilterFile read_filter",
    ".kernel.installing": "execute install",
    ".profiles.libseccomp": "LibseccompProgram compile_profile",
    ".kernel.live_kernel": "kernel_decisions",
    ".policies": "Policy",
    ".policy_files.reading": "read_policy",
    ".policy_files.canonical_form": "format_policy",
    ".overviews.policy_overview": "Overview overview",
    ".policy_files.rendering": "policy_text",
    ".kernel.processes": "process_filters thread_filters",
    ".profiles.layers": "CAPABILITIES DEFAULT_CAPABILITIES Omission",
    ".profiles.reading": "ProfilePolicy read_profile",
    ".overviews.program_listing": "listing",
    ".rules": "Condition MaskedRanges Rule",
    ".stacks": "Decision Stack",
    ".names.system_calls": "call_name call_names call_number names_available",
    ".kernel.tracing": "CommandTrace InstalledFilter trace_command",
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

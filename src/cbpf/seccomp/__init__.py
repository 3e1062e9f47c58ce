r"""Filters of system calls: calls and architectures as values, decisions of filters, and policies.

A policy is a list of rules: which calls are permitted, and under which conditions on the arguments.

>>> import cbpf
>>> deny_socket = cbpf.parse("ld [0]\njeq #41, 0, 1\nret #0x50001\nret #0x7fff0000")
>>> stack = cbpf.seccomp.Stack([deny_socket])
>>> stack.evaluate(cbpf.seccomp.SystemCall(41, (38, 5, 0))).action.name
'ERRNO'
"""

from ..isa.verdicts import SeccompAction
from .actions import action_text, parse_action
from .architectures import ARCHITECTURES, Architecture, architecture, architecture_of
from .arguments import Argument, arguments_of
from .calls import SystemCall
from .compilation import compile_rules
from .libseccomp import LibseccompProgram, compile_profile
from .policies import Policy
from .profile_layers import CAPABILITIES, DEFAULT_CAPABILITIES, Omission
from .profiles import ProfilePolicy, read_profile
from .rules import Condition, MaskedRanges, Rule
from .stacks import Decision, Stack
from .system_calls import call_name, call_names, call_number, names_available

__all__ = [
    "ARCHITECTURES",
    "CAPABILITIES",
    "DEFAULT_CAPABILITIES",
    "Architecture",
    "Argument",
    "Condition",
    "Decision",
    "LibseccompProgram",
    "MaskedRanges",
    "Omission",
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
    "call_name",
    "call_names",
    "call_number",
    "compile_profile",
    "compile_rules",
    "names_available",
    "parse_action",
    "read_profile",
]

"""Policies: which actions the kernel takes for which system calls, as a list of rules and a default verdict."""

from collections.abc import Sequence

from .._record import Record
from .._typing import TYPE_CHECKING, Annotated
from .._validators import Word, one_of
from ..isa.dialects import SECCOMP, Dialect, FetchOrder
from ..isa.program import Program
from ..isa.verdicts import SeccompAction
from .rules import Rule, tuple_of

if TYPE_CHECKING:
    from .._options import Goal


class Policy(Record):
    """A policy about system calls: the first rule that matches a call decides it.

    Args:
        rules: The rules.
        default: The verdict for calls that no rule matches: an action and its data.
        byte_order: The byte order of the machines whose system calls it is about.

    Raises:
        FieldError: An item of *rules* is not a Rule, or *default* is not an unsigned 32-bit number.

    >>> getpid = Rule(architectures=((0xC000003E, 0xC000003E),), numbers=((39, 39),), conditions=(), verdict=0x7FFF0000)
    >>> policy = Policy((getpid,), default=0x50001)
    >>> policy.action(0xC000003E, 39).name, policy.action(0xC000003E, 40).name
    ('ALLOW', 'ERRNO')
    """

    rules: Annotated[tuple[Rule, ...], tuple_of(Rule)]
    default: Word
    byte_order: Annotated[FetchOrder, one_of("big", "little")] = SECCOMP.byte_order

    @property
    def dialect(self) -> Dialect:
        """The dialect of the policy's programs: `cbpf.SECCOMP` with its byte order."""
        return SECCOMP if self.byte_order == SECCOMP.byte_order else SECCOMP.replace(byte_order=self.byte_order)

    def action(
        self, architecture: int, number: int, arguments: Sequence[int] = (), instruction_pointer: int = 0
    ) -> SeccompAction:
        """Return the action for a call.

        Args:
            architecture: The number of the architecture, AUDIT_ARCH_*.
            number: The number of the call, unsigned, of 32 bits.
            arguments: Up to six arguments, unsigned numbers of 64 bits; the others are 0.
            instruction_pointer: The address after the instruction that made the call.

        Returns:
            The action of the first rule that matches the call, or the default, with its data.
        """
        for rule in self.rules:
            if rule.matches(architecture, number, tuple(arguments), instruction_pointer):
                return SeccompAction(rule.verdict)
        return SeccompAction(self.default)

    def program(self, goal: "Goal" = "speed") -> Program:
        """Return an optimised program that decides every call as the policy does.

        Args:
            goal: "speed" for short paths, by decision trees; "size" for few instructions. If the program for "speed" is
                longer than the kernel permits, the shorter one for "size" is returned.

        Returns:
            The program, for the dialect `cbpf.SECCOMP` with the byte order of the policy.

        Raises:
            VerificationError: The program is longer than the 4,096 instructions that the kernel permits.
        """
        from .compilation import compile_rules

        return compile_rules(self.rules, self.default, byte_order=self.byte_order, goal=goal)

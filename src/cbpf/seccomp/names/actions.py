"""The actions of seccomp filters as text: `allow`, `errno(EPERM)`, `trap(3)`, `0x12340000`."""

import errno

from ..._suggestions import suggestion
from ..._typing import Final
from ...errors import FieldError
from ...isa.verdicts import DATA_MASK, SECCOMP_ACTIONS, SeccompAction

ACTION_WORDS: Final = {action.name.lower(): action for action in SECCOMP_ACTIONS.values()}
"""The actions by their words, in the order of the kernel's precedence."""

_ERRNO: Final = ACTION_WORDS["errno"].value
_ALIASES: Final = {"kill": ACTION_WORDS["kill_thread"]}
_INTENDED: Final = {
    **dict.fromkeys(("accept", "permit", "pass"), "allow"),
    **dict.fromkeys(("block", "deny", "drop", "errno", "refuse", "reject"), "errno(EPERM)"),
    "kill": "kill_thread",
    "notify": "user_notif",
}
"""The actions that other words for them, and those of OCI profiles, probably mean."""
MAX_ERRNO: Final = 4095  # MAX_ERRNO of linux/err.h: the kernel replaces a larger errno by this one


def errno_number(text: str) -> int | None:
    """Return the number of an error by its name, such as EPERM; None if the name is unknown."""
    number = getattr(errno, text.upper(), None) if text.upper().startswith("E") else None
    return number if isinstance(number, int) else None


def action_text(action: SeccompAction) -> str:
    """Return an action as text, which `parse_action` reads.

    Args:
        action: The action with its data.

    Returns:
        The name in lower case, with the data in parentheses unless it is 0; an errno is a name where there is one. An
        action that Linux does not define is its verdict in hexadecimal.

    >>> action_text(SeccompAction(0x0005_0001)), action_text(SeccompAction(0x0003_0007))
    ('errno(EPERM)', 'trap(7)')
    """
    if not action.is_known:
        return f"{action.verdict:#010x}"
    if action.value == _ERRNO:
        return f"errno({errno.errorcode.get(action.data, action.data)})"
    return f"{action.name.lower()}({action.data})" if action.data else action.name.lower()


def possible_action_text(action: SeccompAction | None) -> str:
    """Return the words for an action; None is one that a filter computes."""
    return "a computed action" if action is None else action_text(action)


def parse_action(text: str) -> SeccompAction:
    """Return the action of a text.

    Args:
        text: A name of `SeccompAction`, in upper or lower case, with its data in parentheses: a number, or for errno
            also the name of an error. `kill` is `kill_thread`, and `errno` without a number is `errno(EPERM)`, both as
            in OCI profiles. A number is a verdict: that of any action, with its data.

    Returns:
        The action with its data.

    Raises:
        FieldError: The text is not an action, or its data is not a number of 16 bits.

    >>> parse_action("errno(ENOSYS)").data, parse_action("kill_process").name
    (38, 'KILL_PROCESS')
    """
    word, opening, rest = text.strip().lower().partition("(")
    if not opening and (verdict := _number(word)) is not None:
        if verdict > 0xFFFF_FFFF:
            raise FieldError(f"action: {text!r} is not an unsigned 32-bit number")
        return SeccompAction(verdict)
    action = (ACTION_WORDS | _ALIASES).get(word.strip())
    if action is None or (opening and not rest.endswith(")")):
        hint = _hint(text.strip()) if action is None else ""
        rule = f"an action is {', '.join(ACTION_WORDS)}, or a number; data follows in parentheses"
        raise FieldError(f"action: {text!r} is not an action{hint or '; ' + rule}")
    if not opening:
        return SeccompAction(_ERRNO | errno.EPERM) if action.value == _ERRNO else action
    return SeccompAction(action.value | _data(text, action, rest[:-1].strip()))


def _hint(text: str) -> str:
    """Return the end of a message about a text that is not an action: the one that it probably means."""
    import re

    word, *others = re.findall(r"\w+", text.lower().removeprefix("scmp_act_").removeprefix("seccomp_ret_")) or [""]
    if others and word in ("errno", "deny"):
        word = others[0]
    intended = _INTENDED.get(word) or (word if word in ACTION_WORDS else None)
    if errno_number(word) is not None:
        intended = f"errno({word.upper()})"
    return f"; did you mean {intended!r}?" if intended else suggestion(word, ACTION_WORDS)


def _data(text: str, action: SeccompAction, word: str) -> int:
    """Return the data of an action, which is a word of its text."""
    is_errno = action.value == _ERRNO
    number = errno_number(word) if is_errno and not word[:1].isdigit() else _number(word)
    if number is None or number > DATA_MASK:
        kind = "the name of an error, or a number" if is_errno else "a number"
        hint = suggestion(word.upper(), errno.errorcode.values()) if is_errno and number is None else ""
        raise FieldError(f"action: {text!r}: {word!r} is not {kind} (0..{DATA_MASK}){hint}")
    return number


def _number(word: str) -> int | None:
    """Return an unsigned number in decimal or hexadecimal; None for another word."""
    try:
        number = int(word, 0)
    except ValueError:
        return None
    return number if number >= 0 else None

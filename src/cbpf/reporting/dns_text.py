"""DNS messages as text. The only module that imports dnspython, of the extra `print`."""

from __future__ import annotations

from .._named_tuple import NamedTuple
from .._typing import Any, Final

PORTS: Final = frozenset((53, 5353))

_MAX_ANSWERS: Final = 4
"""The number of answers in a line."""

_MAX_ANSWER_LENGTH: Final = 60
"""The number of characters of an answer in a line."""


class DnsMessage(NamedTuple):
    """A DNS message as text, nearly as tcpdump prints it, and its fields."""

    text: str
    fields: dict[str, Any]


def dns_is_available() -> bool:
    """Return whether dnspython is installed."""
    try:
        import dns.message  # noqa: F401
    except ImportError:
        return False
    return True


def read_dns(wire: bytes) -> DnsMessage | None:
    """Return a message, which may be truncated; None if the bytes are none. It requires dnspython."""
    from dns import exception, flags, message, rcode, rdatatype

    try:
        parsed = message.from_wire(wire, continue_on_error=True, ignore_trailing=True)
    except exception.DNSException:
        return None
    questions = [(rdatatype.to_text(asked.rdtype), asked.name.to_text()) for asked in parsed.question]
    answers = [(rdatatype.to_text(rrset.rdtype), data.to_text()) for rrset in parsed.answer for data in rrset]
    fields = {
        "dns_id": parsed.id,
        "dns_response": bool(parsed.flags & flags.QR),
        "dns_status": rcode.to_text(parsed.rcode()),
        "dns_questions": [{"type": kind, "name": name} for kind, name in questions],
        "dns_answers": [{"type": kind, "data": data} for kind, data in answers],
    }
    asked = ", ".join(f"{kind}? {name}" for kind, name in questions)
    if not fields["dns_response"]:
        return DnsMessage(f"{parsed.id}{'+' if parsed.flags & flags.RD else ''} {asked}".rstrip(), fields)
    result = _answers_text(answers) if answers else str(fields["dns_status"])
    return DnsMessage(f"{parsed.id} {asked}: {result}" if asked else f"{parsed.id} {result}", fields)


def _answers_text(answers: list[tuple[str, str]]) -> str:
    """Return the first answers, each shortened if it is long."""
    texts = [f"{kind} {data}" for kind, data in answers]
    shown = [text if len(text) <= _MAX_ANSWER_LENGTH else f"{text[:_MAX_ANSWER_LENGTH]}..." for text in texts]
    more = len(texts) - _MAX_ANSWERS
    return ", ".join(shown[:_MAX_ANSWERS]) + (f" and {more} more" if more > 0 else "")

"""Says what can go wrong, classified by what to do about it; it knows nothing of HTTP or SQL.

ReconcilerError
|-- Invalid          the spec is wrong: terminal for this generation, the author must edit it
|-- NotFound         the named tenant, Blueprint or key does not exist
|-- StaleLease       somebody else holds the tenant now: stop, write nothing
|-- StoreUnavailable the operator's own database does not answer, or is busy: wait, try again
|-- RenderError      Render answered, or did not
    |-- Refused      400, 406, 422: terminal for this generation
    |-- Denied       401, 402, 403: a human must act; the class of calls pauses
    |-- Conflict     409: look again, plan again
    |-- Gone         404, 410: it is not there
    |-- Throttled    429: wait until the window ends
    |-- Unknown      timeout, reset, 5xx on a write: nobody knows whether it happened
    |-- Unavailable  nothing was sent, or a read failed: retry with backoff
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

VALUE_SHOWN_MAX = 80


def shown(value: object) -> str:
    """Render any value for a message: one line, quoted, at most 80 characters, control characters escaped."""
    text = value if isinstance(value, str) else repr(value)
    cut = text[: VALUE_SHOWN_MAX + 1]
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cut)
    return f'"{safe[:VALUE_SHOWN_MAX]}..."' if len(cut) > VALUE_SHOWN_MAX else f'"{safe}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in a document: where, what was found, and what to write instead.

    `path` is a field path such as `spec.tiers.pro.patch.db.plan` or `services[2].envVars[0].key`;
    `file` and `line` (1-based) are known only where the text is.
    """

    path: str
    message: str
    remedy: str = ""
    value: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """One line: file:line path: message (value). Remedy."""
        where = f"{self.file}:{self.line} " if self.file and self.line else f"{self.file} " if self.file else ""
        found = f", found {self.value}" if self.value else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{self.path}: {self.message}{found}{remedy}"


class ReconcilerError(Exception):
    """Root of every error this project raises on purpose."""


class Invalid(ReconcilerError):
    """A document cannot be used; carries every problem found, never only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in the order in which they were found."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotFound(ReconcilerError):
    """A tenant, Blueprint, key or secret that was named does not exist."""


class StaleLease(ReconcilerError):
    """The epoch of a write is not the tenant's epoch any more: another worker owns it."""


class StoreUnavailable(ReconcilerError):
    """The operator's own database cannot be reached, or refused for a moment; whether a transaction ended is open."""


class RenderError(ReconcilerError):
    """Render refused, failed or stayed silent; `status` is the HTTP status or 0 when there was no answer."""

    def __init__(self, message: str, *, status: int = 0, request_id: str = "") -> None:
        """Keep Render's own message (secrets already removed by the adapter) and its request id."""
        self.message = message
        self.status = status
        self.request_id = request_id
        super().__init__(message)


class Refused(RenderError):
    """Render understood and said no; asking again without a change is useless."""


class Denied(RenderError):
    """The key, the plan or the payment does not allow it: a human must act at Render."""


class Conflict(RenderError):
    """The live state is not what the call assumed."""


class Gone(RenderError):
    """The id does not exist (404) or does not exist any more (410)."""


class Throttled(RenderError):
    """A rate limit is used up; `until` is the world time at which its window ends."""

    def __init__(self, message: str, *, until: datetime, bucket: str = "", status: int = 429) -> None:
        """Remember which bucket is empty and when it refills."""
        self.until = until
        self.bucket = bucket
        super().__init__(message, status=status)


class Unknown(RenderError):
    """A write whose outcome nobody knows: it must be looked up before anything is repeated."""


class Unavailable(RenderError):
    """Render or the network cannot be reached; nothing was changed."""

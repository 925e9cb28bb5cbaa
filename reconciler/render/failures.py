"""Maps an answer, or its absence, to the error that says what to do; it sends nothing and knows no resource."""

import json
from collections.abc import Iterable
from datetime import datetime

from reconciler.core.errors import Conflict, Denied, Gone, Refused, RenderError, Throttled, Unavailable, Unknown
from reconciler.core.kinds import Bucket
from reconciler.render import limits, scrub
from reconciler.render.transport import Answer, TransportError

REQUEST_TIMEOUT = 408
TOO_MANY = 429
SERVER_ERROR = 500
BAD_REQUEST = 400
SUCCESS = range(200, 300)
BY_STATUS: dict[int, type[RenderError]] = {
    401: Denied,
    402: Denied,
    403: Denied,
    404: Gone,
    409: Conflict,
    410: Gone,
}
"""Statuses with a meaning of their own; every other 4xx is Refused: asking again without a change is useless."""
REQUEST_ID_MAX = 100


def request_id(answer: Answer) -> str:
    """Answer Render's own id of the request, for support; hostile characters escaped."""
    return scrub.clean(answer.headers.get("render-request-id", "")[:REQUEST_ID_MAX], ())


def is_write(method: str) -> bool:
    """Say whether a call can change anything."""
    return method not in {"GET", "HEAD"}


def no_answer(error: TransportError, method: str, what: str) -> RenderError:
    """Classify silence: a write of which bytes may have left is Unknown, all else Unavailable."""
    if error.sent and is_write(method):
        return Unknown(f"{error} to {method} {what}; whether it happened is not known")
    return Unavailable(f"{error}, so {method} {what} was not answered")


def refusal(
    answer: Answer, method: str, what: str, bucket: Bucket, secrets: Iterable[str], now: datetime
) -> RenderError:
    """Turn any answer outside 2xx into the error that says what to do about it."""
    message = _message(answer, method, what, secrets)
    status, id = answer.status, request_id(answer)
    if status == TOO_MANY:
        until = limits.throttled_until(answer.headers, now)
        return Throttled(message, until=until, bucket=bucket.value, status=status)
    if status in BY_STATUS:
        return BY_STATUS[status](message, status=status, request_id=id)
    if BAD_REQUEST <= status < SERVER_ERROR and status != REQUEST_TIMEOUT:
        return Refused(message, status=status, request_id=id)
    unsure = Unknown if is_write(method) else Unavailable
    return unsure(message, status=status, request_id=id)


def unreadable(answer: Answer, method: str, what: str, why: str) -> RenderError:
    """A 2xx whose body cannot be used: the write did happen, we only cannot say as what; a read failed."""
    message = f"Render answered {answer.status} to {method} {what}, but the body cannot be read: {why}"
    unsure = Unknown if is_write(method) else Unavailable
    return unsure(message, status=answer.status, request_id=request_id(answer))


def _message(answer: Answer, method: str, what: str, secrets: Iterable[str]) -> str:
    """Answer Render's own words where there are any (`{"message": ...}`), else what happened."""
    plain = f"Render answered {answer.status} to {method} {what}"
    if answer.status not in SUCCESS and answer.status < BAD_REQUEST:
        return f"{plain}, a redirect: check the base URL of the API"
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return f"{plain} without a message"
    words = body.get("message") if isinstance(body, dict) else None
    if not isinstance(words, str) or not words.strip():
        return f"{plain} without a message"
    return scrub.clean(words.strip(), secrets)

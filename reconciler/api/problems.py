"""Turns every error into an answer: problem+json under /v1, the older service's shape under /api; decides no status.

Answers name the field, the value and the remedy. What nobody foresaw is logged whole and answered 500 with the
request's id and nothing else.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconciler.core import errors
from reconciler.core.errors import Problem
from reconciler.core.values import Json
from reconciler.doors import Taken

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 5

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("reconciler.api")


class ApiError(Exception):
    """An answer that is not success: the status, what is wrong, and what to do about it."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        problems: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
        body: Json = None,
    ) -> None:
        """Keep the parts of the answer; `body`, if given, replaces the usual shape."""
        self.status = status
        self.detail = detail
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        self.body = body
        super().__init__(detail)


def respond(request: Request, error: Exception) -> Response:
    """Answer an error in the shape its path promises."""
    known = understand(error)
    if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        request_id = getattr(request.state, "request_id", "")
        _log.error("request_failed", path=request.url.path, status=known.status, request_id=request_id, exc_info=error)
    return JSONResponse(
        body_of(request, known),
        status_code=known.status,
        headers=known.headers,
        media_type="application/json" if is_legacy(request) else PROBLEM_JSON,
    )


def is_legacy(request: Request) -> bool:
    """Say whether a request speaks the older contract."""
    return request.url.path.startswith("/api/") or request.url.path == "/api"


def understand(error: Exception) -> ApiError:
    """Classify any exception as an answer."""
    match error:
        case ApiError():
            return error
        case errors.Invalid():
            return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, _first(error.problems), problems=error.problems)
        case errors.NotFound():
            return ApiError(HTTPStatus.NOT_FOUND, str(error))
        case Taken():
            return ApiError(HTTPStatus.CONFLICT, str(error), problems=[Problem(path=error.field, message=str(error))])
        case RequestValidationError():
            found = [_validation(item) for item in error.errors()]
            return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, _first(found), problems=found)
        case HTTPException():
            return ApiError(error.status_code, str(error.detail), headers=error.headers)
        case errors.StoreUnavailable():
            detail = "The database does not answer now; ask again."
            return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_S)})
        case _:
            return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "The operator failed on this request; its log says why.")


def body_of(request: Request, error: ApiError) -> Json:
    """Write an error's body in the shape the request's path promises."""
    if error.body is not None:
        return error.body
    if is_legacy(request):
        return {"error": error.detail, "detail": error.detail}
    body: dict[str, Json] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "problems": [document(problem) for problem in error.problems],
    }
    request_id: str = getattr(request.state, "request_id", "")
    return {**body, "requestId": request_id} if request_id else body


def document(problem: Problem) -> dict[str, Json]:
    """Write one problem: line 0 means the text it came from is not known."""
    return {
        "path": problem.path,
        "value": problem.value,
        "message": problem.message,
        "remedy": problem.remedy,
        "line": problem.line,
    }


def _first(problems: Sequence[Problem]) -> str:
    if not problems:
        return "The document cannot be used."
    more = len(problems) - 1
    return f"{problems[0]}" + (f" (and {more} more)" if more else "")


def _validation(item: Mapping[str, object]) -> Problem:
    place = item.get("loc")
    parts = [str(part) for part in place] if isinstance(place, tuple | list) else []
    where = parts[1:] if parts[:1] == ["body"] else parts
    message = str(item.get("msg", "cannot be used"))
    kind = str(item.get("type", ""))
    given = item.get("input")
    shown = "" if kind in ("missing", "json_invalid") or parts[-1:] == ["value"] else errors.shown(given)
    return Problem(
        path=".".join(where) or "body",
        message=message[:1].lower() + message[1:],
        value=shown,
        remedy="/docs describes every field" if parts[:1] == ["body"] else "see /docs for the parameters of this route",
    )

"""Checks request bodies, paths and queries before anybody reads them: size, depth, characters; knows no field.

What is refused here would otherwise fail deep inside: a NUL or half a surrogate pair cannot be stored by Postgres, NaN
is not JSON, and a deeply nested document exhausts the stack of whoever walks it.
"""

import json
from collections.abc import Iterator
from typing import NoReturn

from starlette.requests import Request

from reconciler.api.problems import ApiError
from reconciler.core.errors import Invalid, Problem
from reconciler.core.values import Json

DEPTH_MAX = 64
"""Deeper than any spec: the deepest field of the language lies eight levels down."""
BAD_REQUEST = 400


def check_place(request: Request) -> None:
    """Refuse characters in path or query that no name can have."""
    texts = [*request.path_params.values(), *(part for pair in request.query_params.multi_items() for part in pair)]
    for text in texts:
        if isinstance(text, str) and (fault := fault_of(text)):
            raise ApiError(BAD_REQUEST, f"The address holds {fault}; remove it.")


async def read_json(request: Request) -> Json:
    """Read a JSON body, checked; ApiError 400 when it is not JSON."""
    return parse(await request.body())


async def check_json(request: Request) -> None:
    """Check the body if it says that it is JSON, before any model sees it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        body = await request.body()
        if body:
            parse(body)


def parse(body: bytes) -> Json:
    """Parse JSON text; Invalid or ApiError name what is wrong with it."""
    try:
        parsed: Json = json.loads(body, parse_constant=_no_constant)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        what = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8"
        raise ApiError(BAD_REQUEST, f"The body is not JSON{where}: {what}. Send one JSON document.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise ApiError(BAD_REQUEST, f"The body holds a number that JSON does not have: {error}.") from None
    for path, value, depth in walk(parsed):
        if depth > DEPTH_MAX:
            raise _too_deep()
        if isinstance(value, str) and (fault := fault_of(value)):
            raise Invalid([Problem(path=path or "body", message=f"holds {fault}", remedy="remove it")])
    return parsed


def walk(document: Json) -> Iterator[tuple[str, Json, int]]:
    """Visit every key and value with its path and depth, without recursion."""
    stack: list[tuple[str, Json, int]] = [("", document, 0)]
    while stack:
        path, value, depth = stack.pop()
        yield path, value, depth
        if depth > DEPTH_MAX:
            continue
        if isinstance(value, dict):
            for key, item in value.items():
                yield path, key, depth
                stack.append((f"{path}.{key}" if path else key, item, depth + 1))
        elif isinstance(value, list):
            stack.extend((f"{path}[{index}]", item, depth + 1) for index, item in enumerate(value))


def fault_of(text: str) -> str:
    """Name what Postgres cannot store of a text; empty when nothing."""
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "half a surrogate pair"
    return ""


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _too_deep() -> ApiError:
    return ApiError(BAD_REQUEST, f"The body is nested deeper than {DEPTH_MAX} levels; no document needs that.")

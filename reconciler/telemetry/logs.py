"""Sets up structured logging for the whole process and keeps secrets and control characters out; knows no event.

Every line, ours or a library's, takes the same way: structlog's or stdlib's logger -> the processors below -> one
handler, which writes coloured text on a terminal and one JSON object a line everywhere else.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from reconciler.core import errors
from reconciler.core.values import Sensitive

LEVELS = ("debug", "info", "warning", "error")
HIDDEN = "***"
DEPTH_MAX = 8
"""Nested values deeper than this are cut: no log line needs them, and a cycle must not hang the process."""

SECRET_KEY = re.compile(
    r"secret|passw|passphrase|(^|[_.-])token$|api[_-]?key|private[_-]?key|authorization|cookie|credential"
    r"|connection[_-]?string|(^|[_.-])dsn$|database[_-]?url",
    re.IGNORECASE,
)
"""Names of fields whose text is hidden whatever it is. Numbers and booleans are shown (`secret_missing=True`)."""

SECRET_TEXT = re.compile(
    r"(?P<url>://[^/\s:@]*:)[^/\s@]+(?=@)"  # the password of a URL
    r"|\brnd_[A-Za-z0-9]{8,}"  # a Render API key
    r"|\brcl_[A-Za-z0-9_-]{8,}"  # a key of this operator
    r"|\bwhsec_[A-Za-z0-9+/=]{8,}"  # a webhook secret
    r"|(?P<bearer>\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)
"""Texts that look like secrets wherever they stand, exception messages included."""

NOISY = ("httpx", "httpcore", "asyncio", "hpack", "psycopg.pool")
"""Libraries that log each call at info: shown from warning up unless the level is debug."""


def configure(level: str = "info", *, stream: TextIO | None = None, as_json: bool | None = None) -> None:
    """Route structlog, stdlib and uvicorn logging to `stream` (stderr by default), replacing what was set up before.

    `as_json` None means JSON unless the stream is a terminal. An unknown level raises errors.Invalid.
    """
    if level.lower() not in LEVELS:
        problem = errors.Problem(
            path="log_level",
            message="unknown level",
            value=errors.shown(level),
            remedy=f"use one of {', '.join(LEVELS)}",
        )
        raise errors.Invalid([problem])
    out = sys.stderr if stream is None else stream
    machine = not out.isatty() if as_json is None else as_json
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # tests and `--once` runs configure more than once in a process
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish(machine, out.isatty())],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _route_libraries(level)


def shared() -> list[Processor]:
    """Answer the processors every line goes through, ours and the libraries'."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def finish(machine: bool, colours: bool) -> list[Processor]:
    """Answer the last processors: exceptions as text, secrets and control characters out, then the rendering."""
    clean: list[Processor] = [structlog.processors.format_exc_info, redact, escape]
    if machine:
        return [*clean, structlog.processors.JSONRenderer(default=str, ensure_ascii=False)]
    console = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    return [*clean, console]


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what is named like a secret, is `Sensitive`, or looks like a secret."""
    return {key: _hidden(key, value, DEPTH_MAX) for key, value in event.items()}


def escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write control characters as escapes, so that no text from a spec can forge a line or drive a terminal."""
    return {
        printable(key): _printable_lines(value) if key == "exception" else _printable(value, DEPTH_MAX)
        for key, value in event.items()
    }


def printable(text: str) -> str:
    """Replace every character that is not printable by its Unicode escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _hidden(key: str, value: object, depth: int) -> object:
    if isinstance(value, Sensitive):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    if SECRET_KEY.search(key):
        return HIDDEN
    if depth == 0:
        return "..."
    if isinstance(value, Mapping):
        return {str(k): _hidden(str(k), v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden("", item, depth - 1) for item in value]
    return SECRET_TEXT.sub(_masked, str(value))


def _masked(match: re.Match[str]) -> str:
    return (match["url"] or match["bearer"] or "") + HIDDEN


def _printable(value: object, depth: int) -> object:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping) and depth:
        return {printable(str(k)): _printable(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list) and depth:
        return [_printable(item, depth - 1) for item in value]
    return value


def _printable_lines(value: object) -> str:
    """A traceback keeps its lines; each is marked, so that a message with a line break in it cannot pass for a line."""
    return "\n".join(f"| {printable(line)}" for line in str(value).splitlines())


def _route_libraries(level: str) -> None:
    loggers: MutableMapping[str, object] = dict(logging.root.manager.loggerDict)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", *loggers):
        if name.partition(".")[0] == "uvicorn":
            logger = logging.getLogger(name)
            logger.handlers = []
            logger.propagate = True
            logger.disabled = False
            logger.setLevel(logging.NOTSET)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if level.lower() == "debug" else logging.WARNING)

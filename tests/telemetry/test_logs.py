import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from reconciler.core import errors
from reconciler.core.values import Sensitive
from reconciler.telemetry import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()
    for name in logs.NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def line_of(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    parsed = json.loads(line)
    assert isinstance(parsed, dict)
    return parsed


def test_a_line_is_one_json_object_where_there_is_no_terminal():
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    structlog.stdlib.get_logger("reconciler").info("pass_finished", tenant="acme", epoch=7)
    line = line_of(stream)
    assert {"event": "pass_finished", "tenant": "acme", "epoch": 7, "level": "info"}.items() <= line.items()
    assert str(line["timestamp"]).endswith("Z")


def test_a_terminal_gets_text():
    stream = Terminal()
    logs.configure("info", stream=stream)
    structlog.stdlib.get_logger("reconciler").info("pass_finished", tenant="acme")
    with pytest.raises(json.JSONDecodeError):
        json.loads(stream.getvalue())
    assert "pass_finished" in stream.getvalue()


@pytest.mark.parametrize(
    "fields",
    [
        {"secret_key": "hunter2"},
        {"SMTP_PASSWORD": "hunter2"},
        {"api_key": "hunter2"},
        {"Authorization": "hunter2"},
        {"connectionString": "hunter2"},
        {"token": "hunter2"},
        {"database_url": "hunter2"},
        {"value": Sensitive("hunter2")},
        {"nested": {"list": [{"password": "hunter2"}]}},
        {"nested": [Sensitive("hunter2")]},
        {"url": "postgresql://operator:hunter2@127.0.0.1/reconciler"},
        {"error": "refused Authorization: Bearer hunter2hunter2"},
        {"error": ValueError("postgresql://operator:hunter2@127.0.0.1/x is not reachable")},
        {"error": "key rnd_hunter2hunter2 was refused"},
        {"error": "key rcl_hunter2_hunter2 was refused"},
    ],
)
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_no_secret_reaches_a_line(fields, stream):
    out = stream()
    logs.configure("debug", stream=out)
    structlog.stdlib.get_logger("reconciler").info("event", **fields)
    assert "event" in out.getvalue()
    assert "hunter2" not in out.getvalue()
    assert "***" in out.getvalue()


def test_numbers_named_like_secrets_are_figures():
    stream = io.StringIO()
    logs.configure(stream=stream)
    structlog.stdlib.get_logger("x").info("event", secret_missing=True, tokens=3, tenant="acme")
    assert {"secret_missing": True, "tokens": 3}.items() <= line_of(stream).items()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_hostile_text_cannot_forge_a_line_or_drive_a_terminal(stream):
    out = stream()
    logs.configure(stream=out)
    hostile = "acme\n2026-01-01 [info] forged\x1b]0;owned\x07\u202e"
    structlog.stdlib.get_logger("x").warning("event", tenant=hostile, **{hostile: {"deep": [hostile]}})
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b]0" not in out.getvalue()
    assert "\u202e" not in out.getvalue()


def test_a_traceback_is_marked_line_by_line_and_hides_secrets():
    stream = Terminal()
    logs.configure(stream=stream, as_json=False)
    try:
        raise ValueError("no\n2026-01-01 [info] forged postgres://u:hunter2@h/d")
    except ValueError:
        structlog.stdlib.get_logger("x").exception("failed")
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "Traceback" in text
    assert all(line.startswith("| ") for line in text.splitlines()[1:] if line.strip())


def test_libraries_take_the_same_way():
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    logging.getLogger("uvicorn.error").info("Started on %s", "postgres://u:hunter2@h\n")
    line = line_of(stream)
    assert line["logger"] == "uvicorn.error"
    assert line["event"] == "Started on postgres://u:***@h\\n"


def test_chatty_libraries_are_quiet_below_debug():
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    logging.getLogger("httpx").info("HTTP Request: GET ...")
    assert stream.getvalue() == ""


def test_the_level_decides():
    stream = io.StringIO()
    logs.configure("WARNING", stream=stream)
    structlog.stdlib.get_logger("x").info("quiet")
    structlog.stdlib.get_logger("x").warning("loud")
    assert line_of(stream)["event"] == "loud"


def test_an_unknown_level_says_which_there_are():
    with pytest.raises(errors.Invalid, match=r'log_level: unknown level, found "chatty"; use one of debug, info'):
        logs.configure("chatty")

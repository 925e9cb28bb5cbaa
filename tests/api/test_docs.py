"""docs/http.md tells the truth: every command in it is run as written, and answers what is written below it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.api.access import ACCESS
from tests.api.harness import ApiServer

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```\n", re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str | None]]:
    """Every shell block with the JSON that stands right below it."""
    found: list[tuple[str, str | None]] = []
    end = -1
    for match in BLOCK.finditer(PAGE.read_text()):
        if match["language"] == "sh":
            found.append((match["text"], None))
        elif match["language"] == "json" and match.start() == end:
            found[-1] = (found[-1][0], match["text"])
        end = match.end()
    return found


def fits(expected: Any, answer: Any) -> bool:
    """Whether an answer has what is written; `"..."` stands for anything but null."""
    if expected == "...":
        return answer is not None
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(key in answer and fits(expected[key], answer[key]) for key in expected)
    if isinstance(expected, list):
        pairs = zip(expected, answer, strict=True) if len(expected) == len(answer) else [(1, 2)]
        return all(fits(*pair) for pair in pairs)
    return bool(expected == answer)


def last_document(output: str) -> Any:
    """The last of the JSON documents that stand one behind the other, as several curls write them."""
    document, rest = None, output.strip()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].strip()
    return document


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_every_command_of_the_page_does_what_it_says(api: ApiServer, tmp_path: Path):
    keys = {
        "OPERATOR": api.key("operator", name="oncall"),
        "SIGNUP": api.key("signup", name="shop"),
        "ADMIN": api.key("admin"),
    }
    environment = {"PATH": os.environ["PATH"], "URL": api.url, **keys}
    found = commands()
    assert len(found) >= 20
    for script, expected in found:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            timeout=60,
        )
        output = done.stdout.decode()
        assert done.returncode == 0, f"{script}\n{done.stderr.decode()}"
        if expected is not None:
            assert fits(json.loads(expected), last_document(output)), (
                f"{script}\nexpected {expected}\nanswered {output}"
            )
        else:
            assert not re.search(r'"status": ?(4|5)\d\d\b|"error":', output), f"{script}\n{output}"


def test_every_route_stands_on_the_page():
    text = PAGE.read_text().replace("/ID", "/{id}").replace("/NAME", "/{name}").replace("/KEY", "/{key}")
    known = text.replace(".../secrets", "/v1/blueprints/{name}/secrets")
    missing = [path for _, path in ACCESS if not path.startswith("/console") and path not in known]
    assert missing == []

"""Records and plays cassettes of the contract suite: what may be written to one, and what makes one stale.

A cassette says https://api.render.com whatever server it was recorded from. No secret reaches it: variables, secret
files, passwords and what contains them are replaced by `filtered-N`, in requests by the order of their first
appearance, so that a player who sends the same secrets in the same order sends the same bodies. Request headers are
dropped but for the content's type, answer headers but for those the client reads.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import vcr
from vcr.cassette import Cassette
from vcr.request import Request

FOLDER = Path(__file__).resolve().parents[1] / "cassettes"
BASE_URL = "https://api.render.com/v1"
FILTERED = re.compile(r"filtered-(generated-)?\d+")
REQUEST_HEADERS = {"content-type"}
ANSWER_HEADERS = {
    "content-type", "date", "render-request-id", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"
}  # fmt: skip
IN_URL = re.compile(r"://[^:/@\s]*:([^@\s]+)@")
CONTROL = "/_sim/"
SHORTEST_FOUND_ANYWHERE = 6
"""Characters; a shorter secret is replaced where secrets stand, but not looked for in any other text."""


class StaleCassetteError(AssertionError):
    """The client asked for what the cassette does not hold, or no longer asks for all that it holds."""


class Scrubber:
    """Replaces secrets of one cassette."""

    def __init__(self) -> None:
        """Know no secret yet."""
        self.names: dict[str, str] = {}

    def placeholder(self, text: str) -> str:
        """Answer what stands for a secret that a request carried."""
        return self._named(text, "filtered-")

    def _named(self, text: str, prefix: str) -> str:
        if FILTERED.fullmatch(text):
            return text
        if text not in self.names:
            taken = sum(bool(re.fullmatch(rf"{prefix}\d+", name)) for name in self.names.values())
            self.names[text] = f"{prefix}{taken + 1}"
        return self.names[text]

    def request(self, request: Request) -> Request | None:
        """Write a request as a cassette may hold it; None for what is not Render's API."""
        parts = urlsplit(request.uri)
        if parts.path.startswith(CONTROL):
            return None
        base = urlsplit(BASE_URL)
        uri = parts._replace(scheme=base.scheme, netloc=base.netloc).geturl()
        headers = {name: value for name, value in request.headers.items() if name.lower() in REQUEST_HEADERS}
        return Request(request.method, uri, self._body(request.body, "filtered-"), headers)

    def answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Write an answer as a cassette may hold it."""
        headers = {name: value for name, value in answer["headers"].items() if name.lower() in ANSWER_HEADERS}
        body = self._body(answer["body"]["string"], "filtered-generated-")
        return {**answer, "headers": headers, "body": {"string": body}}

    def _body(self, raw: bytes | str | None, prefix: str) -> bytes:
        text = raw.decode() if isinstance(raw, bytes) else raw or ""
        if not text.strip():
            return text.encode()
        text = json.dumps(self._scrubbed(json.loads(text), prefix), ensure_ascii=False, separators=(",", ":"))
        for secret, name in self.names.items():
            if len(secret) >= SHORTEST_FOUND_ANYWHERE:
                text = text.replace(json.dumps(secret, ensure_ascii=False)[1:-1], name)
        return text.encode()

    def _scrubbed(self, value: Any, prefix: str) -> Any:
        if isinstance(value, list):
            return [self._scrubbed(one, prefix) for one in value]
        if not isinstance(value, dict):
            return value
        for secret in self._inside_urls(value):
            self._named(secret, prefix)
        is_rule = "path" in value  # a header rule of a static site: {path, name, value}
        return {
            name: self._named(one, prefix)
            if isinstance(one, str) and (name in {"password", "content"} or (name == "value" and not is_rule))
            else self._scrubbed(one, prefix)
            for name, one in value.items()
        }

    @staticmethod
    def _inside_urls(value: dict[str, Any]) -> list[str]:
        """Find passwords inside connection strings; they stand in commands beside them, too."""
        return [found for text in value.values() if isinstance(text, str) for found in IN_URL.findall(text)]


@contextmanager
def cassette(path: Path, *, record: bool) -> Iterator[tuple[Cassette, Scrubber]]:
    """Play a cassette without any network, or record it anew; StaleCassetteError when playing left some of it."""
    scrubber = Scrubber()
    if record:
        path.unlink(missing_ok=True)
    elif not path.is_file():
        raise StaleCassetteError(f"there is no cassette {path.name}: make cassettes")
    recorder = vcr.VCR(
        record_mode=vcr.mode.ALL if record else vcr.mode.NONE,
        match_on=("method", "scheme", "host", "port", "path", "query", "body"),
        before_record_request=scrubber.request,
        before_record_response=scrubber.answer,
        filter_headers=["authorization"],
        record_on_exception=False,
    )
    with recorder.use_cassette(str(path)) as tape:
        yield tape, scrubber


def check_played(tape: Cassette, failed: list[str]) -> None:
    """Insist that every request was in the cassette, and that all of the cassette was asked for."""
    if failed:
        raise StaleCassetteError(
            f"{Path(tape.path).name} is stale: it holds no answer (any more) to {', '.join(failed)}. make cassettes"
        )
    left = [f"{request.method} {request.path}" for at, request in enumerate(tape.requests) if not tape.play_counts[at]]
    if left:
        raise StaleCassetteError(f"{Path(tape.path).name} is stale: never asked for: {', '.join(left)}. make cassettes")

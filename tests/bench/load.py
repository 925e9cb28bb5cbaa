"""A lean load generator: keep-alive connections in one thread, one request under way on each, latencies kept.

It costs a few dozen microseconds a request, so that what is measured is the server; httpx would be the bottleneck.
"""

import json
import selectors
import socket
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

Script = Generator[bytes, "Answer", None]
"""Yields the requests of one connection, one after the other, and is sent the answer of each."""
ANSWER_WITHIN_S = 60.0
HEADERS_END = b"\r\n\r\n"
NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(method: str, path: str, body: Any = None) -> bytes:
    """Write a request of the API as it goes over the wire."""
    raw = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: api", "Authorization: Bearer bench", f"Content-Length: {len(raw)}"]
    return "\r\n".join([*lines, "Content-Type: application/json", "", ""]).encode() + raw


class Surprise(AssertionError):
    """An answer that no script expected; the figures would be those of failures."""


@dataclass(slots=True)
class Connection:
    """One keep-alive connection, and the script it plays."""

    socket: socket.socket
    script: Script
    asked: bytes = b""
    sent_at: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)

    def send(self, raw: bytes) -> None:
        self.asked = raw
        self.buffer.clear()
        self.sent_at = time.perf_counter()
        self.socket.sendall(raw)

    def receive(self) -> Answer | None:
        """Take what has come; the answer once it is whole."""
        more = self.socket.recv(1 << 18)
        if not more:
            raise Surprise(f"the server hung up after {self.asked[:80]!r}")
        self.buffer += more
        end = self.buffer.find(HEADERS_END)
        if end < 0:
            return None
        head = bytes(self.buffer[:end]).lower()
        status = int(head[9:12])
        begins = end + len(HEADERS_END)
        length = 0 if status == NO_CONTENT else int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self.buffer) < begins + length:
            return None
        if status >= 400:
            raise Surprise(f"{status} to {self.asked[:200]!r}: {bytes(self.buffer[begins:])[:300]!r}")
        return Answer(status, bytes(self.buffer[begins:]))


def drive(port: int, scripts: Iterable[Script]) -> list[float]:
    """Play scripts at the same time, each on a connection of its own; answers every latency, seconds."""
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        for script in scripts:
            raw = next(script, None)
            if raw is None:
                continue
            opened = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_WITHIN_S)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(opened, script)
            selector.register(opened, selectors.EVENT_READ, connection)
            connection.send(raw)
        while selector.get_map():
            ready = selector.select(ANSWER_WITHIN_S)
            assert ready, f"no answer within {ANSWER_WITHIN_S:g} s"
            for key, _ in ready:
                latency_s = _turn(selector, key.data)
                if latency_s is not None:
                    latencies.append(latency_s)
    return latencies


def _turn(selector: selectors.DefaultSelector, connection: Connection) -> float | None:
    """Read from a connection; once its answer is whole, send the next request and tell the latency."""
    answer = connection.receive()
    if answer is None:
        return None
    latency_s = time.perf_counter() - connection.sent_at
    try:
        connection.send(connection.script.send(answer))
    except StopIteration:
        selector.unregister(connection.socket)
        connection.socket.close()
    return latency_s


def each(requests: Iterable[bytes]) -> Script:
    """Send requests and look at nothing but that each is answered."""
    for raw in requests:
        _answer = yield raw

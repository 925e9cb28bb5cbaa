"""A TCP proxy that does to connections what networks do: it resets, delays, loses answers, falls silent, dies."""

import contextlib
import ctypes
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
DROP_ALL = (0x06, 0, 0, 0)
"""The one instruction of a classic socket filter: of every packet keep 0 bytes."""
RESET = struct.pack("ii", 1, 0)
CHUNK = 65536


def drop_everything(one: socket.socket) -> None:
    """Let the kernel drop every packet that comes for a socket, unacknowledged: to its peer this host is dead."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", *DROP_ALL))
    one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(code)))


@dataclass(eq=False)
class Pair:
    """One connection: the client's socket and ours to the server."""

    client: socket.socket
    server: socket.socket
    mute: bool = False
    doomed: bool = False
    marked: bool = False
    opened: threading.Event = field(default_factory=threading.Event)
    """Answers pass only while it is set."""

    def __post_init__(self) -> None:
        self.opened.set()

    over: threading.Event = field(default_factory=threading.Event)

    def end(self, *, rudely: bool) -> None:
        """Close both sides, once; rudely is by RST."""
        if self.over.is_set():
            return
        self.over.set()
        self.opened.set()
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                if rudely:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.shutdown(socket.SHUT_RD if rudely else socket.SHUT_RDWR)  # wakes who reads from it
            one.close()


def through(url: str, port: int) -> str:
    """The same URL by way of another port of this machine."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()


class Proxy:
    """Stands on a port of its own before another port of this machine. Faults hold until `heal`."""

    def __init__(self, target: int, seed: int = 0) -> None:
        self.target = target
        self.delay_s = 0.0
        """Before each piece, in either direction."""
        self.lose_answers = 0.0
        """Chance that a connection is reset after the server has got what was sent, and before its answer is told."""
        self.lose_requests = 0.0
        """Chance that a connection is reset before the server gets what was sent."""
        self.lost = 0
        self.marker = b""
        """The answer to the COMMIT of the next transaction that holds this text is kept back, until `let_go`."""
        self.held = threading.Event()
        """An answer is kept back now."""
        self._mute = False
        self._chance = random.Random(seed)  # noqa: S311 - what a test does, not a secret
        self._pairs: set[Pair] = set()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._accept, name=f"proxy {self.port}", daemon=True).start()

    @classmethod
    def before(cls, url: str, seed: int = 0) -> Self:
        """Stand before the host of a URL."""
        port = urlsplit(url).port
        assert port is not None
        return cls(port, seed)

    # ------------------------------------------------------------ faults

    def reset(self) -> int:
        """Reset every connection; new ones work. Answers how many there were."""
        pairs = self._open()
        for pair in pairs:
            pair.end(rudely=True)
        return len(pairs)

    def fall_silent(self) -> None:
        """Acknowledge everything, pass nothing on, in all connections and new ones: what hangs in the middle."""
        self._mute = True
        for pair in self._open():
            pair.mute = True

    def die(self) -> None:
        """Acknowledge nothing more, in all connections and new ones: a cable pulled, a host gone."""
        drop_everything(self._door)
        for pair in self._open():
            with contextlib.suppress(OSError):
                drop_everything(pair.client)

    def let_go(self) -> None:
        """Pass on what was kept back, and keep nothing back any more."""
        self.marker = b""
        for pair in self._open():
            pair.opened.set()

    def heal(self) -> None:
        """Be an honest proxy again, for new connections; silent ones stay silent."""
        self._mute, self.delay_s, self.lose_answers, self.lose_requests = False, 0.0, 0.0, 0.0
        with contextlib.suppress(OSError):  # there is no filter
            self._door.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    def close(self) -> None:
        """Take no more connections, and end those there are."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.reset()

    # ------------------------------------------------------------ carrying

    def _open(self) -> list[Pair]:
        return [pair for pair in list(self._pairs) if not pair.over.is_set()]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = Pair(client, server, mute=self._mute)
            self._pairs.add(pair)
            for pump in (self._ask, self._answer):
                threading.Thread(target=pump, args=(pair,), daemon=True).start()

    def _ask(self, pair: Pair) -> None:
        with contextlib.suppress(OSError):
            for data in self._pieces(pair, pair.client):
                if self._chance.random() < self.lose_requests:
                    self.lost += 1
                    break
                self._keep_back(pair, data)
                pair.doomed = pair.doomed or self._chance.random() < self.lose_answers
                pair.server.sendall(data)
        pair.end(rudely=self.lose_requests > 0)
        self._pairs.discard(pair)

    def _keep_back(self, pair: Pair, data: bytes) -> None:
        pair.marked = pair.marked or (bool(self.marker) and self.marker in data)
        if pair.marked and b"COMMIT" in data:
            pair.marked, self.marker = False, b""
            pair.opened.clear()
            self.held.set()

    def _answer(self, pair: Pair) -> None:
        with contextlib.suppress(OSError):
            for data in self._pieces(pair, pair.server):
                pair.opened.wait()
                if pair.doomed:
                    self.lost += 1
                    break
                pair.client.sendall(data)
        pair.end(rudely=pair.doomed)
        self._pairs.discard(pair)

    def _pieces(self, pair: Pair, source: socket.socket) -> Iterator[bytes]:
        while data := source.recv(CHUNK):
            if pair.mute:
                continue
            if self.delay_s:
                time.sleep(self.delay_s)
            yield data

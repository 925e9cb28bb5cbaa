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
    over: threading.Event = field(default_factory=threading.Event)

    def end(self, *, rudely: bool) -> None:
        """Close both sides, once; rudely is by RST."""
        if self.over.is_set():
            return
        self.over.set()
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                if rudely:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.shutdown(socket.SHUT_RD if rudely else socket.SHUT_RDWR)  # wakes who reads from it
            one.close()


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
        self._mute = False
        self._chance = random.Random(seed)  # noqa: S311 - what a test does, not a secret
        self._pairs: set[Pair] = set()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._accept, name=f"proxy {self.port}", daemon=True).start()

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
                pair.doomed = pair.doomed or self._chance.random() < self.lose_answers
                pair.server.sendall(data)
        pair.end(rudely=self.lose_requests > 0)
        self._pairs.discard(pair)

    def _answer(self, pair: Pair) -> None:
        with contextlib.suppress(OSError):
            for data in self._pieces(pair, pair.server):
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

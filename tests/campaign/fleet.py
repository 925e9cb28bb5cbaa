"""Replicas of the real engine over one in-memory database and one cloud: started, killed, stopped, started again."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from random import Random
from typing import Any

from reconciler.daemon.wiring import Gate, Learner, price_book
from reconciler.engine.options import Options, Ports
from reconciler.engine.worker import Worker
from reconciler.manifest import reader
from reconciler.render.calls import Hooks
from tests.campaign.cloud import Cloud, CloudClient, WorldClock
from tests.campaign.gates import Chaos, Gated, Strike
from tests.campaign.loop import Process, SeededLoop
from tests.campaign.memory import Database, MemoryStore

BOOK = price_book()
OPTIONS = Options(workers=4, poll_s=300.0, duty_s=240.0, clock_s=900.0, request_timeout_s=30.0)
RESTART_S = (0.5, 120.0)
LOOK_S = 20.0
"""So often a supervisor looks who has died."""


class Quiet:
    """Telemetry that keeps problems for whoever investigates a failing seed."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def problem(self, event: str, **fields: object) -> None:
        self.problems.append(f"{event} {fields}")

    def __getattr__(self, name: str) -> Any:
        return _nothing


def _nothing(*_: object, **__: object) -> None:
    """Telemetry that nobody reads."""


class Digests:
    """The resolver: hashes with a key that is the run's."""

    def digest(self, context: str, text: str) -> str:
        return hashlib.blake2b(f"{context}\0{text}".encode(), digest_size=12, key=b"campaign").hexdigest()


@dataclass
class Replica:
    """One process of the operator, through all its lives."""

    number: int
    lives: int = 0
    process: Process = field(default_factory=lambda: Process("unborn", dead=True))
    worker: Worker | None = None


class Fleet:
    """All replicas of one run."""

    def __init__(self, loop: SeededLoop, random: Random, cloud: Cloud, strike: Strike, replicas: int) -> None:
        self.loop, self.random, self.cloud, self.strike = loop, random, cloud, strike
        self.clock = WorldClock(loop)
        self.database = Database(reader, loop.time, self.clock.now)
        self.telemetry = Quiet()
        self.replicas = [Replica(number) for number in range(replicas)]
        self.graves: list[Any] = []

    def start(self, replica: Replica) -> None:
        """Give a replica its next life."""
        replica.lives += 1
        owner = f"host{replica.number}:{replica.lives}:0"
        process = replica.process = Process(owner)
        store = MemoryStore(self.database)
        gate, learner = Gate(self.clock), Learner(self.telemetry)  # type: ignore[arg-type]
        gate.store = learner.store = store  # type: ignore[assignment]
        client = CloudClient(self.cloud, self.clock, Hooks(read_gate=gate, learned=learner))
        ports = Ports(
            clock=self.clock,
            render=Gated(client, "render", process, self.database, self.strike),  # type: ignore[arg-type]
            store=Gated(store, "store", process, self.database, self.strike),  # type: ignore[arg-type]
            resolver=Digests(),
            telemetry=self.telemetry,
            book=BOOK,
            options=OPTIONS,
        )
        replica.worker = Worker(ports, owner, seed=self.random.randrange(2**30))
        self.graves.append(self.loop.spawn(process, replica.worker.run()))

    async def watch(self) -> None:
        """Start dead replicas again, as a supervisor does; half the time on another host, where leases must run out."""
        while True:
            for replica in self.replicas:
                if replica.process.dead:
                    dead = replica.process.name
                    await asyncio.sleep(self.random.uniform(*RESTART_S))
                    if self.random.random() < 0.5:
                        await MemoryStore(self.database).release_all(dead)
                    self.start(replica)
            await asyncio.sleep(LOOK_S)

    def heal(self) -> None:
        """Let every replica live and go on."""
        if isinstance(self.strike, Chaos):
            self.strike.over = True
        for replica in self.replicas:
            if replica.process.stopped:
                self.loop.resume(replica.process)

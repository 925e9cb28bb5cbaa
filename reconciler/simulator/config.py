"""Says how a simulator is started: address, speed, state file, who may come in."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """The start-up options; everything that can change at run time is in the settings."""

    host: str = "127.0.0.1"
    port: int = 8787
    speed: float = 1.0
    frozen: bool = False
    start_ns: int | None = None
    state: Path | None = None
    owner_id: str | None = None
    api_keys: tuple[str, ...] = ()
    exit_with_parent: bool = False
    seed: int | None = None
    settings: dict[str, object] = field(default_factory=dict)

"""Keeps passes: writes what a pass leaves behind as compressed JSON, reads it back, and replays it; it decides nothing.

What a view's stack compiles from (Blueprint revision and tenant) and the version of its price book stand in their
place: both are found again when a pass is replayed. Nothing of it can hold a secret: `codec` refuses to write one.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from typing import Any

from reconciler.core import passes
from reconciler.core.actions import Wait
from reconciler.core.passes import Done, Kept, Replay, Replayed, Round
from reconciler.core.prices import NO_BOOK, PriceBook
from reconciler.core.spec import BlueprintSpec
from reconciler.core.values import Json
from reconciler.ports import Claim
from reconciler.postgres import codec, queries
from reconciler.postgres.pool import Connection

SQL = queries.load("passes")
DIFFERENCES_MAX = 20
SHOWN_MAX = 200
"""Characters of a value in a difference."""
LEVEL = 6
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a document of another version may end in."""
Row = dict[str, Any]


def version() -> str:
    """Name the version of this program."""
    return metadata.version("reconciler")


def canonical(value: Json) -> bytes:
    """Write JSON as bytes that are equal exactly when the values are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


# ------------------------------------------------------------ as JSON


def write(kept: Kept) -> dict[str, Json]:
    """Write what is kept as JSON; the compiled stack and the prices of a view stay out of it."""
    bare = [replace(one, view=replace(one.view, stack=None, book=NO_BOOK)) for one in kept.rounds]
    document = codec.encode(replace(kept, rounds=tuple(bare)))
    assert isinstance(document, dict), "a dataclass becomes an object"
    for view in _views(document):
        del view["stack"], view["book"]
    return document


def read(document: Mapping[str, Json]) -> Kept | None:
    """Read it back; None where it has other fields than this version knows, more or fewer."""
    whole: dict[str, Json] = json.loads(json.dumps(document))
    for view in _views(whole):
        view |= {"stack": None, "book": codec.encode(NO_BOOK)}
    try:
        kept = codec.decode(Kept, whole)
        return kept if canonical(codec.encode(kept)) == canonical(whole) else None
    except UNREADABLE:
        return None


def _views(document: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    rounds = document.get("rounds")
    for one in rounds if isinstance(rounds, list) else []:
        view = one.get("view") if isinstance(one, dict) else None
        if isinstance(view, dict):
            yield view


def pack(document: Mapping[str, Json]) -> bytes:
    """Compress a document; what its rounds have in common costs next to nothing."""
    return zlib.compress(canonical(dict(document)), LEVEL)


def unpack(packed: bytes) -> dict[str, Json]:
    """Read a document back as it was packed."""
    document: dict[str, Json] = json.loads(zlib.decompress(packed))
    return document


# ------------------------------------------------------------ in the database


async def keep(connection: Connection, claim: Claim, kept: Kept, now: datetime, count_max: int) -> None:
    """Write a pass in the transaction that ends it; one that only repeats the newest is counted with that."""
    if count_max <= 0:
        return
    values: Row = {
        **{"tenant": claim.tenant, "epoch": claim.epoch, "wake_class": claim.wake_class, "now": now},
        **{"took_s": kept.took_s, "result": kept.result, "generation": kept.generation, "revision": kept.revision},
        **{"summary": codec.storable(passes.summary(kept)), "fingerprint": passes.fingerprint(kept)},
        **{"blueprint": kept.blueprint, "version": version(), "document": pack(write(kept))},
    }
    await connection.execute(SQL["keep"], values)
    await connection.execute(SQL["drop_oldest"], {"tenant": claim.tenant, "count_max": count_max})


def glance(document: Mapping[str, Any]) -> tuple[tuple[Done, ...], tuple[Wait, ...]]:
    """Read what was done and what the last plan waited for; nothing where another version wrote it otherwise."""
    try:
        plans = [one["plan"] for one in document["rounds"] if one["plan"] is not None]
        waits = [*plans[-1]["waits"], *(wait for one in plans[-1]["actions"] for wait in one["waits"])] if plans else []
        read_waits = dict.fromkeys(codec.decode(Wait, wait) for wait in waits)
        return tuple(codec.decode(Done, one) for one in document["done"]), tuple(read_waits)
    except UNREADABLE:
        return (), ()


# ------------------------------------------------------------ replay


def replay(document: Mapping[str, Json], made_by: str, blueprint: BlueprintSpec | None, book: PriceBook) -> Replayed:
    """Make the plans of a kept pass again and compare them byte for byte."""
    kept = read(document)
    if kept is None:
        message = f"not replayed: kept by another version ({made_by}); this is {version()}"
        return Replayed(outcome=Replay.OTHER_VERSION, message=message)
    if not kept.rounds:
        return Replayed(outcome=Replay.NO_PLAN, message="nothing to replay: it ended before it came to a plan")
    found = [
        text for number, one in enumerate(kept.rounds, 1) for text in _differences(number, one, kept, blueprint, book)
    ]
    if not found:
        return Replayed(outcome=Replay.SAME, message="replayed: same plan")
    reasons = [f"made by version {made_by}, this is {version()}"] if made_by != version() else []
    reasons += [f"with the price book {kept.book}, this one is {book.version}"] if kept.book != book.version else []
    message = "; ".join(["replayed: another plan", *reasons])
    return Replayed(outcome=Replay.DIFFERENT, message=message, differences=tuple(found[:DIFFERENCES_MAX]))


def _differences(
    number: int, one: Round, kept: Kept, blueprint: BlueprintSpec | None, book: PriceBook
) -> Sequence[str]:
    """Answer how the plan of a round differs today, with what is kept on the left."""
    try:
        whole = replace(one, view=passes.restored(one.view, kept.tenant, blueprint, kept.revision, book))
        again: Json = codec.encode(passes.plan_again(whole, kept.caps))
    except Exception as error:  # any: it is what the replay is to show
        broke = f"{type(error).__name__}: {' '.join(str(error).split())[:SHOWN_MAX]}"
        return [] if one.plan is None else [f"round {number}: planning breaks: {broke}"]
    if one.plan is None:
        return [f"round {number}: planning broke then, and does not now"]
    before = codec.encode(one.plan)
    if canonical(before) == canonical(again):
        return []
    return [f"round {number}: {text}" for text in compared("plan", before, again)]


def compared(path: str, before: Json, after: Json) -> list[str]:
    """List where two JSON values differ, by path."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = [f"{path}.{name}: {_shown(before[name])} -> absent" for name in before if name not in after]
        for name, value in after.items():
            place = f"{path}.{name}"
            found += compared(place, before[name], value) if name in before else [f"{place}: absent -> {_shown(value)}"]
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [text for place, pair in pairs for text in compared(f"{path}[{place}]", *pair)]
    if canonical(before) == canonical(after):
        return []
    return [f"{path}: {_shown(before)} -> {_shown(after)}"]


def _shown(value: Json) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."

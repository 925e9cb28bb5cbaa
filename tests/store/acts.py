"""What the contract's tests do again and again, through the port alone."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

from reconciler.core.actions import Verb
from reconciler.core.inventory import Owned
from reconciler.core.kinds import Bucket, Kind
from reconciler.core.observed import Observed
from reconciler.core.values import Json
from reconciler.ports import Claim, Store, Throttle, Turns, WakeClass
from tests.postgres.conftest import NOW, action, observed

HOUR = NOW.replace(minute=0, second=0)
MINUTE = NOW.replace(second=0)
LATER = NOW + timedelta(minutes=15)
NUMBERS = itertools.count()
"""Every effect is on a component of its own, so that none is under way."""
EVERY = dict.fromkeys(WakeClass, Turns())


async def sweep(
    store: Store, looks: Sequence[Observed] = (), kinds: Sequence[Kind] = (Kind.WEB,), *, at: datetime = LATER
) -> list[str]:
    """Look at everything of some kinds; answer who was woken."""
    woken = set(await store.observe(looks, at))
    return sorted(woken | set(await store.swept(kinds, [one.id for one in looks], at)))


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def only(wake_class: WakeClass) -> dict[WakeClass, Turns]:
    """Turns of one class."""
    return {wake_class: Turns()}


async def claim_all(store: Store, owner: str = "w1", now: datetime = NOW) -> dict[str, Claim]:
    """Claim whoever is due."""
    return {one.tenant: one for one in await store.claim(EVERY, 100, owner, 90, now)}


async def sent(
    store: Store, claim: Claim, component: str = "app", verb: Verb = Verb.CREATE, *,
    bucket: Bucket = Bucket.WRITE, now: datetime = NOW,
) -> int:  # fmt: skip
    """Plan an effect and send it; answer its operation."""
    operation = await store.open_operation(claim, action(component, verb, bucket), "h1", now)
    assert await store.send_operation(claim, operation, bucket, "", now) is None
    return operation


async def asks(
    store: Store, claim: Claim, component: str = "app", *,
    bucket: Bucket = Bucket.CREATE, now: datetime = NOW, id: str = "",
) -> Throttle | None:  # fmt: skip
    """Ask for the tokens of an effect and answer what the store said."""
    operation = await store.open_operation(claim, action(component, bucket=bucket, id=id), "h1", now)
    return await store.send_operation(claim, operation, bucket, id, now)


async def granted(
    stores: Sequence[Store], claim: Claim, count: int, *,
    bucket: Bucket = Bucket.CREATE, now: datetime = NOW, id: str = "",
) -> int:  # fmt: skip
    """Ask so often, from one replica after the other, and count what was granted."""
    answers = [
        await asks(stores[n % len(stores)], claim, f"c{next(NUMBERS)}", bucket=bucket, now=now, id=id)
        for n in range(count)
    ]
    return answers.count(None)


def own(id: str = "srv-1", component: str = "app", kind: Kind = Kind.WEB, **fields: Json) -> Owned:
    """An inventory row whose object was seen at NOW."""
    name = f"{component}-acme"
    return Owned(component=component, kind=kind, id=id, name=name, observed=seen(id, name, NOW, kind=kind, **fields))


def seen(id: str, name: str = "app-acme", at: datetime = LATER, kind: Kind = Kind.WEB, **fields: Json) -> Observed:
    """A look at an object."""
    return observed(id, name, at, kind, **fields)

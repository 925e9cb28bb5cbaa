"""People who sign tenants up, change, suspend, resume and delete them at random, as a daemon's test needs them."""

import random

from tests.daemon.fleet import Fleet

TAKEN = "taken"
"""A tenant whose service's name is a stranger's: it stays as it is."""


class Users:
    """People who change things at random, but never more than one thing of a tenant at a time."""

    def __init__(self, fleet: Fleet, chance: random.Random, most: int = 1000) -> None:
        self.fleet = fleet
        self.chance = chance
        self.most = most
        self.made = 0

    async def act(self) -> str:
        """Do one thing; says what."""
        rows = [row for row in await self.fleet.rows() if row.state != "deleted" and row.name != TAKEN]
        what = self.chance.choice(["new", "new", "tier", "theme", "suspend", "resume", "delete"])
        if self.made < self.most and (what == "new" or len(rows) < 2):
            self.made += 1
            await self.fleet.put(f"t{self.made}", new=True)
            return f"new t{self.made}"
        if not rows:
            return "nothing"
        what = "theme" if what == "new" else what
        name = self.chance.choice(rows).name
        match what:
            case "tier":
                await self.fleet.put(name, tier=self.chance.choice(["small", "big"]))
            case "suspend":
                await self.fleet.put(name, state="suspended")
            case "resume":
                await self.fleet.put(name, state="running")
            case "delete":
                await self.fleet.put(name, state="deleted")
            case _:
                await self.fleet.put(name, params={"theme": f"v{self.chance.randrange(1000)}"})
        return f"{what} {name}"

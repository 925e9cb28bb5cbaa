"""A table of checks, one for each row of the sheet of facts about the Render API, named by section and row."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.simulator.conftest import Simulator

Check = Callable[[Simulator], None]


class Rows(dict[str, Check]):
    """Checks by id, in the order of the sheet."""

    def row(self, id: str) -> Callable[[Check], Check]:
        """Name the row of the sheet that a check is about."""

        def keep(check: Check) -> Check:
            assert id not in self, id
            self[id] = check
            return check

        return keep


def limits(answer: httpx.Response) -> tuple[int, int]:
    """The limit of the bucket a call counted in, and what is left of it."""
    return int(answer.headers["Ratelimit-Limit"]), int(answer.headers["Ratelimit-Remaining"])


def path_of(made: dict[str, Any], collection: str = "/services") -> str:
    """Where an object is read."""
    return f"{collection}/{made['id']}"

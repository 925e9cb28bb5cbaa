"""Holds what every handler of one application shares, and hands it out; it decides nothing."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from reconciler import doors, ports
from reconciler.api.access import Caller
from reconciler.api.limiter import Limiter
from reconciler.api.options import ApiOptions, Health
from reconciler.api.sessions import Sessions
from reconciler.api.turns import Turns
from reconciler.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The records, the clock and the rest that `build_api` was given."""

    registry: doors.Registry
    clock: ports.Clock
    planner: doors.Planner | None
    metrics: Metrics
    health: Health
    options: ApiOptions
    limiter: Limiter
    sessions: Sessions
    turns: Turns


def context_of(request: Request) -> Context:
    """Answer the context of the application that serves this request."""
    context: Context = request.app.state.context
    return context


def caller_of(request: Request) -> Caller:
    """Answer whose request this is; only behind a rule that asks for a key."""
    caller: Caller = request.state.caller
    return caller


Shared = Annotated[Context, Depends(context_of)]
Who = Annotated[Caller, Depends(caller_of)]

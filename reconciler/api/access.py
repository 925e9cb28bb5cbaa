"""Decides who may use which route: the one table of routes and scopes; it knows no request and no handler.

A route that is not in the table cannot be added to the application. Keys have scopes; `admin` implies every other,
`operator` implies `read` and `signup`. A key that has `signup` alone sees and alters only the tenants it made.
"""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.errors import Problem
from reconciler.doors import Actor, ApiKey


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    SIGNUP = "signup"
    OPERATOR = "operator"
    ADMIN = "admin"


IMPLIED: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.SIGNUP: frozenset({Scope.SIGNUP}),
    Scope.OPERATOR: frozenset({Scope.OPERATOR, Scope.READ, Scope.SIGNUP}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use a route: any of `scopes`; none means it is open, or proves its caller otherwise.

    `replays` says whether an Idempotency-Key makes the answer repeatable; answers with secrets are never stored.
    """

    scopes: frozenset[Scope]
    replays: bool = False


OPEN = Rule(frozenset())
READ = Rule(frozenset({Scope.READ}))
TENANT_READ = Rule(frozenset({Scope.READ, Scope.SIGNUP}))
SIGN_UP = Rule(frozenset({Scope.SIGNUP}), replays=True)
OPERATE = Rule(frozenset({Scope.OPERATOR}), replays=True)
OPERATE_SECRETS = Rule(frozenset({Scope.OPERATOR}))
ADMIN = Rule(frozenset({Scope.ADMIN}))

ACCESS: dict[tuple[str, str], Rule] = {
    # The contract of the replaced service.
    ("GET", "/api/health/"): OPEN,
    ("GET", "/api/tenants/"): TENANT_READ,
    ("POST", "/api/tenants/"): SIGN_UP,
    ("GET", "/api/tenants/{id}/"): TENANT_READ,
    ("PUT", "/api/tenants/{id}/"): SIGN_UP,
    ("PATCH", "/api/tenants/{id}/"): SIGN_UP,
    ("DELETE", "/api/tenants/{id}/"): SIGN_UP,
    ("GET", "/api/tenants/{id}/status/"): TENANT_READ,
    # Tenants.
    ("GET", "/v1/tenants"): TENANT_READ,
    ("GET", "/v1/tenants/{name}"): TENANT_READ,
    ("PUT", "/v1/tenants/{name}"): SIGN_UP,
    ("PATCH", "/v1/tenants/{name}"): SIGN_UP,
    ("POST", "/v1/tenants/{name}/state"): SIGN_UP,
    ("GET", "/v1/tenants/{name}/plan"): TENANT_READ,
    ("POST", "/v1/tenants/{name}/plan"): TENANT_READ,
    ("GET", "/v1/tenants/{name}/events"): TENANT_READ,
    ("GET", "/v1/tenants/{name}/operations"): READ,
    ("GET", "/v1/tenants/{name}/costs"): TENANT_READ,
    ("GET", "/v1/tenants/{name}/passes"): OPERATE,
    ("GET", "/v1/passes/{id}"): OPERATE,
    ("POST", "/v1/tenants/{name}/reconcile"): OPERATE,
    ("PUT", "/v1/tenants/{name}/hold"): OPERATE,
    ("DELETE", "/v1/tenants/{name}/hold"): OPERATE,
    ("GET", "/v1/tenants/{name}/secrets"): READ,
    ("PUT", "/v1/tenants/{name}/secrets/{key}"): OPERATE_SECRETS,
    ("DELETE", "/v1/tenants/{name}/secrets/{key}"): OPERATE_SECRETS,
    # Blueprints.
    ("GET", "/v1/blueprints"): READ,
    ("GET", "/v1/blueprints/{name}"): READ,
    ("PUT", "/v1/blueprints/{name}"): OPERATE,
    ("POST", "/v1/blueprints/{name}/rollout/retry"): OPERATE,
    ("GET", "/v1/blueprints/{name}/secrets"): READ,
    ("PUT", "/v1/blueprints/{name}/secrets/{key}"): OPERATE_SECRETS,
    ("DELETE", "/v1/blueprints/{name}/secrets/{key}"): OPERATE_SECRETS,
    # The fleet.
    ("GET", "/v1/events"): READ,
    ("GET", "/v1/costs"): READ,
    ("GET", "/v1/queue"): READ,
    ("GET", "/v1/orphans"): READ,
    ("GET", "/v1/brake"): READ,
    ("PUT", "/v1/brake"): OPERATE,
    ("GET", "/v1/rejections"): READ,
    ("GET", "/v1/audit"): OPERATE,
    ("GET", "/v1/keys"): ADMIN,
    ("POST", "/v1/keys"): ADMIN,
    ("DELETE", "/v1/keys/{id}"): ADMIN,
    # Render proves itself by its signature.
    ("POST", "/webhooks/render"): OPEN,
    # Probes and descriptions.
    ("GET", "/livez"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): READ,
    ("GET", "/docs"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    # The console: a session stands for the key it was opened with.
    ("GET", "/"): OPEN,
    ("GET", "/console/style.css"): OPEN,
    ("GET", "/console/login"): OPEN,
    ("POST", "/console/login"): OPEN,
    ("POST", "/console/logout"): OPEN,
    ("GET", "/console"): READ,
    ("GET", "/console/tenants/{name}"): READ,
    ("GET", "/console/events"): READ,
    ("GET", "/console/queue"): READ,
    ("GET", "/console/costs"): READ,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is: the key, and all that its scopes imply."""

    key: ApiKey
    scopes: frozenset[Scope]
    via: str = "http"

    @property
    def actor(self) -> Actor:
        """Answer who stands in the audit log: the key's name."""
        return Actor(name=self.key.name, via=self.via)

    @property
    def operates(self) -> bool:
        """Say whether this caller may alter every tenant, and what only operators may say of one."""
        return Scope.OPERATOR in self.scopes

    @property
    def reads_all(self) -> bool:
        """Say whether this caller may see every tenant."""
        return Scope.READ in self.scopes


def rule_of(method: str, path: str) -> Rule:
    """Look a route up; a route nobody decided about is a programming error that must not start."""
    try:
        return ACCESS[method, path]
    except KeyError:
        raise LookupError(f"{method} {path} is not in the table of routes and scopes") from None


def caller_of(key: ApiKey, via: str = "http") -> Caller:
    """Expand a key's scopes; words that are no scope give nothing."""
    known = (Scope(word) for word in key.scopes if word in frozenset(Scope))
    return Caller(key, frozenset().union(*(IMPLIED[scope] for scope in known)), via)


def allows(rule: Rule, caller: Caller) -> bool:
    """Say whether a caller may use a route with this rule."""
    return not rule.scopes or bool(rule.scopes & caller.scopes)


def check_scopes(words: list[str]) -> list[Problem]:
    """Find words that are no scope, and the lack of any."""
    expected = ", ".join(Scope)
    if not words:
        return [Problem(path="scopes", message="names no scope", remedy=f"give at least one of {expected}")]
    return [
        Problem(path=f"scopes[{index}]", message="unknown scope", value=f'"{word}"', remedy=f"use one of {expected}")
        for index, word in enumerate(words)
        if word not in frozenset(Scope)
    ]

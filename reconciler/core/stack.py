"""Holds the desired side: the resources that Blueprint + Tenant compile to, with references between them; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.errors import Problem
from reconciler.core.kinds import Kind
from reconciler.core.observed import Rule
from reconciler.core.values import Json, SecretRef, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One desired Render object.

    `fields` are the scalar fields we own (named by template, tier or tenant), canonical as in `core.observed`;
    `defaults` are sent at creation only and never healed. `env` and `files` may hold live attributes and
    secrets. `groups` are component names of linked env groups. `domains`, `headers`, `routes` are None where
    nothing was said. `after` names the components that must exist (datastores: be available) before this one
    is created; references that would close a cycle are left out of it and listed in `late_env` instead:
    those variables are set after creation, with a second deploy. `commit` is the source commit to deploy.
    """

    component: str
    kind: Kind
    name: str
    fields: Mapping[str, Json] = field(default_factory=dict)
    defaults: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, Value] = field(default_factory=dict)
    files: Mapping[str, Value] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    domains: tuple[str, ...] | None = None
    headers: tuple[Rule, ...] | None = None
    routes: tuple[Rule, ...] | None = None
    after: frozenset[str] = frozenset()
    late_env: frozenset[str] = frozenset()
    initial_deploy_hook: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Everything one tenant should have, in creation order.

    `secrets` maps every secret the stack needs to the components that name it; `generate` gives the length of
    those that the operator makes itself (0 = base64 of 256 bits, as Render's generateValue makes them).
    """

    tenant: str
    blueprint: str
    revision: int
    resources: Mapping[str, Resource]
    entrypoint: str = ""
    ready_path: str = ""
    ready_within_s: int = 900
    secrets: Mapping[SecretRef, tuple[str, ...]] = field(default_factory=dict)
    generate: Mapping[SecretRef, int] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()

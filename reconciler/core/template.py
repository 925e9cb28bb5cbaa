"""Holds a render.yaml after normalisation: components by key, canonical fields, env by key; pure.

`core.blueprint` makes it, `core.compile` turns it into a stack. Field names are those of `core.observed`, plus
what only a template has: `scaling` {min, max, cpu, memory} (becomes `autoscaling`), `domains`, `headers`,
`routes`, `initialDeployHook`, `registryCredential` (a name), `files` of groups is not in the language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.errors import Problem
from reconciler.core.kinds import Kind
from reconciler.core.values import Json


@dataclass(frozen=True, slots=True)
class Literal:
    """`key` + `value`: text as written (numbers and booleans already turned into text)."""

    text: str


@dataclass(frozen=True, slots=True)
class Generated:
    """`generateValue: true`: made once, kept, resent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`sync: false`: its value comes from the Blueprint's `secrets`, by key."""


@dataclass(frozen=True, slots=True)
class FromDatabase:
    """A property of a database: connectionString, connectionPoolString, host, port, user, password, database."""

    name: str
    property: str


@dataclass(frozen=True, slots=True)
class FromService:
    """A property of a service or Key Value (host, port, hostport, connectionString), or a copy of a variable."""

    name: str
    property: str = ""
    env_var_key: str = ""


EnvForm = Literal | Generated | Asked | FromDatabase | FromService


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One service, datastore or env group of a template.

    `key` is the component's name; `fields` only what the template names; `groups` the env groups it links;
    `path` is where it stands in the document (`services[3]`), for messages.
    """

    key: str
    kind: Kind
    fields: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, EnvForm] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A whole normalised render.yaml; `warnings` name what has no effect here (previews and their like)."""

    components: Mapping[str, Component]
    network_isolation: bool | None = None
    protected: bool | None = None
    warnings: tuple[Problem, ...] = ()

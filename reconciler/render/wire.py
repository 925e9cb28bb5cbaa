"""Reads Render's JSON, tolerantly: what an answer must have is an id; it knows no kinds of ours.

Unknown fields are ignored, unknown enum words pass as text, null and absent are the same everywhere. A field of a
type that cannot be what we think it is fails the whole answer: acting on a misreading would be worse. Secret
values stay out of every repr. Shapes: Render API 3.4, 3.13.2, 3.14-3.16 and the recordings.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

MICROSECOND_DIGITS = 6
MICROSECOND_TIME = len("2026-11-24T17:40:15.425716Z")
"""A text that is no longer has no more digits than that."""
T = TypeVar("T")


def _or(default: Callable[[], object]) -> BeforeValidator:
    return BeforeValidator(lambda value: default() if value is None else value)


def parse_time(text: object) -> object:
    """Read RFC 3339 to microseconds, rounding a longer fraction half up as Render's own later reads do (1.6)."""
    if not isinstance(text, str) or not text:
        return None if text == "" else text
    if len(text) <= MICROSECOND_TIME:
        return text
    head, dot, tail = text.partition(".")
    if not dot:
        return text
    digits = "".join(c for c in tail if c.isdigit()) if tail.endswith(("Z", "z")) else ""
    if len(digits) <= MICROSECOND_DIGITS:
        return text
    moment = datetime.fromisoformat(head).replace(tzinfo=UTC)
    micro = int(digits[:MICROSECOND_DIGITS]) + (digits[MICROSECOND_DIGITS] >= "5")
    return datetime.fromtimestamp(moment.timestamp(), UTC).replace(microsecond=0) + micro * datetime.resolution


Text = Annotated[str, _or(str)]
Flag = Annotated[bool, _or(bool)]
Time = Annotated[datetime | None, BeforeValidator(parse_time)]
Many = Annotated[list[T], _or(list)]


class Wire(BaseModel):
    """Base of every model: camelCase names on the wire, extra fields ignored, numbers accepted as text."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=to_camel, validate_by_name=True, coerce_numbers_to_str=True
    )


class Owner(Wire):
    """A workspace."""

    id: str
    name: Text = ""


class Named(Wire):
    """A reference by id and name; unset ones come as empty objects (recorded: cronjob/cron_job)."""

    id: Text = ""
    name: Text = ""


class AllowEntry(Wire):
    """One line of an IP allow list."""

    cidr_block: Text = ""
    description: Text = ""


class BuildFilter(Wire):
    """Which paths of the repository start a build."""

    paths: Many[str] = Field(default_factory=list)
    ignored_paths: Many[str] = Field(default_factory=list)


class Criterion(Wire):
    """One target of autoscaling, percent."""

    enabled: Flag = False
    percentage: int | None = None


class Criteria(Wire):
    """Both targets of autoscaling."""

    cpu: Criterion | None = None
    memory: Criterion | None = None


class Autoscaling(Wire):
    """Autoscaling as configured."""

    enabled: Flag = False
    min: int | None = None
    max: int | None = None
    criteria: Criteria | None = None


class Disk(Wire):
    """A disk, inside a service or by itself."""

    id: str
    name: Text = ""
    mount_path: Text = ""
    size_gb: int | None = Field(default=None, alias="sizeGB")
    service_id: Text = ""


class Specific(Wire):
    """`envSpecificDetails`: of native runtimes, of docker and of images."""

    build_command: Text = ""
    start_command: Text = ""
    docker_command: Text = ""
    docker_context: Text = ""
    dockerfile_path: Text = ""
    pre_deploy_command: Text = ""
    registry_credential: Named | None = None


class Port(Wire):
    """An open port."""

    port: int | None = None


class Previews(Wire):
    """Preview settings."""

    generation: Text = ""


class Maintenance(Wire):
    """Maintenance mode."""

    enabled: Flag = False
    uri: Text = ""


class Details(Wire):
    """`serviceDetails` of all five types; each type has some of these."""

    runtime: Text = ""
    env: Text = ""
    plan: Text = ""
    region: Text = ""
    num_instances: int | None = None
    autoscaling: Autoscaling | None = None
    disk: Disk | None = None
    env_specific_details: Specific | None = None
    pre_deploy_command: Text = ""
    open_ports: Many[Port] = Field(default_factory=list)
    url: Text = ""
    health_check_path: Text = ""
    maintenance_mode: Maintenance | None = None
    max_shutdown_delay_seconds: int | None = None
    previews: Previews | None = None
    pull_request_previews_enabled: Text = ""
    render_subdomain_policy: Text = ""
    ip_allow_list: list[AllowEntry] | None = None
    schedule: Text = ""
    build_command: Text = ""
    publish_path: Text = ""


class Service(Wire):
    """A service of any type."""

    id: str
    type: Text = ""
    name: Text = ""
    owner_id: Text = ""
    slug: Text = ""
    repo: Text = ""
    branch: Text = ""
    root_dir: Text = ""
    build_filter: BuildFilter | None = None
    image_path: Text = ""
    registry_credential: Named | None = None
    auto_deploy: Text = ""
    auto_deploy_trigger: Text = ""
    environment_id: Text = ""
    suspended: Text = ""
    suspenders: Many[str] = Field(default_factory=list)
    service_details: Details | None = None
    created_at: Time = None
    updated_at: Time = None


class Replica(Wire):
    """A read replica."""

    id: Text = ""
    name: Text = ""


class Postgres(Wire):
    """A Postgres primary or replica; list items lack `parameterOverrides`."""

    id: str
    name: Text = ""
    owner: Owner | None = None
    plan: Text = ""
    region: Text = ""
    version: Text = ""
    status: Text = ""
    role: Text = ""
    database_name: Text = ""
    database_user: Text = ""
    disk_size_gb: int | None = Field(default=None, alias="diskSizeGB")
    disk_autoscaling_enabled: Flag = False
    high_availability_enabled: Flag = False
    ip_allow_list: list[AllowEntry] | None = None
    read_replicas: Many[Replica] = Field(default_factory=list)
    connection_pool: Text = ""
    parameter_overrides: dict[str, str] | None = None
    environment_id: Text = ""
    suspended: Text = ""
    suspenders: Many[str] = Field(default_factory=list)
    created_at: Time = None
    updated_at: Time = None


class Options(Wire):
    """Settings of a Key Value."""

    maxmemory_policy: Text = ""
    persistence_mode: Text = ""


class KeyValue(Wire):
    """A Key Value instance."""

    id: str
    name: Text = ""
    owner: Owner | None = None
    plan: Text = ""
    region: Text = ""
    status: Text = ""
    options: Options | None = None
    ip_allow_list: list[AllowEntry] | None = None
    environment_id: Text = ""
    created_at: Time = None
    updated_at: Time = None


class EnvVar(Wire):
    """A variable."""

    key: str
    value: Text = Field(default="", repr=False)


class SecretFile(Wire):
    """A secret file."""

    name: str
    content: Text = Field(default="", repr=False)


class Export(Wire):
    """An export of a database; whoever has its address has the data."""

    id: Text = ""
    created_at: Time = None
    url: Text = Field(default="", repr=False)


class EnvGroup(Wire):
    """An env group; list items lack variables and files (then None)."""

    id: str
    name: Text = ""
    owner_id: Text = ""
    environment_id: Text = ""
    service_links: Many[Named] = Field(default_factory=list)
    env_vars: list[EnvVar] | None = None
    secret_files: list[SecretFile] | None = None
    created_at: Time = None
    updated_at: Time = None


class Project(Wire):
    """A project."""

    id: str
    name: Text = ""
    owner: Owner | None = None
    environment_ids: Many[str] = Field(default_factory=list)
    created_at: Time = None
    updated_at: Time = None


class Environment(Wire):
    """An environment and the ids of its members; empty lists come as null, `redisIds` are Key Values too."""

    id: str
    name: Text = ""
    project_id: Text = ""
    protected_status: Text = ""
    network_isolation_enabled: Flag = False
    databases_ids: Many[str] = Field(default_factory=list)
    redis_ids: Many[str] = Field(default_factory=list)
    service_ids: Many[str] = Field(default_factory=list)
    env_group_ids: Many[str] = Field(default_factory=list)


class DeployedCommit(Wire):
    """The commit a deploy was built from."""

    id: Text = ""


class Deploy(Wire):
    """A deploy."""

    id: str
    commit: DeployedCommit | None = None
    status: Text = ""
    trigger: Text = ""
    created_at: Time = None
    finished_at: Time = None


class Created(Wire):
    """The answer to the creation of a service."""

    service: Service
    deploy_id: Text = ""


class CustomDomain(Wire):
    """A custom domain."""

    id: str
    name: Text = ""
    verification_status: Text = ""
    redirect_for_name: Text = ""


class Header(Wire):
    """A header rule of a static site."""

    id: str
    path: Text = ""
    name: Text = ""
    value: Text = ""


class Route(Wire):
    """A route rule of a static site."""

    id: str
    type: Text = ""
    source: Text = ""
    destination: Text = ""
    priority: int | None = None


class RegistryCredential(Wire):
    """A registry credential; its token is never answered."""

    id: str
    name: Text = ""


class Job(Wire):
    """A one-off job."""

    id: str
    status: Text = ""


class ServiceEvent(Wire):
    """An event of a service; `details` differ by type (Render API 6.4)."""

    id: str
    type: Text = ""
    timestamp: Time = None
    details: Annotated[dict[str, JsonValue], _or(dict)] = Field(default_factory=dict)


class ConnectionInfo(Wire):
    """How to reach a datastore; every field is a secret."""

    password: Text = Field(default="", repr=False)
    internal_connection_string: Text = Field(default="", repr=False)
    internal_connection_pool_string: Text = Field(default="", repr=False)

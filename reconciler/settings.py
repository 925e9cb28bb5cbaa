"""Holds every setting with its default, unit and reason; it knows nothing of what the settings are used for.

Settings come from environment variables alone, and only the composition roots (`cli`, `daemon`) read them. The
variable of a field is `RECONCILER_` and its name in capitals; four have the names their world already uses:
`DATABASE_URL`, `RENDER_API_KEY`, `RENDER_OWNER_ID`, `RENDER_API_URL`. Units are the last word of a name (`_s` is
seconds); times say whether they are the machine's (real) or Render's (world).
"""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from reconciler.core.errors import Invalid, Problem, shown

PREFIX = "RECONCILER_"
PLAIN_NAMES = {
    "database_url": "DATABASE_URL",
    "render_api_key": "RENDER_API_KEY",
    "render_owner_id": "RENDER_OWNER_ID",
    "render_api_url": "RENDER_API_URL",
}
"""Fields whose variables carry the name that the rest of their world uses."""


def _plain(name: str) -> AliasChoices:
    """Read a field from its well-known variable, or by its own name in code."""
    return AliasChoices(PLAIN_NAMES[name], name)


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    # ------------------------------------------------------------ where things are

    database_url: str = Field(default="", repr=False, validation_alias=_plain("database_url"))
    """libpq URL of the Postgres that holds specs and status. No default: a production daemon must never fall back to
    an embedded server. It holds a password, so it is never shown."""

    database_direct_url: str = Field(default="", repr=False)
    """URL of the same database without a connection pooler, where `DATABASE_URL` leads through one: for LISTEN and for
    migrations, which need a session of their own. Empty: `DATABASE_URL`; through a pooler new work is then found by
    polling alone."""

    render_api_key: SecretStr = Field(default=SecretStr(""), validation_alias=_plain("render_api_key"))
    """Key of the Render workspace (Dashboard, Account Settings, API Keys). No default: there is no harmless one."""

    render_owner_id: str = Field(default="", validation_alias=_plain("render_owner_id"))
    """Workspace to work in, `tea-...` or `usr-...`. Empty: the only one the key can see; several are an error."""

    render_api_url: str = Field(default="https://api.render.com/v1", validation_alias=_plain("render_api_url"))
    """Base URL of the Render API; only rehearsals against a simulator change it."""

    home: Path = Path(".reconciler")
    """Folder of a local run: database, simulator state, encryption key, addresses. In the current folder, so that
    two checkouts do not share one."""

    encryption_key: SecretStr = SecretStr("")
    """Key that encrypts secrets at rest, URL-safe base64 of 32 bytes; several, separated by commas, during a rotation,
    the newest first. `reconciler secret new-key` makes one. Keep a copy elsewhere: without it the stored secrets are
    lost."""

    encryption_key_file: Path | None = None
    """File that holds the encryption key, for platforms that mount secrets as files."""

    # ------------------------------------------------------------ doors

    api_host: str = "127.0.0.1"
    """Address the HTTP API listens on: loopback, so that a local run is nobody else's. Render needs `0.0.0.0`."""

    api_port: int = Field(default=8000, ge=0, le=65535)
    """Port of the HTTP API; 0 takes a free one."""

    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of `/metrics` alone, on loopback and without a key; 0: on the API's port, with a key of scope `read`."""

    metrics_per_tenant: Literal["all", "problem", "none"] = "all"
    """Which tenants get gauges of their own. Eight series a tenant are fine up to about 10,000 tenants; `problem`
    keeps those that are not Ready."""

    webhook_secret: SecretStr = SecretStr("")
    """Signing secret of Render's webhook (`whsec_...`). Empty: webhooks are refused, and polling finds everything
    later."""

    default_blueprint: str = ""
    """Blueprint of a tenant made over the older HTTP contract with nothing but a name. Empty: such calls are refused
    with a message."""

    default_tier: str = ""
    """Tier of such a tenant; empty: its Blueprint must have none."""

    url: str = ""
    """Address of another operator's HTTP API. When set, the CLI's verbs go there instead of to a database."""

    key: SecretStr = SecretStr("")
    """API key for `url`; its scope decides which verbs work."""

    # ------------------------------------------------------------ the loop

    workers: int = Field(default=8, ge=1, le=256)
    """Passes at a time in one process. Render's write limit (100 a minute) is used up by fewer; the rest hide
    waiting."""

    lease_s: float = Field(default=90, gt=0)
    """How long a pass owns its tenant without renewing, real seconds: the longest a tenant stands still after a
    crash."""

    renew_s: float = Field(default=30, gt=0)
    """How often leases are renewed, real seconds: a third of the lease, so that two renewals may fail."""

    poll_s: float = Field(default=1, gt=0)
    """How often the queue is asked without a NOTIFY, real seconds; asking costs 0.2 ms."""

    resync_s: float = Field(default=3600, gt=0)
    """How often an unchanged tenant gets a pass, world seconds; drift is found by the sweep, this is the safety net."""

    resync_jitter: float = Field(default=0.1, ge=0, le=1)
    """Share by which resyncs are spread, so that tenants made together do not stay together."""

    sweep_s: float = Field(default=900, gt=0)
    """How often everything in the workspace is listed, world seconds: 1,000 stacks take about 90 list calls of 400 a
    minute."""

    sweep_share: float = Field(default=0.5, gt=0, le=1)
    """Share of Render's 400 reads a minute that listing may use up at most: 10,000 stacks are then listed within five
    minutes, and passes find reads at any time."""

    deep_check_s: float = Field(default=86400, gt=0)
    """How often what lists do not show (variables, files, domains) is read anew, world seconds: four calls a service,
    so a day. Every tenant has its own time of the period, so that many that were made together do not come at once."""

    deep_check_share: float = Field(default=0.25, gt=0, le=1)
    """Share of Render's 400 reads a minute that these rounds may use up at most, over all replicas; what finds no room
    is tried again with the next resync. 10,000 tenants of six resources need 90 a minute, day and night."""

    backoff_base_s: float = Field(default=5, gt=0)
    """First wait after a failed pass, world seconds; doubles with each failure."""

    backoff_max_s: float = Field(default=600, gt=0)
    """Longest wait between failed passes, world seconds: ten minutes after an outage everybody is back."""

    passes_kept: int = Field(default=20, ge=0, le=1000)
    """Passes kept of each tenant, for `why` and replays: those that changed, failed or waited for something, about
    4 kB each. 0: none."""

    passes_kept_s: float = Field(default=604800, gt=0)
    """How long a kept pass is kept, world seconds: a week, so that Monday can explain Friday."""

    shutdown_s: float = Field(default=10, gt=0)
    """How long a stop waits for effects on the wire, real seconds; Render kills a service after 30."""

    # ------------------------------------------------------------ Render

    request_timeout_s: float = Field(default=30, gt=0)
    """Longest wait for the answer to a write, real seconds. Longer, because giving up early makes an outcome
    unknown."""

    read_timeout_s: float = Field(default=15, gt=0)
    """Longest wait for the answer to a read, real seconds; a read can simply be repeated."""

    grace_s: float = Field(default=120, ge=0)
    """How long an unanswered create may stay invisible before it is held never to have happened, world seconds."""

    guard_band_s: float = Field(default=2, ge=0)
    """Nothing is sent this close to the edge of a rate-limit window, world seconds: clocks and networks are not
    exact."""

    # ------------------------------------------------------------ guards

    deletes_per_10min: int = Field(default=20, ge=0)
    """Resources deleted in ten minutes over all tenants, at most: about three stacks, so that a mistake stays small."""

    suspends_per_10min: int = Field(default=50, ge=0)
    """Resources suspended in ten minutes over all tenants, at most: about ten stacks."""

    mass_change_share: float = Field(default=0.05, gt=0, le=1)
    """If more than this share of tenants gets a plan without any spec having changed, effects stop and a person is
    asked."""

    mass_change_min: int = Field(default=10, ge=1)
    """Below so many tenants the share above is not judged: two of ten is not a mass."""

    # ------------------------------------------------------------ logs

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least serious line to write."""

    log_format: Literal["auto", "console", "json"] = "auto"
    """How lines look; `auto`: for people on a terminal, JSON otherwise."""

    # ------------------------------------------------------------ simulator

    simulator_port: int = Field(default=8787, ge=0, le=65535)
    """Port of the simulated Render API of a local run, on loopback; 0 takes a free one."""

    simulator_speed: float = Field(default=60, gt=0)
    """Simulated seconds in a real one: an hourly limit is then felt in a minute."""


def load(**given: object) -> Settings:
    """Read the environment; keyword arguments win over it. Invalid names every variable that cannot be used."""
    try:
        return Settings(**given)  # type: ignore[arg-type] # pydantic checks them, as it checks the environment
    except ValidationError as error:
        raise Invalid(_problem(item["loc"], str(item["msg"]), item["input"]) for item in error.errors()) from None


def variable(name: str) -> str:
    """Name the environment variable of a field."""
    return PLAIN_NAMES.get(name, PREFIX + name.upper())


def is_secret(field: FieldInfo) -> bool:
    """Say whether a field's value must never be shown."""
    return field.annotation is SecretStr or not field.repr


def require_production(settings: Settings) -> None:
    """Refuse to start without what a real run needs; Invalid lists all that is missing and what to set."""
    problems = []
    if not settings.render_api_key.get_secret_value():
        problems.append(
            Problem(
                path="RENDER_API_KEY",
                message="is not set",
                remedy="set it to an API key of your workspace (Render Dashboard, Account Settings, API Keys), "
                "or rehearse on a simulated Render: reconciler run --local",
            )
        )
    if not settings.database_url:
        problems.append(
            Problem(
                path="DATABASE_URL",
                message="is not set",
                remedy="set it to postgresql://USER:PASSWORD@HOST:5432/DATABASE (PostgreSQL 15 to 18), "
                "or use the embedded server: reconciler run --local",
            )
        )
    if not settings.encryption_key.get_secret_value() and settings.encryption_key_file is None:
        problems.append(
            Problem(
                path="RECONCILER_ENCRYPTION_KEY",
                message="is not set, nor is RECONCILER_ENCRYPTION_KEY_FILE",
                remedy="make a key with `reconciler secret new-key`, keep a copy of it, and set one of the two",
            )
        )
    if problems:
        raise Invalid(problems)


def _problem(place: tuple[int | str, ...], message: str, value: object) -> Problem:
    first = str(place[0]) if place else ""
    name = next((field for field, plain in PLAIN_NAMES.items() if plain == first), first)
    known = Settings.model_fields.get(name)
    hidden = known is None or is_secret(known)
    default = "" if known is None or hidden else f"; the default is {shown(str(known.default))}"
    return Problem(
        path=variable(name),
        message=message[:1].lower() + message[1:],
        value="" if hidden else shown(value),
        remedy=f"correct the environment variable or unset it{default}",
    )

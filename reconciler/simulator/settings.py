"""Holds every knob of the simulated platform: durations, policies, unproven behaviours, limits, prices.

All lengths are seconds of simulated time unless the name says otherwise. `GET /_sim/settings` shows them,
`PATCH` changes them at run time; where the API's facts are unverified, the knob is how to try the other way.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from reconciler.simulator.wire import Json, invalid

MAX_NUMBER = 10_000_000_000  # as seconds: more than the time there is


@dataclass(slots=True)
class Settings:
    """The knobs and their defaults."""

    # Lifecycles
    build_native_s: float = 90.0
    build_docker_s: float = 150.0
    build_static_s: float = 60.0
    build_image_s: float = 20.0
    pre_deploy_s: float = 20.0
    go_live_s: float = 15.0
    build_limit_s: float = 7_200.0
    pre_deploy_limit_s: float = 1_800.0
    go_live_limit_s: float = 900.0
    # Recorded between 23-30 s and 31-51 s; the default lies where most recordings agree.
    postgres_creating_min_s: float = 30.2
    postgres_creating_max_s: float = 31.0
    postgres_restart_s: float = 10.0
    postgres_recovery_s: float = 120.0
    postgres_export_s: float = 60.0
    key_value_creating_s: float = 20.0
    key_value_restart_s: float = 10.0
    job_start_s: float = 5.0
    job_run_s: float = 30.0
    cron_run_s: float = 60.0
    domain_verify_s: float = 5.0
    dns_points_here: bool = True
    maintenance_s: float = 300.0
    maintenance_notice_s: float = 604_800.0
    # Policies of the workspace
    deploy_overlap: str = "wait"
    service_name_conflict_status: int = 409
    unique_service_names: bool = True
    unique_other_names: bool = False
    deleted_status: int = 404
    disk_snapshots_status: int = 201
    secret_file_put_status: int = 201
    # Keys that recordings of one time have and those of another lack, or that none has (a pool of `none`).
    environment_ip_allow_list: bool = True
    postgres_connection_pool: bool = False
    # `null` for no commit, no allowed address, no rule, no member (recorded); off: what the schema promises instead.
    nulls_as_recorded: bool = True
    # Whether PATCH with `readReplicas: null` removes them, as the Terraform provider relies on, or leaves them.
    null_removes_replicas: bool = True
    postgres_disk_cooldown_s: float = 43_200.0
    generate_value_again: bool = True
    # How replies spell a plan that has two names: sent, old or new.
    plan_names: str = "sent"
    free_postgres_days: float = 30.0
    payment_missing: bool = False
    # Keys, separated by commas, of people who are no admins: protected environments refuse them.
    non_admin_keys: str = ""
    unfetchable_repo: str = ""
    events_readable_after_s: float = 0.0
    # Limits
    limits_enabled: bool = True
    limit_read_per_minute: int = 400
    limit_write_per_minute: int = 100
    limit_create_per_hour: int = 20
    limit_service_per_minute: int = 10
    limit_cron_per_minute: int = 10
    limit_domain_per_hour: int = 50
    limit_log_stream_per_minute: int = 30
    limit_job_per_hour: int = 2_000
    shared_create_bucket: bool = True
    # Of the documentation only: suspend and resume count with the other calls on a service.
    suspend_in_service_bucket: bool = True
    # The documentation says "per user": then two keys of one user share every bucket.
    limits_shared_by_keys: bool = False
    retry_after: bool = False
    # Webhooks
    webhook_attempts: int = 8
    webhook_first_retry_s: float = 30.0
    # Eight attempts: the last comes 33 h after the first.
    webhook_backoff: float = 3.78
    webhook_duplicate_probability: float = 0.0
    webhook_timeout_real_s: float = 15.0
    # Memory and money
    keep_deploys: int = 50
    keep_events: int = 200
    keep_runs: int = 50
    keep_writes: int = 50_000
    hours_per_month: float = 730.0
    bill_suspended_storage: bool = True
    # What every live web service and static site sends out.
    bandwidth_gb_per_hour: float = 0.01
    # hobby, pro or scale: charges the workspace's fee and what exceeds the plan's bandwidth, build minutes and
    # domains, and refuses what the plan lacks. Without one nothing of the kind is charged or refused.
    workspace_plan: str = ""

    def as_json(self) -> Json:
        """Show all settings."""
        return asdict(self)

    def change(self, changes: Json) -> None:
        """Change settings by name; refused as a whole when one of them is unknown or of the wrong type."""
        kinds = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in kinds:
                raise invalid(f"unknown setting: {name}")
            checked[name] = _as(kinds[name], name, value)
        _check_choices(checked)
        for name, value in checked.items():
            setattr(self, name, value)


def _as(kind: type, name: str, value: object) -> object:
    if kind is bool:
        fits = isinstance(value, bool)
    elif kind is str:
        fits = isinstance(value, str)
    else:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER
    if not fits:
        raise invalid(f"{name} must be a {kind.__name__}")
    return kind(value)


def _check_choices(changes: dict[str, Any]) -> None:
    allowed: dict[str, tuple[object, ...]] = {
        "deploy_overlap": ("wait", "override"),
        "workspace_plan": ("", "hobby", "pro", "scale"),
        "service_name_conflict_status": (400, 409),
        "deleted_status": (404, 410),
        "plan_names": ("sent", "old", "new"),
        "disk_snapshots_status": (200, 201),
        "secret_file_put_status": (200, 201),
    }
    for name, choices in allowed.items():
        if name in changes and changes[name] not in choices:
            raise invalid(f"{name} must be one of {', '.join(str(choice) for choice in choices)}")

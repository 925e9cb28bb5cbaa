"""Names the types of events, as webhooks and lists of events spell them."""

BUILD_AND_DEPLOY = (
    "build_started", "build_ended", "deploy_started", "deploy_ended", "pre_deploy_started", "pre_deploy_ended",
    "image_pull_failed", "commit_ignored", "branch_deleted", "pipeline_minutes_exhausted", "artifact_fetch_failed",
    "artifact_source_changed", "auto_deploy_enabled", "auto_deploy_disabled",
)  # fmt: skip
RUNTIME = (
    "server_available", "server_failed", "server_hardware_failure", "server_restarted", "service_suspended",
    "service_resumed", "zero_downtime_redeploy_started", "zero_downtime_redeploy_ended", "maintenance_started",
    "maintenance_ended", "maintenance_mode_enabled", "maintenance_mode_uri_updated",
)  # fmt: skip
SCALE_AND_PLAN = (
    "autoscaling_started", "autoscaling_ended", "autoscaling_config_changed", "instance_count_changed", "plan_changed",
)  # fmt: skip
DISK = ("disk_created", "disk_updated", "disk_deleted", "disk_snapshot_restored")
RUNS = ("cron_job_run_started", "cron_job_run_ended", "job_run_ended")
KEY_VALUE = ("key_value_available", "key_value_config_restart", "key_value_unhealthy")
POSTGRES = (
    "postgres_available", "postgres_unavailable", "postgres_created", "postgres_restarted",
    "postgres_backup_started", "postgres_backup_completed", "postgres_backup_failed",
    "postgres_cluster_leader_changed", "postgres_connection_pool_changed", "postgres_connection_pool_enabled_changed",
    "postgres_disk_autoscaling_enabled_changed", "postgres_disk_size_changed", "postgres_ha_status_changed",
    "postgres_pitr_checkpoint_started", "postgres_pitr_checkpoint_completed", "postgres_pitr_checkpoint_failed",
    "postgres_read_replicas_changed", "postgres_read_replica_stale", "postgres_restore_succeeded",
    "postgres_restore_failed", "postgres_upgrade_started", "postgres_upgrade_succeeded", "postgres_upgrade_failed",
    "postgres_wal_archive_failed",
)  # fmt: skip
EDGE_CACHE = ("edge_cache_enabled", "edge_cache_disabled", "edge_cache_purged")
# Seen in the list of a service only; webhooks do not know them.
LIST_ONLY = frozenset({
    "suspender_added", "suspender_removed", "initial_deploy_hook_started", "initial_deploy_hook_ended",
})  # fmt: skip
# Told to webhooks, and read by id, but not in the list of a service.
UNLISTED = frozenset(EDGE_CACHE)
WEBHOOK_TYPES = frozenset({
    *BUILD_AND_DEPLOY, *RUNTIME, *SCALE_AND_PLAN, *DISK, *RUNS, *KEY_VALUE, *POSTGRES, *EDGE_CACHE,
})  # fmt: skip

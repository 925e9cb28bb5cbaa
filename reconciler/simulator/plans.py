"""Lists the words of the API: plans, regions, runtimes, kinds, and which plan stands above which."""

SERVICE_TYPES = ("web_service", "private_service", "background_worker", "cron_job", "static_site")
SHORT_TYPES = {
    "web_service": "web", "private_service": "pserv", "background_worker": "worker",
    "cron_job": "cron", "static_site": "static",
}  # fmt: skip
REGIONS = ("oregon", "ohio", "virginia", "frankfurt", "singapore")
NATIVE_RUNTIMES = ("node", "python", "go", "ruby", "rust", "elixir")
RUNTIMES = (*NATIVE_RUNTIMES, "docker", "image")
SPEC_PLANS = (
    "0.5c-512mb", "1c-2g", "2c-4g", "2c-8g", "2c-16g", "4c-8g", "4c-16g", "4c-32g",
    "8c-16g", "8c-32g", "8c-64g", "12c-24g", "12c-48g", "12c-96g",
)  # fmt: skip
PAID_PLANS = ("starter", "standard", "pro", "pro_plus", "pro_max", "pro_ultra", *SPEC_PLANS)
WEB_PLANS = ("free", *PAID_PLANS, "starter_plus", "standard_plus", "custom")
PLANS_OF = {
    "web_service": WEB_PLANS,
    "private_service": PAID_PLANS,
    "background_worker": PAID_PLANS,
    "cron_job": tuple(plan for plan in PAID_PLANS if not plan.startswith("12c-")),
}
# What one-off jobs call the plans; the newer plans have no such id.
JOB_PLANS = {
    "plan-srv-006": "starter", "plan-srv-008": "standard", "plan-srv-010": "pro",
    "plan-srv-011": "pro_plus", "plan-srv-013": "pro_max", "plan-srv-014": "pro_ultra",
}  # fmt: skip
POSTGRES_SIZES = {
    "basic": ("256mb", "1gb", "4gb"),
    "pro": ("4gb", "8gb", "16gb", "32gb", "64gb", "128gb", "192gb", "256gb", "384gb", "512gb"),
    "accelerated": ("16gb", "32gb", "64gb", "128gb", "256gb", "384gb", "512gb", "768gb", "1024gb"),
}
POSTGRES_LEGACY = ("starter", "standard", "pro", "pro_plus")

# What plans are called since 28 August 2026, by CPU and memory: newer name -> older one. Both are the same plan.
COMPUTE_ALIASES = {
    "0.5c-512mb": "starter", "1c-2g": "standard", "2c-4g": "pro", "4c-8g": "pro_plus", "4c-16g": "pro_max",
    "8c-32g": "pro_ultra",
}  # fmt: skip


def _postgres_aliases() -> dict[str, str]:
    """Name the newer ids of Postgres plans: four gigabytes a CPU in the pro line, eight in the accelerated one."""
    found = {"0.1c-256mb": "basic_256mb", "0.5c-1g": "basic_1gb", "2c-4g": "basic_4gb"}
    for line, per_cpu in (("pro", 4), ("accelerated", 8)):
        for size in POSTGRES_SIZES[line]:
            memory = int(size.removesuffix("gb"))
            found[f"{memory // per_cpu}c-{memory}g"] = f"{line}_{size}"
    return found


POSTGRES_ALIASES = _postgres_aliases()
KEY_VALUE_ALIASES = {
    "256mb": "starter", "1g": "standard", "5g": "pro", "10g": "pro_plus", "20g": "pro_max", "40g": "pro_ultra",
}  # fmt: skip
POSTGRES_PLANS = (
    "free", *(f"{line}_{size}" for line, sizes in POSTGRES_SIZES.items() for size in sizes),
    *POSTGRES_LEGACY, "custom", *POSTGRES_ALIASES,
)  # fmt: skip
POSTGRES_VERSIONS = tuple(str(version) for version in range(11, 19))
POSTGRES_MAX_DISK_GB = 16_384
KEY_VALUE_PLANS = ("free", "starter", "standard", "pro", "pro_plus", "pro_max", "pro_ultra", "custom")
KEY_VALUE_SPEC_PLANS = ("256mb", "1g", "3g", "5g", "10g", "20g", "40g", "50g")
EVICTION = (
    "noeviction", "allkeys_lfu", "allkeys_lru", "allkeys_random",
    "volatile_lfu", "volatile_lru", "volatile_random", "volatile_ttl",
)  # fmt: skip
PERSISTENCE = ("journal_snapshot", "snapshot", "off")
_KEY_VALUE_RANK = {
    "free": 0, "starter": 1, "256mb": 1, "standard": 2, "1g": 2, "3g": 3, "pro": 4, "5g": 4,
    "pro_plus": 5, "10g": 5, "pro_max": 6, "20g": 6, "pro_ultra": 7, "40g": 7, "50g": 8, "custom": 9,
}  # fmt: skip


def key_value_rank(plan: str) -> int:
    """Tell how large a Key Value plan is; only going up is possible."""
    return _KEY_VALUE_RANK[plan]


def postgres_default_disk_gb(plan: str) -> int:
    """Tell the storage a Postgres gets when none is asked for (recorded: postgres/postgres_allowlist)."""
    plan = POSTGRES_ALIASES.get(plan, plan)
    if plan == "free":
        return 1
    if plan.startswith("accelerated_"):
        return 250
    return 100 if plan.startswith("pro_") and plan != "pro_plus" else 15


def can_be_highly_available(plan: str, version: str) -> bool:
    """Tell whether a Postgres may have a standby."""
    oldest = 13
    plan = POSTGRES_ALIASES.get(plan, plan)
    large = plan.startswith(("pro", "accelerated_")) or plan == "custom"
    return large and int(version) >= oldest


def postgres_memory_mb(plan: str) -> int | None:
    """Tell how much memory a Postgres plan has; None for legacy and custom plans."""
    size = POSTGRES_ALIASES.get(plan, plan).partition("_")[2]
    for unit, factor in (("mb", 1), ("gb", 1_024)):
        if size.endswith(unit):
            return int(size.removesuffix(unit)) * factor
    return None


def kept(old: str, new: str, aliases: dict[str, str]) -> str:
    """Choose between two spellings of a plan: another name of the same plan changes nothing."""
    return old if aliases.get(old, old) == aliases.get(new, new) else new


def spelt(plan: str, aliases: dict[str, str], spelling: str) -> str:
    """Spell a plan the way replies do: as it was sent, by its older or by its newer name."""
    if spelling == "old":
        return aliases.get(plan, plan)
    if spelling == "new":
        return next((new for new, old in aliases.items() if old == plan), plan)
    return plan

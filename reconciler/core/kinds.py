"""Names the kinds of Render objects that a stack is made of, and what is true of each kind; pure."""

from enum import StrEnum


class Kind(StrEnum):
    """One sort of Render object; the value is the word shown to people."""

    WEB = "web service"
    PRIVATE = "private service"
    WORKER = "worker"
    CRON = "cron job"
    STATIC = "static site"
    POSTGRES = "postgres"
    KEY_VALUE = "key value"
    ENV_GROUP = "env group"
    PROJECT = "project"
    ENVIRONMENT = "environment"


SERVICES = frozenset({Kind.WEB, Kind.PRIVATE, Kind.WORKER, Kind.CRON, Kind.STATIC})
DATASTORES = frozenset({Kind.POSTGRES, Kind.KEY_VALUE})
COMPUTE = frozenset({Kind.WEB, Kind.PRIVATE, Kind.WORKER})
"""Kinds that run instances all the time."""
GROUPING = frozenset({Kind.PROJECT, Kind.ENVIRONMENT})
SUSPENDABLE = SERVICES | DATASTORES
CREATE_BUDGETED = SERVICES | DATASTORES
"""Kinds whose creation costs one of the 20 creates an hour (Render API 2.2, bucket C)."""

PROJECT = "@project"
ENVIRONMENT = "@environment"
"""Component names of the two resources no template names; `@` cannot begin a template's name."""

API_TYPES = {
    Kind.WEB: "web_service",
    Kind.PRIVATE: "private_service",
    Kind.WORKER: "background_worker",
    Kind.CRON: "cron_job",
    Kind.STATIC: "static_site",
}
KIND_OF_API_TYPE = {api_type: kind for kind, api_type in API_TYPES.items()}

SUSPEND_ORDER = (Kind.CRON, Kind.WEB, Kind.STATIC, Kind.WORKER, Kind.PRIVATE, Kind.KEY_VALUE, Kind.POSTGRES)
"""Order of suspension; resume goes the other way."""


class Bucket(StrEnum):
    """A class of API calls that shares one rate limit (Render API 2.2)."""

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    SERVICE = "service"
    CRON = "cron"
    DOMAIN = "domain"
    JOB = "job"


BUCKET_WINDOWS_S = {
    Bucket.READ: 60,
    Bucket.WRITE: 60,
    Bucket.CREATE: 3600,
    Bucket.SERVICE: 60,
    Bucket.CRON: 60,
    Bucket.DOMAIN: 3600,
    Bucket.JOB: 3600,
}
BUCKET_LIMITS = {
    Bucket.READ: 400,
    Bucket.WRITE: 100,
    Bucket.CREATE: 20,
    Bucket.SERVICE: 10,
    Bucket.CRON: 10,
    Bucket.DOMAIN: 50,
    Bucket.JOB: 2000,
}
"""Limits to start from, before the first answer's headers have been seen."""

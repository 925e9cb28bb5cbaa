"""Stacks of `specs/` as a person builds them with curl: plain calls of Render's API with a key of their own."""

import base64
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler import manifest
from tests.engine.world import ACTOR, World

SPECS = Path(__file__).parents[2] / "specs"
REPO = "https://github.com/acme-inc/crm"
DOCS = "https://github.com/acme-inc/docs"
COMMIT = "4f2a9c1" + "0" * 33
FIELD_KEY = base64.b64encode(b"f" * 32).decode()
SECRET_KEY = "S3cr3tKeyOfTheCrm" * 3
DSN = "https://public-key@sentry.example.com/7"
FOLDER = "/tmp/custom_plugins"  # noqa: S108 a folder inside the customer's container
_keys = itertools.count(1)


@dataclass
class Hand:
    """A person with curl."""

    world: World
    key: str = field(default_factory=lambda: f"rnd_person_{next(_keys)}")
    owner: str = ""

    async def call(self, method: str, path: str, body: object = None) -> Any:
        reply = await self.world.simulator.http.request(
            method, f"{self.world.simulator.base}/v1{path}", json=body, headers={"authorization": f"Bearer {self.key}"}
        )
        assert reply.status_code < 300, (method, path, reply.status_code, reply.text)
        return reply.json() if reply.content else None

    async def begin(self) -> None:
        self.owner = (await self.call("GET", "/owners"))[0]["owner"]["id"]

    async def project(self, name: str, environment: str = "production") -> str:
        """Make a project; answers its environment's id."""
        body = {"name": name, "ownerId": self.owner, "environments": [{"name": environment}]}
        return str((await self.call("POST", "/projects", body))["environmentIds"][0])

    async def postgres(self, name: str, **body: object) -> Any:
        made = await self.call("POST", "/postgres", {"name": name, "ownerId": self.owner, "version": "17", **body})
        return made | {"info": await self.call("GET", f"/postgres/{made['id']}/connection-info")}

    async def key_value(self, name: str, **body: object) -> Any:
        made = await self.call("POST", "/key-value", {"name": name, "ownerId": self.owner, **body})
        return made | {"info": await self.call("GET", f"/key-value/{made['id']}/connection-info")}

    async def group(self, name: str, environment: str, env: Mapping[str, str]) -> str:
        body = {"name": name, "ownerId": self.owner, "environmentId": environment, "envVars": pairs(env)}
        return str((await self.call("POST", "/env-groups", body))["id"])

    async def link(self, group: str, service: str) -> None:
        await self.call("POST", f"/env-groups/{group}/services/{service}")

    async def service(self, kind: str, name: str, environment: str, details: object, **body: object) -> Any:
        asked = {"type": kind, "name": name, "ownerId": self.owner, "serviceDetails": details, **body}
        asked |= {"environmentId": environment} if environment else {}
        return (await self.call("POST", "/services", asked))["service"]

    async def set_env(self, service: str, env: Mapping[str, str]) -> None:
        await self.call("PUT", f"/services/{service}/env-vars", pairs(env))

    async def deploy(self, service: str, commit: str = "") -> None:
        await self.call("POST", f"/services/{service}/deploys", {"commitId": commit} if commit else {})


def pairs(env: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in env.items()]


def documents() -> list[manifest.Document]:
    """The Blueprints of specs/, templates inlined."""
    found = []
    for path in sorted((SPECS / "blueprints").glob("*.yaml")):
        for doc in manifest.load_documents(path.read_text(), file=str(path)):
            found.append(manifest.inline_template(doc, lambda asked: Path(asked).read_text()))
    return found


async def apply_blueprints(world: World) -> None:
    for doc in documents():
        await world.registry.put_blueprint(doc.name, manifest.blueprint_document(doc), ACTOR)


def columns_of(name: str) -> dict[str, Any]:
    """The columns of a tenant of specs/."""
    path = SPECS / "tenants" / f"{name}.yaml"
    (doc,) = manifest.load_documents(path.read_text(), file=str(path))
    return manifest.tenant_columns(doc)


PLUGINS = "rm -rf {0}/plugins && git init -q {0}/plugins && " \
    "git -C {0}/plugins fetch -q --depth 1 -- https://github.com/bolt-logistics/crm-plugins v1.2 && " \
    "git -C {0}/plugins checkout -q FETCH_HEAD"  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Crm:
    """What differs between the customers of the CRM."""

    name: str
    display: str
    region: str = "oregon"
    locale: str = "en"
    seats: str = "10"
    pro: bool = False
    plugins: bool = False
    project: str = ""
    suffix: str = ""

    def live(self, component: str) -> str:
        return f"{component}-{self.suffix or self.name}"


ACME = Crm(name="acme", display="Acme, Inc.", seats="25")
BOLT = Crm(
    name="bolt", display="Bolt Logistics GmbH", region="frankfurt", locale="de", seats="400", pro=True, plugins=True
)
DUNE = Crm(name="dune", display="Dune Studio")


def with_plugins(command: str) -> str:
    return f"sh -c '{PLUGINS.format(FOLDER)} && {command}'"


async def build_crm(world: World, one: Crm) -> dict[str, str]:
    """Build the CRM of one customer; answers the ids by component."""
    hand = Hand(world)
    await hand.begin()
    home = await hand.project(one.project or one.name)
    place = {"environmentId": home, "region": one.region, "ipAllowList": []}
    database = {"diskSizeGB": 20} if one.pro else {}
    db = await hand.postgres(
        one.live("db"), plan="basic_1gb" if one.pro else "basic_256mb", databaseName="crm", databaseUser="crm",
        **place, **database,
    )  # fmt: skip
    cache = await hand.key_value(
        one.live("cache"), plan="standard" if one.pro else "starter", maxmemoryPolicy="noeviction", **place
    )
    shared = await hand.group(
        one.live("crm-shared"), home,
        {"LOG_LEVEL": "info", "PYTHONUNBUFFERED": "1", "MAIL_FROM": f"{one.display} <hello@crm.example.com>"},
    )  # fmt: skip
    every = {
        "LOCALE": one.locale, "SEATS": one.seats, "TENANT_SLUG": one.name, "TENANT_NAME": one.display,
        **({"LOG_LEVEL": "debug"} if one.pro else {}),
    }  # fmt: skip
    smtp = f"smtp-password-of-{one.name}"
    urls = {
        "DATABASE_URL": db["info"]["internalConnectionString"],
        "REDIS_URL": cache["info"]["internalConnectionString"],
    }
    plan = "standard" if one.pro else "starter"
    take = {"CUSTOM_PLUGINS_PATH": FOLDER} if one.plugins else {}

    def docker(command: str, plan: str, **more: object) -> dict[str, object]:
        specific: dict[str, object] = {"dockerCommand": command, "dockerfilePath": "./Dockerfile"}
        return {"runtime": "docker", "plan": plan, "region": one.region, "envSpecificDetails": specific, **more}

    code = {"repo": REPO, "branch": "main", "rootDir": "backend", "autoDeployTrigger": "off"}
    serve = "gunicorn --bind 0.0.0.0:$PORT --workers ${WEB_CONCURRENCY:-2} crm.wsgi"
    work = "celery --app crm worker --loglevel info --concurrency 2"
    scaling = {
        "enabled": True, "min": 2 if one.pro else 1, "max": 6 if one.pro else 3,
        "criteria": {"cpu": {"enabled": True, "percentage": 70}, "memory": {"enabled": True, "percentage": 80}},
    }  # fmt: skip
    backend = await hand.service(
        "web_service", one.live("backend"), home,
        docker(
            with_plugins(serve) if one.plugins else serve, plan, preDeployCommand="python manage.py migrate --no-input",
            healthCheckPath="/health", maxShutdownDelaySeconds=60, autoscaling=scaling,
        ),
        **code,
    )  # fmt: skip
    frontend = await hand.service(
        "web_service", one.live("frontend"), home,
        {
            "runtime": "node", "plan": "starter", "region": one.region, "healthCheckPath": "/health",
            "envSpecificDetails": {
                "buildCommand": "npm ci && npm run build", "startCommand": "node .output/server/index.mjs"
            },
        },
        **{**code, "rootDir": "frontend"},
    )  # fmt: skip
    worker = await hand.service(
        "background_worker", one.live("worker"), home, docker(with_plugins(work) if one.plugins else work, plan), **code
    )
    beat = "celery --app crm beat --loglevel info"
    scheduler = await hand.service(
        "background_worker", one.live("scheduler"), home, docker(beat, plan), **code
    )  # fmt: skip
    url, host = backend["serviceDetails"]["url"], backend["serviceDetails"]["url"].removeprefix("https://")
    front = frontend["serviceDetails"]["url"]
    await hand.set_env(backend["id"], {
        **every, **urls, **take, "DEBUG": "off", "SECRET_KEY": SECRET_KEY, "SENTRY_DSN": DSN, "SMTP_PASSWORD": smtp,
        "FIELD_ENCRYPTION_KEY": FIELD_KEY, "PUBLIC_URL": front, "ALLOWED_HOSTS": host, "CSRF_TRUSTED_ORIGINS": front,
    })  # fmt: skip
    await hand.set_env(frontend["id"], {
        **every, "NODE_ENV": "production", "INTERNAL_API_HOSTPORT": f"{backend['slug']}:10000",
        "NUXT_PUBLIC_API_BASE": url, "NUXT_PUBLIC_BRAND": one.display,
    })  # fmt: skip
    feature = {"FEATURE_ROUTES": "1"} if one.plugins else {}
    await hand.set_env(worker["id"], {
        **every, **urls, **take, **feature, "SECRET_KEY": SECRET_KEY, "SMTP_PASSWORD": smtp,
        "FIELD_ENCRYPTION_KEY": FIELD_KEY,
    })  # fmt: skip
    await hand.set_env(scheduler["id"], {
        **every, "SECRET_KEY": SECRET_KEY, "DB_HOST": db["id"], "DB_PORT": "5432", "DB_NAME": db["databaseName"],
        "DB_USER": db["databaseUser"], "DB_PASSWORD": db["info"]["password"], "REDIS_HOST": cache["id"],
        "REDIS_PORT": "6379",
    })  # fmt: skip
    for service in (backend, worker, scheduler):
        await hand.link(shared, service["id"])
    await world.step(600)
    for service in (backend, frontend, worker, scheduler):
        await hand.deploy(service["id"], COMMIT)
    await world.step(900)
    return {
        "db": db["id"], "cache": cache["id"], "crm-shared": shared, "backend": backend["id"],
        "frontend": frontend["id"], "worker": worker["id"], "scheduler": scheduler["id"], "@environment": home,
    }  # fmt: skip


async def build_docs(world: World, name: str = "cora", display: str = "Cora Health") -> dict[str, str]:
    """Build the documentation product of cora; answers the ids by component."""
    hand = Hand(world)
    await hand.begin()
    home, region = await hand.project(name), "virginia"
    who = {"TENANT_SLUG": name, "TENANT_NAME": display}
    search = await hand.service(
        "private_service", f"search-{name}", home,
        {
            "runtime": "image", "plan": "starter", "region": region,
            "disk": {"name": "index", "mountPath": "/meili_data", "sizeGB": 10},
        },
        image={"ownerId": hand.owner, "imagePath": "docker.io/getmeili/meilisearch:v1.11"},
        envVars=pairs({**who, "MEILI_ENV": "production", "MEILI_MASTER_KEY": FIELD_KEY}),
    )  # fmt: skip
    at = search["serviceDetails"].get("url") or f"{search['slug']}:10000"
    pip = {"buildCommand": "pip install -r requirements.txt"}
    code = {"repo": DOCS, "branch": "main", "autoDeployTrigger": "commit"}
    api = await hand.service(
        "web_service", f"api-{name}", home,
        {
            "runtime": "python", "plan": "starter", "region": region, "healthCheckPath": "/health",
            "envSpecificDetails": {**pip, "startCommand": "uvicorn docs.api:app --host 0.0.0.0 --port $PORT"},
        },
        buildFilter={"paths": ["docs/**", "requirements.txt"], "ignoredPaths": []},
        secretFiles=[{"name": "search.ini", "content": f"[search]\nhost = {search['slug']}\n"}], **code,
    )  # fmt: skip
    cron = await hand.service(
        "cron_job", f"reindex-{name}", home,
        {
            "runtime": "python", "plan": "starter", "region": region, "schedule": "15 3 * * *",
            "envSpecificDetails": {**pip, "startCommand": "python -m docs.reindex"},
        },
        envVars=pairs({
            **who, "SEARCH_HOSTPORT": at, "SEARCH_KEY": FIELD_KEY, "API_URL": api["serviceDetails"]["url"],
        }), **code,
    )  # fmt: skip
    site = await hand.service(
        "static_site", f"site-{name}", home,
        {
            "buildCommand": "npm ci && npm run build", "publishPath": "./dist",
            "headers": [
                {"path": "/*", "name": "X-Frame-Options", "value": "DENY"},
                {"path": "/assets/*", "name": "Cache-Control", "value": "public, max-age=31536000, immutable"},
            ],
            "routes": [
                {"type": "redirect", "source": "/docs/*", "destination": "/*"},
                {"type": "rewrite", "source": "/*", "destination": "/index.html"},
            ],
        },
        rootDir="site",
        envVars=pairs({
            **who, "VITE_TITLE": f"Documentation of {display}", "VITE_API_URL": api["serviceDetails"]["url"],
            "VITE_THEME": "dark",
        }), **code,
    )  # fmt: skip
    await hand.set_env(api["id"], {
        **who, "SEARCH_HOSTPORT": at, "SEARCH_KEY": FIELD_KEY, "CORS_ORIGIN": site["serviceDetails"]["url"],
        "SNIPPETS": "true",
    })  # fmt: skip
    await hand.call("POST", f"/services/{site['id']}/custom-domains", {"name": "docs.cora-health.example"})
    await world.step(600)
    await hand.deploy(api["id"])
    await world.step(900)
    return {
        "search": search["id"], "api": api["id"], "reindex": cron["id"], "site": site["id"], "@environment": home
    }  # fmt: skip

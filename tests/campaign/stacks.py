"""The Blueprints of the campaign, and what a tenant of each must look like at Render, written down independently."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler import manifest
from reconciler.core.spec import BlueprintSpec

HEAD = "apiVersion: reconciler/v1\nkind: Blueprint\n"

WEB = """
metadata: {name: web}
spec:
  template:
    services:
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter, healthCheckPath: /up,
         envVars: [{key: MODE, value: live}, {key: TOKEN, generateValue: true}]}
  entrypoint: app
  ready: {path: /up, within: 15m}
  tiers: {small: {}, big: {patch: {app: {plan: standard, numInstances: 2}}}}
  onDelete: {keepFor: 7d, export: false}
"""

PAIR = """
metadata: {name: pair}
spec:
  template:
    envVarGroups:
      - {name: shared, envVars: [{key: LOG_LEVEL, value: info}]}
    services:
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter,
         domains: ["${tenant.name}.example.com"], envVars: [{fromGroup: shared}, {key: MODE, value: live}]}
      - {type: worker, name: jobs, runtime: python, buildCommand: make, startCommand: python -m jobs, plan: starter,
         envVars: [{fromGroup: shared}, {key: APP, value: "${host.app}"}, {key: MODE, value: live}]}
  source: {repo: "https://github.com/acme-inc/pair", branch: main}
  entrypoint: app
  ready: {path: /, within: 15m}
  tiers: {small: {}, big: {patch: {jobs: {plan: standard}}}}
  onDelete: {keepFor: 7d, export: false}
"""

DATA = """
metadata: {name: data}
spec:
  template:
    databases:
      - {name: db, plan: basic-256mb, postgresMajorVersion: "17", diskSizeGB: 10, ipAllowList: []}
    services:
      - {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter, healthCheckPath: /up,
         envVars: [{key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}, {key: MODE, value: live},
                   {key: REDIS_URL, fromService: {type: keyvalue, name: cache, property: connectionString}}]}
  entrypoint: app
  ready: {path: /up, within: 15m}
  tiers: {small: {}, big: {patch: {db: {plan: basic-1gb}, app: {plan: standard}}}}
  onDelete: {keepFor: 7d, export: true}
"""

SIDE = """
metadata: {name: side}
spec:
  template:
    services:
      - {type: pserv, name: search, runtime: image, image: {url: docker.io/acme/search:2}, plan: starter,
         disk: {name: files, mountPath: /data, sizeGB: 5}, envVars: [{key: MODE, value: live}]}
      - {type: cron, name: nightly, runtime: image, image: {url: docker.io/acme/cron:1}, schedule: "0 3 * * *",
         plan: starter}
      - {type: web, name: site, runtime: static, buildCommand: make, staticPublishPath: dist,
         headers: [{path: /*, name: X-Frame-Options, value: DENY}],
         routes: [{type: rewrite, source: /a, destination: /b}]}
  source: {repo: "https://github.com/acme-inc/side", branch: main}
  entrypoint: site
  ready: {path: /, within: 15m}
  tiers: {small: {}, big: {patch: {search: {plan: standard}, nightly: {schedule: "0 4 * * *"}}}}
  onDelete: {keepFor: 7d, export: false}
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What must stand at Render for one component: which table of the truth, and fields by tier."""

    table: str
    small: Mapping[str, object] = field(default_factory=dict)
    big: Mapping[str, object] = field(default_factory=dict)


SHAPES: Mapping[str, Mapping[str, Shape]] = {
    "web": {"app": Shape("services", {"plan": "starter"}, {"plan": "standard", "instances": 2})},
    "pair": {
        "shared": Shape("groups"),
        "app": Shape("services", {"plan": "starter"}, {"plan": "starter"}),
        "jobs": Shape("services", {"plan": "starter"}, {"plan": "standard"}),
    },
    "data": {
        "db": Shape("postgres", {"plan": "basic_256mb"}, {"plan": "basic_1gb"}),
        "cache": Shape("key_values", {"plan": "starter"}, {"plan": "starter"}),
        "app": Shape("services", {"plan": "starter"}, {"plan": "standard"}),
    },
    "side": {
        "search": Shape("services", {"plan": "starter"}, {"plan": "standard"}),
        "nightly": Shape("services", {"schedule": "0 3 * * *"}, {"schedule": "0 4 * * *"}),
        "site": Shape("services"),
    },
    "everything": {},
}
CARRY_MODE = {"web": ("app",), "pair": ("app", "jobs"), "data": ("app",), "side": ("search",), "everything": ()}
"""Components with the variable MODE, which tenants change."""


def _read(text: str) -> BlueprintSpec:
    (document,) = manifest.load_documents(HEAD + text.lstrip(), file="campaign.yaml")
    return manifest.reader.blueprint(document.name, manifest.blueprint_document(document))


BLUEPRINTS: Mapping[str, BlueprintSpec] = {
    spec.name: spec for spec in (_read(text) for text in (WEB, PAIR, DATA, SIDE))
}
EDITED: Mapping[str, BlueprintSpec] = {
    spec.name: spec
    for spec in (
        _read(text.replace("value: live", "value: edited").replace("value: info", "value: debug"))
        for text in (WEB, PAIR, DATA, SIDE)
    )
}
"""The same Blueprints with other values of MODE and of a group's variable: what a rollout brings."""

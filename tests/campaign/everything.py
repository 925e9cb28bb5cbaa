"""One tenant's life that takes every verb there is: built, edited all over, switched off and on, exported, purged."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from reconciler import manifest
from reconciler.core.spec import BlueprintSpec
from tests.campaign.memory import Database
from tests.campaign.oracles import Wish
from tests.campaign.run import Run
from tests.campaign.scenario import Deed

NAME = "acme"
FIRST = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: everything}
spec:
  template:
    envVarGroups:
      - {name: shared, envVars: [{key: A, value: "1"}, {key: B, value: "1"}]}
    databases:
      - {name: db, plan: basic-256mb, postgresMajorVersion: "17", diskSizeGB: 10, ipAllowList: []}
    services:
      - {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
      - type: web
        name: app
        runtime: image
        image: {url: docker.io/acme/app:1}
        plan: starter
        numInstances: 1
        domains: [one.example.com]
        initialDeployHook: seed
        envVars: [{fromGroup: shared}, {key: MODE, value: live}, {key: SECRET, generateValue: true},
                  {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}]
      - {type: worker, name: jobs, runtime: image, image: {url: docker.io/acme/jobs:1}, plan: standard,
         scaling: {minInstances: 1, maxInstances: 3, targetCPUPercent: 70}}
      - {type: worker, name: mail, runtime: image, image: {url: docker.io/acme/mail:1}, plan: standard,
         envVars: [{key: MODE, value: live}]}
      - {type: pserv, name: search, runtime: image, image: {url: docker.io/acme/search:2}, plan: starter,
         disk: {name: files, mountPath: /data, sizeGB: 5}}
      - {type: pserv, name: old, runtime: image, image: {url: docker.io/acme/old:2}, plan: starter,
         disk: {name: files, mountPath: /data, sizeGB: 5}}
      - {type: pserv, name: young, runtime: image, image: {url: docker.io/acme/young:2}, plan: starter}
      - {type: web, name: site, runtime: static, buildCommand: make, staticPublishPath: dist,
         headers: [{path: /*, name: X-Frame-Options, value: DENY}],
         routes: [{type: rewrite, source: /a, destination: /b}]}
  source: {repo: "https://github.com/acme-inc/everything", branch: main}
  secretFiles: {app: {key.pem: one}}
  entrypoint: app
  ready: {path: /, within: 15m}
  onDelete: {keepFor: 7d, export: true}
"""
EDITS = (
    ('{key: B, value: "1"}', '{key: C, value: "1"}'),
    ("numInstances: 1", "numInstances: 2"),
    ("[one.example.com]", "[two.example.com]"),
    ("[{fromGroup: shared}, {key: MODE, value: live}", "[{key: MODE, value: edited}"),
    ("envVars: [{key: MODE, value: live}]", "envVars: [{fromGroup: shared}, {key: MODE, value: live}]"),
    (",\n         scaling: {minInstances: 1, maxInstances: 3, targetCPUPercent: 70}}", "}"),
    ("docker.io/acme/mail:1}, plan: standard,",
     "docker.io/acme/mail:1}, plan: standard, scaling: {minInstances: 2, maxInstances: 3, targetCPUPercent: 60},"),
    ("search:2}, plan: starter,\n         disk: {name: files, mountPath: /data, sizeGB: 5}",
     "search:2}, plan: standard,\n         disk: {name: files, mountPath: /data, sizeGB: 10}"),
    ("old:2}, plan: starter,\n         disk: {name: files, mountPath: /data, sizeGB: 5}}", "old:2}, plan: starter}"),
    ("young:2}, plan: starter}", "young:2}, plan: starter, disk: {name: new, mountPath: /new, sizeGB: 5}}"),
    ("value: DENY", "value: SAMEORIGIN"),
    ("source: /a", "source: /c"),
    ("{app: {key.pem: one}}", "{app: {key.pem: two}}"),
)  # fmt: skip


def _second() -> str:
    text = FIRST
    for before, after in EDITS:
        assert before in text, before
        text = text.replace(before, after)
    return text


def _spec(text: str) -> BlueprintSpec:
    (document,) = manifest.load_documents(text, file="everything.yaml")
    return manifest.reader.blueprint(document.name, manifest.blueprint_document(document))


BEFORE, AFTER = _spec(FIRST), _spec(_second())
GROUP_EDITED = _spec(_second().replace('{key: A, value: "1"}', '{key: A, value: "2"}'))


@dataclass
class Life:
    """What people do to one tenant, step by step."""

    run: Run

    @property
    def database(self) -> Database:
        return self.run.fleet.database

    def born(self) -> None:
        self.database.put_blueprint(BEFORE)
        self.run.oracles.wishes[NAME] = Wish("everything")
        self.database.put_tenant(name=NAME, blueprint="everything", details={"allowDataLoss": ["old"]})

    def edited(self) -> None:
        self.database.put_blueprint(AFTER)

    def moved(self) -> None:
        self.run.cloud.person("env-move", f"mail-{NAME}")

    def group_edited(self) -> None:
        self.database.put_blueprint(GROUP_EDITED)

    def group_runs(self) -> None:
        for service in self.run.cloud.world.services.named(f"mail-{NAME}"):
            value = (service.running or {}).get("env", {}).get("A")
            if value != "2":
                self.run.oracles.break_("P6", f"{NAME}/mail: A of its group runs as {value}, not 2")

    def off(self) -> None:
        self._state("suspended")

    def on(self) -> None:
        self._state("running")

    def _state(self, state: str) -> None:
        self.run.oracles.wishes[NAME].state = state
        self.database.put_tenant(name=NAME, state=state)

    def held(self) -> None:
        self.database.hold(NAME, self.database.world() + timedelta(seconds=60))

    def gone(self) -> None:
        wish = self.run.oracles.wishes[NAME]
        wish.state, wish.purge = "deleted", True
        self.database.purge_now(NAME)


def script(run: Run) -> list[Deed]:
    """The life, each part with time to come to its end."""
    life = Life(run)
    steps: tuple[tuple[float, Callable[[], None]], ...] = (
        (0.0, life.born), (1_500.0, life.edited), (3_000.0, life.moved), (3_600.0, life.group_edited),
        (5_400.0, life.group_runs), (5_500.0, life.off), (6_400.0, life.held), (6_700.0, life.on), (8_000.0, life.gone),
    )  # fmt: skip
    return [Deed(at_s, do.__name__, do) for at_s, do in steps]

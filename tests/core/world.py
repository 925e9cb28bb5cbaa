"""A small Render in memory: applies the plans of one tenant, answers as Render does, and lets a person interfere.

It normalises what it is sent like Render API 3.5, 3.13.3 and 3.14 say: `[]` comes back as null, plans under other
names, images canonical, database names with a suffix. Datastores and deploys need one step of time. What the
instances really run with is kept in `running`, so that a test can compare it with what the spec asks for.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from reconciler.core import resolve
from reconciler.core.actions import Verb
from reconciler.core.compile import compile_stack
from reconciler.core.inventory import Known
from reconciler.core.kinds import DATASTORES, ENVIRONMENT, PROJECT, SERVICES, Kind
from reconciler.core.observed import Deploy, Domain, Observed, canonical_image
from reconciler.core.plan import View, make_plan
from reconciler.core.spec import SecretSort
from reconciler.core.values import SECRET_ATTRIBUTES, Live, SecretRef
from reconciler.engine.act import rows_after
from reconciler.ports import Reply
from tests.core.builders import BOOK, NOW, hasher, tenant

PLAN_NAMES = {"starter": "0.5c-512mb", "standard": "1c-2g", "pro": "2c-4g", "basic_256mb": "0.1c-256mb"}
"""The names that answers carry since 28 Aug 2026 (Render API 8.1)."""
PREFIXES = {Kind.POSTGRES: "dpg", Kind.KEY_VALUE: "red", Kind.ENV_GROUP: "evg", Kind.CRON: "crn"}
NOT_A_FIELD = {"environmentId", "projectId", "environment", "headers", "routes"}


@dataclass
class World:
    """One tenant, its objects at Render, and a clock that moves when told."""

    blueprint: object
    tenant: object = field(default_factory=tenant)
    secrets: dict = field(default_factory=dict)
    revision: int = 1
    now: object = NOW
    owned: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    running: dict = field(default_factory=dict)
    deploys: dict = field(default_factory=dict)
    done: list = field(default_factory=list)
    counter: int = 0
    said: dict = field(default_factory=dict)
    dead_writes: frozenset = frozenset()
    """Fields whose update Render accepts without doing anything."""

    # ------------------------------------------------------------ what the engine knows

    def live(self, component, attribute):
        row = self.owned.get(component)
        return row.observed.attributes.get(attribute) if row and row.observed else None

    def lookup(self, hole):
        if isinstance(hole, SecretRef):
            return self.secrets.get(hole)
        assert isinstance(hole, Live)
        if hole.attribute in SECRET_ATTRIBUTES:
            row = self.owned.get(hole.component)
            return f"{hole.attribute} of {row.id}" if row else None
        return self.live(hole.component, hole.attribute)

    def stack(self):
        stack = compile_stack(self.blueprint, self.revision, self.tenant, self.live)
        for ref in stack.generate:
            self.secrets.setdefault(ref, f"generated {ref.name}")
        return stack

    def view(self, **said):
        stack = self.stack()
        missing = {
            f"blueprint:{ref.name}" if ref.shared else ref.name: users
            for ref, users in stack.secrets.items()
            if ref not in self.secrets
        }
        usual = {
            "stack": stack,
            "state": self.tenant.state,
            "owned": self.owned,
            "resolved": resolve.resolve_stack(stack, self.lookup, hasher),
            "policy": self.blueprint.drift,
            "allow_data_loss": frozenset(self.tenant.allow_data_loss),
            "missing_secrets": missing,
            "now": self.now,
            "book": BOOK,
            "tenant": self.tenant.name,
        }
        return View(**{**usual, **self.said, **said})

    def plan(self, **said):
        return make_plan(self.view(**said))

    # ------------------------------------------------------------ what the engine does

    def round(self, **said):
        """Apply every ready action of one plan, keep what is settled, let a step of time pass."""
        plan = self.plan(**said)
        ready = [action for action in plan.actions if action.ready]
        for action in ready:
            self.apply(action)
        for key, known in self.plan(**said).settled.items():
            self.owned[key] = replace(self.owned[key], known=known)
        self.step()
        return ready

    def converge(self, rounds=30, **said):
        """Go on until nothing is ready any more; answer every action that was taken."""
        taken = []
        for _ in range(rounds):
            ready = self.round(**said)
            if not ready:
                return taken
            taken += ready
        raise AssertionError(f"still acting after {rounds} rounds: {[(a.verb, a.component) for a in ready]}")

    def step(self, **span):
        """Let time pass: what was under way is done."""
        self.now += timedelta(**span) if span else timedelta(minutes=1)
        for key, row in self.owned.items():
            seen, known = row.observed, row.known
            if row.kind in DATASTORES and seen.status in ("unknown", "creating"):
                seen = replace(seen, status="available")
            if known.deploy is not None and known.deploy.status == "queued":
                known = replace(known, deploy=replace(known.deploy, status="live", finished_at=self.now))
            self.owned[key] = replace(row, observed=seen, known=known)

    def apply(self, action):
        """Do one action as Render would, and keep the rows that its reply proves."""
        self.done.append(action)
        values = {name: text.reveal() for name, text in resolve.plaintext(action.values, self.lookup).items()}
        files = {name: text.reveal() for name, text in resolve.plaintext(action.files, self.lookup).items()}
        reply = self._effect(action, values, files)
        if action.verb is Verb.DELETE:
            del self.owned[action.component]
            return
        rows, _ = rows_after(action, self.owned, reply, self.now)
        self.owned |= {row.component: row for row in rows}
        if action.kind in SERVICES and action.verb in (Verb.CREATE, Verb.DEPLOY, Verb.RESUME):
            self._deployed(rows[0])

    def _effect(self, action, values, files):
        handlers = {
            Verb.CREATE: self._create,
            Verb.UPDATE: self._update,
            Verb.SUSPEND: self._suspend,
            Verb.RESUME: self._suspend,
            Verb.ADD_DISK: self._disk,
            Verb.CHANGE_DISK: self._disk,
            Verb.REMOVE_DISK: self._disk,
        }
        row = self.owned.get(action.component)
        if action.verb in (Verb.SET_ENV, Verb.SET_GROUP_VAR, Verb.REMOVE_GROUP_VAR):
            kept = {name: text for name, text in self.env[row.id].items() if name not in action.removes}
            self.env[row.id] = kept | values
        if action.verb is Verb.SET_FILES:
            kept = {name: text for name, text in self.files[row.id].items() if name not in action.removes}
            self.files[row.id] = kept | files
        if action.verb in handlers:
            return handlers[action.verb](action, row, values, files)
        return Reply(observed=row.observed if row and action.verb is Verb.DEPLOY else None)

    def _create(self, action, row, values, files):
        del row
        if action.kind is Kind.PROJECT:
            inner = {name: value for name, value in action.payload.items() if name != "environment"}
            made = self._object(Kind.ENVIRONMENT, action.payload["environment"], ENVIRONMENT, inner, None)
            return Reply(observed=self._object(Kind.PROJECT, action.name, PROJECT, {}, None), created=(made,))
        environment = action.payload.get("environmentId")
        made = self._object(action.kind, action.name, action.component, action.payload, environment)
        self.env[made.id], self.files[made.id] = dict(values), dict(files)
        return Reply(observed=made, deploy=None)

    def _object(self, kind, name, component, payload, environment):
        self.counter += 1
        fields = {key: value for key, value in payload.items() if key not in NOT_A_FIELD}
        identity = f"{PREFIXES.get(kind, 'srv')}-{self.counter}"
        return Observed(
            id=identity,
            kind=kind,
            name=name,
            fields=answered(kind, fields, name) | ({"links": []} if kind is Kind.ENV_GROUP else {}),
            environment_id=environment,
            status="creating" if kind in DATASTORES else "",
            attributes=attributes(kind, identity, name, component),
            created_at=self.now,
            seen_at=self.now,
        )

    def _update(self, action, row, values, files):
        del values, files
        took = {key: value for key, value in action.payload.items() if key not in {*self.dead_writes, "name"}}
        fields = {**row.observed.fields, **answered(row.kind, took, row.name)}
        name = row.observed.name if "name" in self.dead_writes else action.payload.get("name", row.observed.name)
        return Reply(observed=replace(row.observed, fields=fields, name=name))

    def _suspend(self, action, row, values, files):
        del values, files
        asleep = action.verb is Verb.SUSPEND
        status = ("suspended" if asleep else "available") if row.kind in DATASTORES else ""
        return Reply(observed=replace(row.observed, suspenders=("user",) if asleep else (), status=status))

    def _disk(self, action, row, values, files):
        del values, files
        live = row.observed.fields.get("disk") or {"id": "dsk-1"}
        disk = None if action.verb is Verb.REMOVE_DISK else {**live, **action.payload}
        if disk:
            disk.pop("diskId", None)
        return Reply(observed=replace(row.observed, fields={**row.observed.fields, "disk": disk}))

    def _deployed(self, row):
        self.deploys[row.component] = self.deploys.get(row.component, 0) + 1
        self.running[row.component] = self.effective(row)

    def effective(self, row):
        """The environment that a deploy would now give to the instances: group variables below the service's own."""
        found = {}
        for group in self.owned.values():
            if group.kind is Kind.ENV_GROUP and row.id in (group.observed.fields.get("links") or []):
                found |= self.env[group.id]
        return found | self.env[row.id]

    # ------------------------------------------------------------ what a person does in the dashboard

    def human(self, component, **fields):
        """Change fields of a live object."""
        row = self.owned[component]
        self._see(row, fields={**row.observed.fields, **fields})

    def _see(self, row, **seen):
        self.owned[row.component] = replace(row, observed=replace(row.observed, **seen))

    def _know(self, row, **known):
        self.owned[row.component] = replace(row, known=replace(row.known, **known))

    def human_env(self, component, **said):
        """Set variables, or remove those that are None; a deep check has already seen it."""
        row = self.owned[component]
        env = {**self.env[row.id], **said}
        self.env[row.id] = {name: text for name, text in env.items() if text is not None}
        digests = {
            name: hasher(resolve.context(self.tenant.name, component, name), text)
            for name, text in self.env[row.id].items()
        }
        self._know(row, env=digests)

    def human_files(self, component, **said):
        """The same for secret files."""
        row = self.owned[component]
        self.files[row.id] = {**self.files[row.id], **said}
        digests = {
            name: hasher(resolve.context(self.tenant.name, component, name), text)
            for name, text in self.files[row.id].items()
        }
        self._know(row, files=digests)

    def human_suspends(self, component, by=("user",)):
        row = self.owned[component]
        status = "suspended" if row.kind in DATASTORES else ""
        self._see(row, suspenders=tuple(by), status=status)

    def human_renames(self, component, name):
        self._see(self.owned[component], name=name)

    def human_moves_out(self, component):
        self._see(self.owned[component], environment_id=None)

    def human_deletes(self, component, looks=2):
        self.owned[component] = replace(self.owned[component], absent_looks=looks)

    def human_domains(self, component, *names):
        self._know(self.owned[component], domains=tuple(Domain(name=name) for name in names))

    def human_rules(self, component, *, headers=None, routes=None):
        row = self.owned[component]
        changed = {"headers": headers, "routes": routes}
        self._know(row, **{word: tuple(rules) for word, rules in changed.items() if rules is not None})

    def forgets(self, component):
        """What is known beyond the lists is lost, as after an adoption; a deep check has read it anew."""
        row = self.owned[component]
        self._know(row, **{name: getattr(Known(), name) for name in ("applied", "heals", "failed_writes")})

    def becomes(self, **spec):
        """Edit the tenant."""
        self.tenant = replace(self.tenant, **spec)

    def revises(self, blueprint):
        """Edit the Blueprint."""
        self.blueprint, self.revision = blueprint, self.revision + 1

    def gives(self, **secrets):
        """Give secrets values."""
        sources = self.blueprint.secrets
        for name, text in secrets.items():
            shared = name in sources and sources[name].sort is SecretSort.SHARED
            self.secrets[SecretRef(name, shared=shared)] = text


def answered(kind, fields, name):
    """Render's spelling of fields it was sent (Render API 3.5, 3.8, 3.13.3, 3.14)."""
    said = {key: value for key, value in fields.items() if value != ""}
    if said.get("plan") in PLAN_NAMES and (kind in SERVICES or str(said["plan"]).startswith("basic")):
        said["plan"] = PLAN_NAMES[said["plan"]]
    if said.get("ipAllowList") == []:
        said["ipAllowList"] = None
    elif said.get("ipAllowList"):
        said["ipAllowList"] = list(reversed(said["ipAllowList"]))
    if said.get("imagePath"):
        said["imagePath"] = canonical_image(said["imagePath"])
    if said.get("databaseName"):
        said["databaseName"] = f"{said['databaseName']}_ehyv"
    if isinstance(said.get("readReplicas"), list):
        said["readReplicas"] = sorted(one["name"] if isinstance(one, dict) else one for one in said["readReplicas"])
    if isinstance(said.get("disk"), dict):
        said["disk"] = {"id": "dsk-1", **said["disk"]}
    if said.get("buildFilter"):
        said["buildFilter"] = {"paths": [], "ignoredPaths": [], **said["buildFilter"]}
    del name
    return said


def attributes(kind, identity, name, component):
    """What references may ask for (Render API 9.5)."""
    del component
    found = {"serviceId": identity, "serviceName": name, "serviceType": str(kind)}
    if kind in (Kind.WEB, Kind.STATIC):
        found |= {"url": f"https://{name}.onrender.com", "externalHostname": f"{name}.onrender.com"}
    if kind in (Kind.WEB, Kind.PRIVATE):
        found |= {"host": name, "port": "10000", "hostport": f"{name}:10000", "internalHostname": name}
    if kind in DATASTORES:
        found |= {"host": identity, "port": "5432", "hostport": f"{identity}:5432", "user": "u", "database": "d"}
    return found


def queued(now):
    """A deploy whose reply carried no id."""
    return Deploy(id="", status="queued", created_at=now)

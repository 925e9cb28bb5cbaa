"""Proposals: what a Blueprint can say of live objects is said so that it compiles to the same, the rest is noted."""

from dataclasses import replace

import pytest

from reconciler.core import blueprint as language
from reconciler.core.adoption.propose import can_be_part, keys_of, propose
from reconciler.core.adoption.variables import Part, Variables, is_secret
from reconciler.core.adoption.words import escaped
from reconciler.core.compile import compile_stack
from reconciler.core.compile.expressions import Scope
from reconciler.core.diff import applied_text, canonical
from reconciler.core.kinds import Kind
from reconciler.core.observed import Detail, Domain, Observed
from reconciler.core.spec import BlueprintSpec, SecretSource, Source, TenantSpec
from reconciler.core.values import SecretRef, Sensitive
from tests.core.builders import NOW, REPO

COMMON = {
    "repo": REPO, "branch": "main", "rootDir": "", "autoDeployTrigger": "commit", "buildFilter": None,
    "runtime": "node", "plan": "starter", "region": "oregon", "imagePath": "", "registryCredential": "",
    "buildCommand": "npm ci", "startCommand": "npm start", "dockerCommand": "", "dockerContext": "",
    "dockerfilePath": "",
}  # fmt: skip
COMPUTE = {
    **COMMON, "preDeployCommand": "", "numInstances": 1, "autoscaling": None, "disk": None,
    "maxShutdownDelaySeconds": 30, "previews": "off",
}  # fmt: skip
WEB = {
    **COMPUTE, "healthCheckPath": "/up", "maintenanceMode": {"enabled": False, "uri": ""},
    "renderSubdomainPolicy": "enabled", "ipAllowList": [{"cidrBlock": "0.0.0.0/0", "description": "everywhere"}],
}  # fmt: skip
POSTGRES = {
    "plan": "basic_256mb", "region": "oregon", "version": "17", "databaseName": "crm_x1", "databaseUser": "crm",
    "diskSizeGB": 15, "diskAutoscalingEnabled": False, "highAvailabilityEnabled": False, "readReplicas": [],
    "connectionPool": "none", "ipAllowList": [], "parameterOverrides": {},
}  # fmt: skip
KEY_VALUE = {
    "plan": "starter", "region": "oregon", "maxmemoryPolicy": "noeviction", "persistenceMode": "journal_snapshot",
    "ipAllowList": [],
}  # fmt: skip
STATIC = {
    "repo": REPO, "branch": "main", "rootDir": "site", "autoDeployTrigger": "off", "buildFilter": None,
    "buildCommand": "make", "publishPath": "dist", "previews": "off", "renderSubdomainPolicy": "disabled",
    "ipAllowList": [{"cidrBlock": "10.0.0.0/8", "description": ""}],
}  # fmt: skip
FIELDS = {
    Kind.WEB: WEB, Kind.PRIVATE: COMPUTE, Kind.WORKER: COMPUTE, Kind.CRON: {**COMMON, "schedule": "0 3 * * *"},
    Kind.STATIC: STATIC, Kind.POSTGRES: POSTGRES, Kind.KEY_VALUE: KEY_VALUE, Kind.ENV_GROUP: {"links": []},
}  # fmt: skip


def one(kind=Kind.WEB, name="", suspenders=(), attributes=None, id="", **fields):
    name = name or f"{kind.replace(' ', '-')}-acme"
    return Observed(
        id=id or f"id-{name}", kind=kind, name=name, fields={**FIELDS[kind], **fields}, seen_at=NOW,
        suspenders=suspenders, attributes=attributes or {},
    )  # fmt: skip


def part(observed=None, key="", detail=None, **env):
    observed = observed or one()
    said = detail or Detail(env={name: Sensitive(text) for name, text in env.items()})
    return Part(key=key or keys_of("acme", [observed])[observed.id], observed=observed, detail=said)


HOME = Observed(
    id="evm-1", kind=Kind.ENVIRONMENT, name="production", seen_at=NOW,
    fields={"networkIsolationEnabled": False, "protectedStatus": "unprotected"},
)  # fmt: skip


def stack_of(made, revision=1):
    """Compile a proposal as its documents would be."""
    said = made.blueprint
    spec = BlueprintSpec(
        name="b", template=said["template"], source=Source(**said.get("source", {})),
        entrypoint=said.get("entrypoint", ""), secrets=dict.fromkeys(said.get("secrets", {}), SecretSource()),
        files=said.get("secretFiles", {}), project=said.get("project", True),
        tenant_variables=said.get("tenantVariables", True),
    )  # fmt: skip
    wish = made.tenant
    tenant = TenantSpec(
        name="acme", blueprint="b", region=wish.get("region", ""), names=wish.get("names", {}),
        display_name=wish.get("displayName", ""),
        domains={key: tuple(names) for key, names in wish.get("domains", {}).items()},
    )  # fmt: skip
    return compile_stack(spec, revision, tenant)


def check_same(made, parts):
    """Everything the proposal says of fields is what is live; names too."""
    stack = stack_of(made)
    for each in parts:
        resource = stack.resources[each.key]
        assert resource.name == each.observed.name and resource.kind is each.observed.kind
        for name, value in resource.fields.items():
            live = each.fields.get(name)
            if isinstance(value, dict):
                live = {key: live[key] for key in value}
            assert applied_text(canonical(resource.kind, name, value)) == applied_text(
                canonical(resource.kind, name, live)
            ), (each.key, name)
    return stack


ODD = {
    "a docker service": one(
        runtime="docker", dockerCommand="sh -c 'echo ${X:-1} $${Y} ${tenant.name}'", dockerfilePath="./docker/F",
        dockerContext="./docker", buildCommand="", startCommand="", registryCredential="hub", rootDir="api",
    ),
    "an image with a credential": one(
        runtime="image", repo="", branch="", imagePath="docker.io/acme/x:1", registryCredential="hub", buildCommand="",
        startCommand="", autoDeployTrigger="",
    ),
    "autoscaling": one(autoscaling={"min": 1, "max": 4, "cpu": 70, "memory": None}, plan="pro_plus"),
    "several instances, a long shutdown, maintenance": one(
        numInstances=3, maxShutdownDelaySeconds=120, maintenanceMode={"enabled": True, "uri": "https://s.example.com"},
        preDeployCommand="migrate", buildFilter={"paths": ["a/**"], "ignoredPaths": []}, plan="2c-8g",
        renderSubdomainPolicy="disabled", ipAllowList=[{"cidrBlock": "10.0.0.0/8", "description": "vpn"}],
    ),
    "a disk": one(Kind.PRIVATE, disk={"id": "dsk-1", "name": "d", "mountPath": "/data", "sizeGB": 7}),
    "a worker": one(Kind.WORKER),
    "a cron job": one(Kind.CRON),
    "a big database": one(
        Kind.POSTGRES, plan="pro_8gb", diskAutoscalingEnabled=True, highAvailabilityEnabled=True, readReplicas=["r1"],
        connectionPool="pgbouncer", ipAllowList=[{"cidrBlock": "10.0.0.0/8", "description": ""}],
    ),
    "a database by size": one(Kind.POSTGRES, plan="3c-9g"),
    "a key value": one(Kind.KEY_VALUE, persistenceMode=""),
    "a site": one(Kind.STATIC),
}  # fmt: skip


@pytest.mark.parametrize("observed", ODD.values(), ids=list(ODD))
def test_what_is_said_of_an_object_compiles_to_what_it_is(observed):
    each = part(observed)
    made = propose("acme", "b", [each], HOME)
    stack = check_same(made, [each])
    assert made.notes == () and made.chosen == {each.key: observed.id, "@environment": "evm-1"}
    assert stack.resources[each.key].fields.get("plan", "") == (
        "" if observed.kind is Kind.STATIC else observed.fields["plan"]
    )


def test_all_kinds_together_have_one_source_one_region_and_their_own_names():
    parts = [part(one(kind)) for kind in FIELDS]
    made = propose("acme", "b", parts, HOME)
    check_same(made, parts)
    assert made.blueprint["source"] == {"repo": REPO, "branch": "main"} and made.tenant["region"] == "oregon"
    assert "names" not in made.tenant and made.blueprint["entrypoint"] == "static-site"
    assert made.blueprint["tenantVariables"] is False


def test_several_sources_regions_and_strange_names_are_said_where_they_are():
    parts = [
        part(one(name="Shop (old)!", repo=f"{REPO}-2", region="ohio")),
        part(one(Kind.WORKER, name="acme-jobs"), key="jobs"),
        part(one(Kind.POSTGRES, name="acme", region="frankfurt"), key="acme"),
    ]
    made = propose("acme", "b", parts, None)
    check_same(made, parts)
    assert "source" not in made.blueprint and "region" not in made.tenant and made.blueprint["project"] is False
    assert made.tenant["names"] == {"Shop -old": "Shop (old)!", "jobs": "acme-jobs", "acme": "acme"}


def test_keys_are_unique_over_all_kinds_and_lose_the_tenants_name():
    objects = [
        one(Kind.WEB, "acme-app"), one(Kind.POSTGRES, "app-acme"), one(Kind.ENV_GROUP, "app", id="g1"),
        one(Kind.ENV_GROUP, "app", id="g2"), one(Kind.WORKER, "app", id="w"), one(Kind.WEB, "--", id="odd"),
    ]  # fmt: skip
    keys = keys_of("acme", objects)
    assert len(set(keys.values())) == len(objects)
    assert keys["id-app-acme"] == "app-db" and keys["odd"] == "web-service"
    assert {keys["g1"], keys["g2"]} == {"app-group", "app-group-3"} or "app-group" in keys.values()


def test_an_environments_switches_and_a_suspended_stack_are_said():
    home = replace(HOME, fields={"networkIsolationEnabled": True, "protectedStatus": "protected"})
    made = propose("acme", "b", [part(one(suspenders=("user",)))], home)
    template = language.normalise(made.blueprint["template"])
    assert (template.network_isolation, template.protected) == (True, True)
    assert made.blueprint["source"] == {"repo": REPO, "branch": "main"} and made.tenant["state"] == "suspended"
    half = propose("acme", "b", [part(one(suspenders=("user",))), part(one(Kind.WORKER))], HOME)
    assert "state" not in half.tenant and half.notes == (
        "web-service-acme: it is suspended, the others run; resume it, or leave it out; a tenant is running or "
        "suspended as a whole",
    )


def test_what_cannot_be_said_is_left_out_and_noted():
    odd = [
        part(one(plan="mystery", region="mars", autoscaling={"min": 1, "max": 2, "cpu": None, "memory": None})),
        part(one(Kind.POSTGRES, plan="legacy"), detail=Detail(fields={"parameterOverrides": {"a": "1"}})),
        part(one(Kind.KEY_VALUE, plan="odd")),
        part(one(Kind.ENV_GROUP, links=["srv-9"])),
    ]
    made = propose("acme", "b", odd, HOME)
    stack = stack_of(made)
    assert all("plan" not in stack.resources[each.key].fields for each in odd)
    assert (
        "region" not in stack.resources["web-service"].fields
        and "autoscaling" not in stack.resources["web-service"].fields
    )
    said = "\n".join(made.notes)
    for words in ("its plan mystery", "its region mars", "without a target", "parameter overrides", "plan legacy",
                  "plan odd", "services outside the stack link it: srv-9"):  # fmt: skip
        assert words in said


def test_rules_files_domains_and_links_are_said_and_file_contents_are_secrets():
    site = part(one(Kind.STATIC, id="st"), detail=Detail(
        env={}, domains=(Domain(name="acme.com"), Domain(name="www.acme.com", redirect_for="acme.com")),
        headers=(("/*", "X", "${tenant.name}"),), routes=(("rewrite", "/*", "/index.html"),),
    ))  # fmt: skip
    app = part(one(id="app"), detail=Detail(env={}, files={"key.pem": Sensitive("PEM")}))
    group = part(one(Kind.ENV_GROUP, links=["app"]), LEVEL="info")
    made = propose("acme", "b", [site, app, group], HOME)
    stack = stack_of(made)
    assert stack.resources["static-site"].domains == ("acme.com",)
    assert stack.resources["static-site"].headers == (("/*", "X", "${tenant.name}"),)
    assert stack.resources["static-site"].routes == (("rewrite", "/*", "/index.html"),)
    assert stack.resources["web-service"].groups == ("env-group",)
    assert stack.resources["web-service"].files == {"key.pem": (SecretRef("web-service/key.pem"),)}
    assert made.blueprint["entrypoint"] == "static-site"


# ---------------------------------------------------------------- variables


def resolved(made, values):
    """The variables of a proposal's services with every hole filled."""
    stack = stack_of(made)
    return {
        key: {name: "".join(p if isinstance(p, str) else values(p) for p in value) for name, value in each.env.items()}
        for key, each in stack.resources.items()
    }


def test_addresses_of_the_stacks_own_objects_become_references_and_secrets_leave_as_names():
    db = replace(
        part(one(Kind.POSTGRES, attributes={"host": "dpg-1"}), key="db"),
        detail=Detail(
            connection={"connectionString": Sensitive("postgres://u:pw9x@dpg-1/d"), "password": Sensitive("pw9x")}
        ),
    )
    cache = part(one(Kind.KEY_VALUE, attributes={"host": "red-1", "hostport": "red-1:6379"}), key="cache")
    search = part(one(Kind.PRIVATE, attributes={"host": "search", "hostport": "search:7700"}), key="search")
    public = {"url": "https://api.onrender.com", "externalHostname": "api.onrender.com", "host": "api"}
    api = part(one(attributes=public), key="api")
    env = {
        "DATABASE_URL": "postgres://u:pw9x@dpg-1/d", "DB_PASSWORD": "pw9x", "DB": "dpg-1", "REDIS": "red-1:6379",
        "URL": "https://api.onrender.com", "HOST": "api.onrender.com", "SELF": "api", "HOOK": "https://api.onrender.com/hook?x=${Y}",
        "SEARCH": "http://search:7700/indexes", "CACHE": "redis://red-1:6379/1", "LIKE": "https://api.onrender.com.evil.io",
        "API_KEY": "k-1", "PASSWORD": "same-for-both", "EMPTY_SECRET": "", "DEBUG_TOKEN": "true",
    }  # fmt: skip
    other = {"API_KEY": "k-2", "PASSWORD": "same-for-both"}
    grouped = {"SMTP_PASSWORD": "smtp", "SHARED_URL": "https://api.onrender.com"}
    parts = [
        db, cache, search, api, part(one(Kind.WORKER), key="jobs", **env), part(one(Kind.CRON), key="cron", **other),
        part(one(Kind.ENV_GROUP), key="group", **grouped),
    ]  # fmt: skip
    made = propose("acme", "b", parts, HOME)
    written = repr((made.blueprint, made.tenant))
    assert not any(text in written for text in ("pw9x", "k-1", "k-2", "same-for-both", "smtp'"))
    services = {each["name"]: each for each in made.blueprint["template"]["services"]}
    forms = {one["key"]: {k: v for k, v in one.items() if k != "key"} for one in services["jobs"]["envVars"]}
    assert forms["DATABASE_URL"] == {"fromDatabase": {"name": "db", "property": "connectionString"}}
    assert forms["DB_PASSWORD"] == {"fromDatabase": {"name": "db", "property": "password"}}
    assert forms["REDIS"] == {"fromService": {"name": "cache", "type": "keyvalue", "property": "hostport"}}
    assert forms["URL"] == {"fromService": {"name": "api", "type": "web", "envVarKey": "RENDER_EXTERNAL_URL"}}
    assert forms["SELF"] == {"fromService": {"name": "api", "type": "web", "property": "host"}}
    assert forms["HOOK"] == {"value": "${url.api}/hook?x=${Y}"} and forms["SEARCH"] == {
        "value": "${url.search}/indexes"
    }
    assert forms["CACHE"] == {"value": "redis://${host.cache}:6379/1"}
    assert forms["LIKE"] == {"value": "https://api.onrender.com.evil.io"}
    assert forms["API_KEY"] == {"value": "${secrets.jobs/API_KEY}"} and forms["PASSWORD"] == {"sync": False}
    assert forms["EMPTY_SECRET"] == {"value": ""} and forms["DEBUG_TOKEN"] == {"value": "true"}
    assert made.blueprint["secrets"] == {"PASSWORD": {"perTenant": True}}
    (group,) = made.blueprint["template"]["envVarGroups"]
    assert group["envVars"] == [
        {"key": "SHARED_URL", "value": "${url.api}"}, {"key": "SMTP_PASSWORD", "value": "${secrets.SMTP_PASSWORD}"}
    ]  # fmt: skip
    stack_of(made)


def test_variables_that_tenants_get_by_themselves_are_left_to_that():
    who = {"TENANT_SLUG": "acme", "TENANT_NAME": "Acme, Inc."}
    made = propose("acme", "b", [part(**who), part(one(Kind.WORKER), **who)], HOME)
    assert made.tenant["displayName"] == "Acme, Inc." and "tenantVariables" not in made.blueprint
    assert all(each["envVars"] == [] for each in made.blueprint["template"]["services"])
    plain = {"TENANT_SLUG": "acme", "TENANT_NAME": "acme"}
    assert "displayName" not in propose("acme", "b", [part(**plain)], HOME).tenant
    mixed = propose("acme", "b", [part(**who), part(one(Kind.WORKER), **plain)], HOME)
    assert mixed.blueprint["tenantVariables"] is False and "displayName" not in mixed.tenant
    assert stack_of(mixed).resources["worker"].env["TENANT_NAME"] == ("acme",)


@pytest.mark.parametrize(
    "text",
    [
        "${tenant.name}",
        "$${tenant.name}",
        "$$${url.x}",
        "${X}",
        "$${X}",
        "$",
        "$$",
        "a${b",
        "${secrets.K}$",
        "${host.}",
    ],
)
def test_an_escaped_text_is_read_as_it_was(text):
    scope = Scope(tenant={}, params={}, kinds={}, secret=SecretRef)
    assert scope.value(escaped(text), "x") == (text,) and scope.problems == []


@pytest.mark.parametrize(
    ("key", "text", "secret"),
    [
        ("SECRET_KEY", "x1", True),
        ("apiKey", "x1y2", True),
        ("stripe.api-key", "z-9", True),
        ("PASSWORD", "hunter22-", True),
        ("SECRET_ENABLED", "true", False),
        ("PIN_PASS", "3600", True),
        ("PASSWORD", "letmein", True),
        ("PASSWORD", "", False),
        ("KEYBOARD", "qwertz-de", False),
        ("DSN", "https://k@sentry.io/1", True),
        ("BROKER", "amqp://user:pw@host/1", True),
        ("SITE", "https://acme.com/x", False),
        ("PEM", "-----BEGIN PRIVATE KEY-----\nx", True),
        ("GH", "ghp_abcdefghijklmnop", True),
        ("STRIPE", "sk_live_abc", True),
        ("RANDOM", "f3Kd92Lm0pQz81Xv7Yb6Nc5T", True),
        ("WORDS", "aaaaaaaaaaaaaaaaaaaaaaaa1", False),
        ("IMAGE", "registry.acme.com/team/app:2024", False),
        ("LETTERS", "abcdefghijklmnopqrstuvwxyz", False),
        ("DIGITS", "12345678901234567890123456", False),
        ("LOG_LEVEL", "info", False),
    ],
)
def test_what_looks_like_a_secret(key, text, secret):
    assert is_secret(key, text) is secret


def test_only_what_a_template_can_have_becomes_a_part():
    assert can_be_part(one(Kind.ENV_GROUP)) and can_be_part(one(Kind.CRON)) and can_be_part(one(Kind.POSTGRES))
    assert not can_be_part(HOME)
    assert Variables([part(one(Kind.ENV_GROUP), key="g", A="x")]).written("x") == "x"

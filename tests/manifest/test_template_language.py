"""The render.yaml language as real files write it, from YAML text to the stack of a tenant: one test a feature."""

import pytest

from reconciler import manifest
from reconciler.core import blueprint as language
from reconciler.core.compile import compile_stack
from reconciler.core.errors import Invalid
from reconciler.core.kinds import Kind
from reconciler.core.values import Live
from tests.core import builders
from tests.real_files import taken

VARIABLE = "services:\n  - type: web\n    name: app\n    runtime: node\n    envVars:\n      - key: A\n        value: "
WEB = "services:\n  - {type: web, name: app, runtime: node, "


def template(text, environment=""):
    return language.normalise(taken("render.yaml", text)["template"], environment=environment)


def fields(text, key="app"):
    return dict(template(text).components[key].fields)


def stack(text, environment=""):
    """What a tenant of a Blueprint with this template should have."""
    spec = manifest.reader.blueprint("real", taken("render.yaml", text))
    return compile_stack(spec, 1, builders.tenant(environment=environment, tier=""))


def env(text, key="app"):
    return stack(text).resources[key].env


def warned(text):
    return [str(one) for one in manifest.warnings(taken("render.yaml", text))]


def refused(text):
    with pytest.raises(Invalid) as caught:
        taken("render.yaml", text)
    return [str(problem) for problem in caught.value.problems]


# ---------------------------------------------------------------- older spellings


@pytest.mark.parametrize(
    ("older", "today"),
    [
        ("{type: web, name: app, env: python}", "{type: web, name: app, runtime: python}"),
        ("{type: web, name: app, env: docker, plan: Starter}",
         "{type: web, name: app, runtime: docker, plan: starter}"),
        ("{type: web, name: app, env: static}", "{type: web, name: app, runtime: static}"),
        ("{type: static, name: app}", "{type: web, name: app, runtime: static}"),
        ("{type: static_site, name: app}", "{type: web, name: app, runtime: static}"),
        ("{type: redis, name: app, ipAllowList: []}", "{type: keyvalue, name: app, ipAllowList: []}"),
        ("{type: private_service, name: app, env: go}", "{type: pserv, name: app, runtime: go}"),
        ("{type: background_worker, name: app, env: go}", "{type: worker, name: app, runtime: go}"),
        ("{type: cron_job, name: app, env: go, schedule: 0 3 * * *}",
         "{type: cron, name: app, runtime: go, schedule: 0 3 * * *}"),
        ("{type: web, name: app, env: go, autoDeploy: true}",
         "{type: web, name: app, runtime: go, autoDeployTrigger: commit}"),
        ("{type: web, name: app, env: go, autoDeploy: no}",
         "{type: web, name: app, runtime: go, autoDeployTrigger: 'off'}"),
        ("{type: web, name: app, env: go, domain: crm.example.com}",
         "{type: web, name: app, runtime: go, domains: [crm.example.com]}"),
        ("{type: web, name: app, env: go, plan: pro plus}", "{type: web, name: app, runtime: go, plan: pro_plus}"),
        ("{type: keyvalue, name: app, maxmemoryPolicy: allkeys-lru}",
         "{type: keyvalue, name: app, maxmemoryPolicy: allkeys_lru}"),
    ],
)  # fmt: skip
def test_an_older_spelling_means_what_today_s_means(older, today):
    before, now = (template(f"services:\n  - {text}\n").components["app"] for text in (older, today))
    assert before == now


@pytest.mark.parametrize("plan", ["starter", "standard", "pro", "pro plus", "free"])
def test_an_older_plan_of_a_database_is_taken(plan):
    text = f"databases:\n  - {{name: db, plan: {plan}, postgresMajorVersion: 15}}\n"
    assert fields(text, "db") == {"plan": plan.replace(" ", "_"), "version": "15"}


def test_the_image_of_a_service_is_its_runtime():
    text = "services:\n  - {type: web, name: app, image: {url: nginx, creds: {fromRegistryCreds: {name: hub}}}}\n"
    assert fields(text) == {
        "runtime": "image", "imagePath": "docker.io/library/nginx:latest", "registryCredential": "hub",
    }  # fmt: skip


# ---------------------------------------------------------------- `off` is false in YAML


@pytest.mark.parametrize("word", ["off", "Off", "OFF", "no", "false", "'off'", '"off"'])
def test_off_means_off_quoted_or_not(word):
    assert fields(f"{WEB}autoDeployTrigger: {word}}}\n")["autoDeployTrigger"] == "off"
    store = f"services:\n  - {{type: keyvalue, name: app, persistenceMode: {word}, ipAllowList: []}}\n"
    assert fields(store)["persistenceMode"] == "off"
    assert warned(f"previews: {{generation: {word}}}\n{WEB}previews: {{generation: {word}}}}}\n") == [
        "spec.template.previews: concerns previews only, which tenants do not have",
        "spec.template.services[0].previews: concerns previews only, which tenants do not have",
    ]


def test_on_is_no_word_for_a_trigger():
    assert refused(f"{WEB}autoDeployTrigger: on}}\n") == [
        'render.yaml:2 spec.template.services[0].autoDeployTrigger: must be a word, found "true"; '
        "use one of: commit, checksPass, off"
    ]


# ---------------------------------------------------------------- values of variables


@pytest.mark.parametrize(
    "written",
    ["8080", "1.10", "0755", "007", "1e3", "1_000", "100_000", "0x1F", "0o17", "+1", "-0", ".5", "1.", "3.20", "3.12.1",
     "12:30:45", "2026-01-01", ".inf", ".nan", "12345678901234567890", "yes", "no", "on", "off", "On", "OFF", "true",
     "True", "FALSE", "y", "n", "7d", "100%", "--flag=1", "${PORT}", "${{ secrets.X }}"],
)  # fmt: skip
def test_a_plain_value_stays_what_its_author_wrote(written):
    text = f"{VARIABLE}{written}\n"
    assert env(text)["A"] == (written,)
    group = f"envVarGroups:\n  - name: app\n    envVars:\n      - key: A\n        value: {written}\n"
    assert env(group)["A"] == (written,)
    inside = "projects:\n  - name: p\n    environments:\n      - name: prod\n"
    inside += "".join(f"        {line}\n" for line in text.splitlines())
    assert env(inside)["A"] == (written,)


@pytest.mark.parametrize(("written", "read"), [("", ""), ("~", ""), ("null", ""), ("''", ""), ("'0755'", "0755"),
                                               ("|\n          a\n          b", "a\nb\n")])  # fmt: skip
def test_an_empty_a_quoted_and_a_long_value(written, read):
    assert env(f"{VARIABLE}{written}\n")["A"] == (read,)


def test_a_value_shared_by_an_anchor_stays_as_written_too():
    text = (
        "services:\n  - type: web\n    name: app\n    runtime: node\n    envVars:\n"
        "      - &first {key: A, value: 1.10}\n      - {key: B, value: off}\n"
        "  - {type: worker, name: jobs, runtime: node, envVars: [*first, {<<: *first, key: C}]}\n"
    )
    assert {key: env(text, "jobs")[key] for key in "AC"} == {"A": ("1.10",), "C": ("1.10",)}


def test_keys_may_have_dots_and_dashes():
    text = f"{WEB}envVars: [{{key: cluster.name, value: es}}, {{key: xpack.ml-enabled, value: false}}]}}\n"
    assert (env(text)["cluster.name"], env(text)["xpack.ml-enabled"]) == (("es",), ("false",))


# ---------------------------------------------------------------- RENDER_* of another service


@pytest.mark.parametrize(
    ("sort", "key", "attribute"),
    [
        ("web", "RENDER_EXTERNAL_URL", "url"),
        ("web", "RENDER_EXTERNAL_HOSTNAME", "externalHostname"),
        ("web", "RENDER_INTERNAL_HOSTNAME", "host"),
        ("pserv", "RENDER_INTERNAL_HOSTNAME", "host"),
        *((sort, "RENDER_SERVICE_ID", "serviceId") for sort in ("web", "pserv", "worker")),
        ("worker", "RENDER_SERVICE_NAME", "serviceName"),
        ("web", "RENDER_SERVICE_TYPE", "serviceType"),
    ],
)
def test_a_platform_variable_is_read_off_the_live_service(sort, key, attribute):
    text = (
        f"services:\n  - {{type: {sort}, name: api, runtime: go}}\n"
        f"  - {{type: web, name: app, runtime: go, envVars: [{{key: A, "
        f"fromService: {{name: api, type: {sort}, envVarKey: {key}}}}}]}}\n"
    )
    assert env(text)["A"] == (Live("api", attribute),)


@pytest.mark.parametrize(
    ("sort", "key", "says"),
    [
        ("web", "RENDER_GIT_COMMIT", "fromService.envVarKey: exists at run time only and cannot be copied, found "
         '"RENDER_GIT_COMMIT"; use one of: RENDER_EXTERNAL_URL, '),
        ("pserv", "RENDER_EXTERNAL_URL", "envVars.A: a private service has no RENDER_EXTERNAL_URL"),
        ("worker", "RENDER_INTERNAL_HOSTNAME", "envVars.A: a worker has no RENDER_INTERNAL_HOSTNAME"),
    ],
)  # fmt: skip
def test_a_platform_variable_that_cannot_be_copied_is_refused_by_name(sort, key, says):
    text = (
        f"services:\n  - {{type: {sort}, name: api, runtime: go}}\n"
        f"  - {{type: web, name: app, runtime: go, envVars: [{{key: A, "
        f"fromService: {{name: api, type: {sort}, envVarKey: {key}}}}}]}}\n"
    )
    [message] = refused(text)
    assert message.startswith("render.yaml:3 spec.template.services[1].envVars")
    assert says in message


# ---------------------------------------------------------------- projects

PROJECTS = """\
projects:
  - name: shop
    environments:
      - name: production
        networking: {isolation: enabled}
        permissions: {protection: enabled}
        databases: [{name: db, plan: basic-1gb}]
        services:
          - {type: web, name: app, runtime: go, plan: standard,
             envVars: [{key: DB, fromDatabase: {name: db, property: connectionString}}]}
      - name: staging
        networking: {isolation: disabled}
        services: [{type: web, name: app, runtime: go}]
ungrouped:
  envVarGroups: [{name: common, envVars: [{key: A, value: 1}]}]
"""


def test_a_tenant_gets_the_environment_it_chose():
    production, staging = (stack(PROJECTS, name).resources for name in ("production", "staging"))
    assert production.keys() == {"@project", "@environment", "db", "app", "common"}
    assert staging.keys() == {"@project", "@environment", "app", "common"}
    assert production["@environment"].fields == {"networkIsolationEnabled": True, "protectedStatus": "protected"}
    assert staging["@environment"].fields == {"networkIsolationEnabled": False}
    assert production["app"].fields["plan"] == "standard"
    assert warned(PROJECTS) == ["spec.template.ungrouped: stands in the tenant's own project like everything else"]


def test_a_reference_reaches_into_its_own_environment_only():
    text = PROJECTS.replace(
        "services: [{type: web, name: app, runtime: go}]",
        "services: [{type: web, name: app, runtime: go, envVars: "
        "[{key: DB, fromDatabase: {name: db, property: host}}]}]",
    )
    [message] = refused(text)
    assert message == (
        "render.yaml:13 spec.template.projects[0].environments[1].services[0].envVars.DB: "
        'fromDatabase names nothing that this Blueprint defines, found "db"; define it here'
    )


# ---------------------------------------------------------------- what is refused, what is a warning


@pytest.mark.parametrize("word", ["services", "databases", "envVarGroups", "projects"])
def test_a_root_list_that_stands_twice_is_refused_with_both_lines(word):
    text = f"# mine\n{word}: []\nversion: 1\n{word}:\n  - name: x\n"
    assert refused(text) == [
        f"render.yaml:4 {word}: stands twice, on lines 2 and 4; keep one of the two, or merge them"
    ]


def test_any_key_that_stands_twice_is_refused_with_both_lines():
    text = "services:\n  - type: web\n    name: app\n    plan: free\n    runtime: node\n    plan: starter\n"
    assert refused(text) == [
        "render.yaml:6 services[0].plan: stands twice, on lines 4 and 6; keep one of the two, or merge them"
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("cache: {profile: no-cache}", "cache: is not supported: the profile of the edge cache; remove it"),
        ("internalRouting: {}", "internalRouting: is not supported: internal routing; remove it"),
        ("notifyOnFail: notify", "notifyOnFail: is not supported: notifications; remove it"),
        ("secretFiles: []", "secretFiles: is not supported: secret files; they belong into `secretFiles` of the "
         "Blueprint document; remove it"),
        ("schedule: 0 3 * * *", "schedule: cannot stand on a web service; remove it; it is for: cron job"),
        ("maxmemoryPolicy: noeviction",
         "maxmemoryPolicy: cannot stand on a web service; remove it; it is for: key value"),
        ("replicas: 2", "replicas: unknown field of a web service; use one of: "),
    ],
)  # fmt: skip
def test_what_changes_the_running_stack_and_is_not_supported_is_refused_by_name(words, message):
    [found] = refused(f"{WEB}{words}}}\n")
    assert found.startswith(f"render.yaml:2 spec.template.services[0].{message}")


@pytest.mark.parametrize("words", ["parameterOverrides: {work_mem: 1}", "datadogAPIKey: x", "datadogSite: us1"])
def test_what_a_database_has_elsewhere_is_refused_by_name_and_never_shown(words):
    [found] = refused(f"databases:\n  - {{name: db, {words}}}\n")
    assert f"databases[0].{words.partition(':')[0]}: is not supported: " in found
    assert "work_mem" not in found and "us1" not in found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"previews: {{generation: automatic, expireAfterDays: 3}}\n{WEB}}}\n", "previews"),
        (f"previewsEnabled: true\n{WEB}}}\n", "previewsEnabled"),
        (f"previewsExpireAfterDays: 3\n{WEB}}}\n", "previewsExpireAfterDays"),
        (f"{WEB}previews: {{generation: manual, numInstances: 1, plan: starter}}}}\n", "services[0].previews"),
        (f"{WEB}previewPlan: starter}}\n", "services[0].previewPlan"),
        (f"{WEB}pullRequestPreviewsEnabled: true}}\n", "services[0].pullRequestPreviewsEnabled"),
        (f"{WEB}envVars: [{{key: A, value: 1, previewValue: 2}}]}}\n", "services[0].envVars[0].previewValue"),
        ("databases:\n  - {name: app, previewPlan: basic-256mb}\n", "databases[0].previewPlan"),
        ("databases:\n  - {name: app, previewDiskSizeGB: 1}\n", "databases[0].previewDiskSizeGB"),
        ("services:\n  - {type: redis, name: app, previewPlan: starter}\n", "services[0].previewPlan"),
    ],
)
def test_what_only_concerns_previews_is_a_named_warning(text, path):
    assert warned(text) == [f"spec.template.{path}: concerns previews only, which tenants do not have"]
    assert "previews" not in fields(text)
    found = [one.path for one in stack(text).warnings]
    assert found == [path], "and every tenant's stack carries it"


def test_a_scale_beside_a_count_is_a_named_warning():
    text = f"{WEB}numInstances: 2, scaling: {{minInstances: 1, maxInstances: 3, targetCPUPercent: 70}}}}\n"
    assert warned(text) == ["spec.template.services[0].numInstances: has no effect beside scaling; keep one of the two"]
    assert stack(text).resources["app"].kind is Kind.WEB
    assert stack(text).resources["app"].defaults["numInstances"] == 1

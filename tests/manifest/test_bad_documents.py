"""Bad input, one row each: every message names file, line, field path, the value found and what to write instead."""

import pytest

from reconciler import manifest
from reconciler.core.errors import Invalid

TENANT = "apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {name: acme}\nspec:\n  blueprint: crm\n"
TEMPLATE = "  template:\n    services:\n    - {type: web, name: web, runtime: node, repo: https://github.com/a/b}\n"
BLUEPRINT = f"apiVersion: reconciler/v1\nkind: Blueprint\nmetadata: {{name: crm}}\nspec:\n{TEMPLATE}"


def messages(text):
    """Load and judge every document of a text, as `apply` does, and answer the problems as people see them."""
    try:
        documents = manifest.load_documents(text, file="a.yaml")
        for doc in documents:
            if doc.kind == "Tenant":
                manifest.tenant_columns(doc)
            else:
                manifest.blueprint_document(doc)
    except Invalid as wrong:
        return [str(problem) for problem in wrong.problems]
    return []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "kind: Tenant\nmetadata: {name: x}\n",
            "a.yaml:1 apiVersion: is not known, found nothing; write reconciler/v1",
        ),
        ("- a", "a.yaml:1 document: must be a mapping, found a list; begin with `apiVersion: reconciler/v1`"),
        (
            "services: []",
            "a.yaml:1 document: this is a render.yaml, not a document; name it as spec.templateFile of a Blueprint",
        ),
        (
            "apiVersion: reconciler/v1\nkind: Tennant\nmetadata: {name: x}",
            'a.yaml:2 kind: is not a kind of document, found "Tennant"; did you mean "Tenant"?',
        ),
        (
            "apiVersion: reconciler/v1\nkind: Secret\nmetadata: {name: x}",
            'a.yaml:2 kind: is not a kind of document, found "Secret"; '
            "secrets are no documents: reconciler secret set TENANT KEY",
        ),
        (
            "apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {}",
            "a.yaml:3 metadata.name: is required; give it a name",
        ),
        (
            f"{TENANT}---\n{TENANT}",
            "a.yaml:9 metadata.name: Tenant acme stands in this file twice, the first begins at line 1; keep one",
        ),
        (
            TENANT.replace("acme", "9acme"),
            'a.yaml:3 metadata.name: is not a name, found "9acme"; '
            "use 2 to 39 of a-z, 0-9 and -; begin with a letter, end with a letter or digit",
        ),
        (
            TENANT.replace("acme", "a" * 40),
            f'a.yaml:3 metadata.name: is not a name, found "{"a" * 40}"; '
            "use 2 to 39 of a-z, 0-9 and -; begin with a letter, end with a letter or digit",
        ),
        (
            TENANT.replace("  blueprint: crm\n", "  tier: x\n"),
            "a.yaml:4 spec.blueprint: is required",
        ),
        (f"{TENANT}  teir: pro\n", 'a.yaml:6 spec.teir: unknown field; did you mean "tier"?'),
        (f"{TENANT}  display_name: x\n", 'a.yaml:6 spec.display_name: unknown field; did you mean "displayName"?'),
        (
            f"{TENANT}  state: paused\n",
            'a.yaml:6 spec.state: is not a known word here, found "paused"; use one of: running, suspended, deleted',
        ),
        (f"{TENANT}  tier: [pro]\n", "a.yaml:6 spec.tier: must be text, found a list"),
        (f"{TENANT}  displayName: 12\n", 'a.yaml:6 spec.displayName: must be text, found "12"; put it in quotes'),
        (f'{TENANT}  priority: "5"\n', 'a.yaml:6 spec.priority: must be a whole number, found "5"'),
        (f"{TENANT}  priority: 101\n", 'a.yaml:6 spec.priority: must be at most 100, found "101"'),
        (
            f"{TENANT}  region: frankfort\n",
            'a.yaml:6 spec.region: is not a region, found "frankfort"; did you mean "frankfurt"?',
        ),
        (
            f'{TENANT}  displayName: "x\\u001b[31m"\n',
            'a.yaml:6 spec.displayName: must be one line of 1 to 200 printable characters, found "x\\x1b[31m"; '
            "remove line breaks and control codes",
        ),
        (
            f"{TENANT}  params: {{a: [1]}}\n",
            "a.yaml:6 spec.params.a: must be text, a number, true or false, found a list",
        ),
        (f"{TENANT}  env: {{web: {{A: [1]}}}}\n", "a.yaml:6 spec.env.web.A: must be text, found a list"),
        (
            f"{TENANT}  env: {{web: 5}}\n",
            'a.yaml:6 spec.env.web: must be a mapping, found "5"; write its keys below it, indented',
        ),
        (
            f"{TENANT}  domains:\n    web: [a.example.com]\n    api: [a.example.com]\n",
            "a.yaml:6 spec.domains: a.example.com is listed twice; a domain belongs to one component",
        ),
        (
            f"{TENANT}  domains: {{web: [https://x]}}\n",
            'a.yaml:6 spec.domains.web[0]: is not a domain name, found "https://x"; '
            "write it in small letters like crm.example.com, without https:// or a path",
        ),
        (
            f"{TENANT}  pin: {{revision: 1, until: soon, why: freeze}}\n",
            'a.yaml:6 spec.pin.until: must be a day, found "soon"; write it like 2026-12-15',
        ),
        (f"{TENANT}  pin: {{revision: 1, until: 2026-12-15}}\n", "a.yaml:6 spec.pin.why: is required"),
        (
            f"{TENANT}  allowDataLoss: db\n",
            'a.yaml:6 spec.allowDataLoss: must be a list, found "db"; '
            'write each entry on a line of its own, after "- "',
        ),
        (
            "apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {name: acme, labels: {a: 1}}\nspec: {blueprint: crm}\n",
            'a.yaml:3 metadata.labels.a: must be text, found "1"; put it in quotes',
        ),
        (
            "apiVersion: reconciler/v1\nkind: Blueprint\nmetadata: {name: crm}\nspec: {}\n",
            "a.yaml:4 spec: must have one of template and templateFile; name your render.yaml with templateFile",
        ),
        (
            "apiVersion: reconciler/v1\nkind: Blueprint\nmetadata: {name: crm}\nspec:\n  templateFile: x.yaml\n",
            "a.yaml:5 spec.templateFile: names a file that is not here; "
            "send its content as spec.template; `reconciler apply` does that",
        ),
        (
            f"{BLUEPRINT}  source: {{repo: https://github.com/a/b}}\n",
            "a.yaml:8 spec.source: must name one of commit and branch beside repo; keep or add one",
        ),
        (
            f"{BLUEPRINT}  source: {{commit: abcdef1}}\n",
            "a.yaml:8 spec.source: names neither repo nor image; add one of the two",
        ),
        (
            f"{BLUEPRINT}  source: {{image: nginx, branch: main}}\n",
            "a.yaml:8 spec.source: names both an image and a repository; keep one of the two",
        ),
        (
            f"{BLUEPRINT}  source: {{repo: https://github.com/a/b, commit: HEAD}}\n",
            'a.yaml:8 spec.source.commit: is not a commit id, found "HEAD"; write 7 to 40 of 0-9 and a-f',
        ),
        (
            f"{BLUEPRINT}  onDelete: {{keepFor: 7}}\n",
            'a.yaml:8 spec.onDelete.keepFor: must be text, found "7"; put it in quotes',
        ),
        (
            f"{BLUEPRINT}  ready: {{within: 15 min}}\n",
            'a.yaml:8 spec.ready.within: is not a duration, found "15 min"; '
            "write a number and s, m, h, d or w, such as 15m or 7d",
        ),
        (
            f"{BLUEPRINT}  ready: {{path: health}}\n",
            'a.yaml:8 spec.ready.path: is not the path of a URL, found "health"; write it like /health',
        ),
        (
            f"{BLUEPRINT}  rollout: {{step: 0}}\n",
            'a.yaml:8 spec.rollout.step: is not a step, found "0"; '
            "write a share from 1% to 100%, or a number of tenants from 1",
        ),
        (
            f"{BLUEPRINT}  rollout: {{step: 101%}}\n",
            'a.yaml:8 spec.rollout.step: is not a step, found "101%"; '
            "write a share from 1% to 100%, or a number of tenants from 1",
        ),
        (f"{BLUEPRINT}  rollout: {{stopAfter: 0}}\n", 'a.yaml:8 spec.rollout.stopAfter: must be at least 1, found "0"'),
        (
            f'{BLUEPRINT}  naming: "x-{{component}}"\n',
            "a.yaml:8 spec.naming: must hold {component} and {tenant}, and else only a-z, 0-9 and -, "
            'found "x-{component}"; write it like {component}-{tenant}',
        ),
        (
            f"{BLUEPRINT}  params: {{a: {{type: integr}}}}\n",
            'a.yaml:8 spec.params.a.type: is not a known word here, found "integr"; did you mean "integer"?',
        ),
        (
            f"{BLUEPRINT}  params: {{a: {{type: integer, default: true}}}}\n",
            "a.yaml:8 spec.params.a: default and enum must be of type integer; change the type or the value",
        ),
        (
            f"{BLUEPRINT}  params: {{a: {{enum: [x], default: y}}}}\n",
            "a.yaml:8 spec.params.a: the default is not among enum; add it to enum or choose another",
        ),
        (
            f"{BLUEPRINT}  params: {{a: {{required: true, default: y}}}}\n",
            "a.yaml:8 spec.params.a: a required parameter needs no default; remove required or default",
        ),
        (
            f"{BLUEPRINT}  secrets: {{A: {{generate: 4}}}}\n",
            'a.yaml:8 spec.secrets.A.generate: must be at least 8, found "4"',
        ),
        (
            f"{BLUEPRINT}  secrets: {{A: {{shared: false}}}}\n",
            'a.yaml:8 spec.secrets.A.shared: is not a known word here, found "false"; write true',
        ),
        (
            f"{BLUEPRINT}  secrets: {{A: {{shared: true, perTenant: true}}}}\n",
            "a.yaml:8 spec.secrets.A: must say exactly one of generate, shared and perTenant; "
            "write for example {generate: 50}",
        ),
        (
            f"{BLUEPRINT}  tiers: {{pro: {{patch: {{web: {{plan: gold}}}}}}}}\n",
            "a.yaml:8 spec.tiers.pro.patch.web.plan: is not a plan of a web service, "
            'found "gold"; use one of: free, starter, standard',
        ),
        (
            f"{BLUEPRINT}  tiers: {{pro: {{maxMonthlyUsd: -1}}}}\n",
            "a.yaml:8 spec.tiers.pro.maxMonthlyUsd: must be at least",
        ),
        (
            f"{BLUEPRINT}  tiers: {{pro: {{patch: {{wbe: {{}}}}}}}}\n",
            "a.yaml:8 spec.tiers.pro.patch.wbe: no such component",
        ),
        (f"{BLUEPRINT}  entrypoint: nowhere\n", "a.yaml:8 spec.entrypoint: names no web service or static site"),
        (f"{BLUEPRINT}  env: {{wbe: {{A: 1}}}}\n", "a.yaml:8 spec.env.wbe: no such component"),
        (f'{BLUEPRINT}  env: {{web: {{A: "${{params.x}}"}}}}\n', "a.yaml:8 spec.env.web.A: unknown name in ${params.}"),
        (
            BLUEPRINT.replace("runtime: node", "runtime: cobol"),
            'a.yaml:7 spec.template.services[0].runtime: is not a known word here, found "cobol"',
        ),
        (
            BLUEPRINT.replace("web, name: web, runtime: node", "cron, name: web, runtime: node"),
            "a.yaml:7 spec.template.services[0].schedule: is required",
        ),
        (
            BLUEPRINT.replace("name: web", "name: web, envVars: [{fromGroup: nowhere}]"),
            "a.yaml:7 spec.template.services[0].envVars.fromGroup.nowhere: fromGroup names no group that this Bl",
        ),
    ],
)
def test_each_mistake_gets_one_message_with_place_value_and_remedy(text, message):
    found = messages(text)
    assert len(found) == 1, found
    assert found[0].startswith(message), found


def test_the_documents_these_rows_are_made_of_are_good():
    assert messages(TENANT) == []
    assert messages(BLUEPRINT) == []


HOSTILE_URLS = [
    "http://github.com/a/b",
    "git://github.com/a/b",
    "file:///etc/passwd",
    "ext::sh -c id",
    "--upload-pack=id",
    "https://github.com/a/b;id",
    "https://github.com/a/$(id)",
    "https://github.com/a/`id`",
    "https://github.com/a/b\nid",
    "https://github.com/a/b c",
    "https://github.com/a/../../b",
    "https://user:pw@github.com/a/b",
    "https://token@github.com/a/b",
    "https://git@github.com/a/b",
    "ssh://root@github.com/a/b",
    "ssh://git:pw@github.com/a/b",
    "https://",
    "https://github.com",
    "https://-oProxyCommand=id/a",
    "https://github.com:0/a",
    "https://github.com:999999/a",
    "https://[::1/a",
    "git@github.com:a/b",
    "",
]


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_a_hostile_plugin_url_is_refused_without_its_credentials(url):
    spec = {"blueprint": "crm", "plugins": [{"repo": url}]}
    data = {"apiVersion": "reconciler/v1", "kind": "Tenant", "metadata": {"name": "acme"}, "spec": spec}
    with pytest.raises(Invalid) as caught:
        manifest.tenant_columns(manifest.document(data))
    (problem,) = caught.value.problems
    assert problem.path == "spec.plugins[0].repo"
    assert problem.remedy
    assert "pw" not in str(problem)
    assert "token" not in str(problem)


@pytest.mark.parametrize(
    "plugin",
    [
        {"repo": "https://github.com/acme/plugins"},
        {"repo": "https://git.example.com:8443/acme/plugins.git", "ref": "feature/x-1"},
        {"repo": "ssh://git@github.com/acme/plugins", "ref": "v1.2", "path": "src/plugins", "components": ["web"]},
    ],
)
def test_a_good_plugin_is_taken(plugin):
    spec = {"blueprint": "crm", "plugins": [plugin]}
    data = {"apiVersion": "reconciler/v1", "kind": "Tenant", "metadata": {"name": "acme"}, "spec": spec}
    assert manifest.tenant_columns(manifest.document(data))["details"] == {"plugins": [plugin]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ref", "-x"),
        ("ref", "a..b"),
        ("ref", "a b"),
        ("ref", "x.lock"),
        ("ref", "a//b"),
        ("path", "/etc"),
        ("path", "a/../b"),
        ("path", "-rf"),
        ("path", "a;b"),
    ],
)
def test_a_hostile_ref_or_path_is_refused(field, value):
    spec = {"blueprint": "crm", "plugins": [{"repo": "https://github.com/a/b", field: value}]}
    data = {"apiVersion": "reconciler/v1", "kind": "Tenant", "metadata": {"name": "acme"}, "spec": spec}
    with pytest.raises(Invalid) as caught:
        manifest.tenant_columns(manifest.document(data))
    assert [problem.path for problem in caught.value.problems] == [f"spec.plugins[0].{field}"]


def test_problems_of_a_document_come_in_the_order_of_its_lines():
    text = f"{TENANT}  priority: x\n  tier: 5\n  displayName: 7\n"
    with pytest.raises(Invalid) as caught:
        manifest.tenant_columns(manifest.load_documents(text, file="a.yaml")[0])
    assert [problem.line for problem in caught.value.problems] == [6, 7, 8]


@pytest.mark.parametrize(
    "data", [None, 5, "text", [], {"kind": "Tenant"}, {"a": "\x00"}, {"kind": ["Tenant"], "metadata": 5}]
)
def test_json_that_is_no_document_is_refused(data):
    with pytest.raises(Invalid):
        manifest.document(data)

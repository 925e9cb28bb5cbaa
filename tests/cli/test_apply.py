"""The verb `apply`: each document for itself, what it says about bad ones, and that good ones stand."""

import io
import json
import sys

import pytest

from tests.cli.conftest import BLUEPRINT, Cli, execute, tenant_yaml


def test_a_folder_is_applied_blueprints_first_and_again_without_a_change(db, specs, cli: Cli):
    first = cli("apply", "-f", str(specs), "-R")
    assert (first.code, first.err) == (0, "")
    assert first.lines == [
        "blueprint/crm created (r1)",
        "tenant/acme created (generation 1)",
        "tenant/bolt created (generation 1)",
    ]
    again = cli("apply", "-f", str(specs), "-R")
    assert again.lines == [
        "blueprint/crm unchanged (r1)",
        "tenant/acme unchanged (generation 1)",
        "tenant/bolt unchanged (generation 1)",
    ]


def test_the_stored_blueprint_is_self_contained(fleet, cli: Cli):
    document = json.loads(cli("get", "blueprint", "crm", "-o", "json").out)
    assert document["spec"]["template"]["services"][0]["name"] == "app"
    assert "templateFile" not in document["spec"]


def test_without_r_a_folder_means_only_its_own_files(db, specs, cli: Cli):
    assert cli("apply", "-f", str(specs)).lines == ["blueprint/crm created (r1)"]


def test_one_bad_document_stops_no_other_and_is_shown_until_it_is_put_right(fleet, specs, cli: Cli):
    fern = specs / "tenants" / "fern.yaml"
    fern.write_text(tenant_yaml("fern", tier="gold"))
    (specs / "tenants" / "gaia.yaml").write_text(tenant_yaml("gaia"))
    ran = cli("apply", "-f", str(specs), "-R")
    assert ran.code == 7
    assert "tenant/gaia created (generation 1)" in ran.lines
    assert (
        f"{fern}:7 spec.tier: " in ran.err
        and '"gold"' in ran.err
        and "pro, starter" in ran.err.replace("starter, pro", "pro, starter")
    )
    row = next(line for line in cli("get", "tenants").lines if line.startswith("fern"))
    assert "Invalid" in row and "spec.tier" in row
    fern.write_text(tenant_yaml("fern", tier="pro"))
    assert cli("apply", "-f", str(fern)).code == 0
    row = next(line for line in cli("get", "tenants").lines if line.startswith("fern"))
    assert "Pending" in row


def test_all_bad_is_failure_not_partial_success(fleet, specs, cli: Cli):
    bad = specs / "bad.yaml"
    bad.write_text(tenant_yaml("fern", tier="gold"))
    assert cli("apply", "-f", str(bad)).code == 1


BAD = {
    "yaml-syntax": ("kind: [Tenant", "x.yaml:2", 1),
    "unknown-kind": ("apiVersion: reconciler/v1\nkind: Tenent\nmetadata: {name: fern}\nspec: {}\n", "kind", 1),
    "unknown-field": (tenant_yaml("fern", "  colour: red\n"), "spec.colour", 1),
    "unknown-tier": (tenant_yaml("fern", tier="gold"), "spec.tier", 1),
    "unknown-parameter": (tenant_yaml("fern").replace("locale: de", "locale: de, size: 3"), "spec.params", 1),
    "parameter-of-wrong-type": (tenant_yaml("fern").replace("locale: de", "locale: de, seats: many"), "seats", 1),
    "parameter-outside-enum": (tenant_yaml("fern").replace("locale: de", "locale: xx"), "locale", 1),
    "missing-parameter": (tenant_yaml("fern").replace("locale: de", ""), "locale", 1),
    "unknown-blueprint": (tenant_yaml("fern").replace("blueprint: crm", "blueprint: crn"), "spec.blueprint", 1),
    "digit-first": (tenant_yaml("9lives"), "metadata.name", 1),
    "over-long": (tenant_yaml("a" * 60), "metadata.name", 1),
    "hostile-plugin": (
        tenant_yaml("fern", "  plugins: [{repo: 'https://x.org/a;rm -rf /', components: [app]}]\n"),
        "plugins[0].repo",
        1,
    ),
    "unknown-component": (tenant_yaml("fern", "  env: {nothere: {A: b}}\n"), "nothere", 1),
    "megabytes": (tenant_yaml("fern", "  env: {app: {A: '" + "x" * 3_000_000 + "'}}\n"), "larger than", 1),
    "alias-bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "aliases",
        1,
    ),
    "not-utf8": (b"\xff\xfe\x00", "UTF-8", 1),
    "a-render-yaml": ("services: []\n", "templateFile", 1),
    "no-document": ("just words\n", "mapping", 1),
    "twice": (tenant_yaml("fern") + "---\n" + tenant_yaml("fern"), "twice", 1),
    "missing-template": (BLUEPRINT.replace("render.yaml", "gone.yaml"), "spec.templateFile", 1),
    "dangling-reference": (
        BLUEPRINT.replace("crm", "broken").replace("templateFile: render.yaml", "templateFile: dangling.yaml"),
        "dangling.yaml",
        1,
    ),
    "terminal-codes": (tenant_yaml("fern", '  colour: "\\e[2J\\e]0;owned\\a"\n'), "spec.colour", 1),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message_and_changes_nothing(case, refusing, specs, cli: Cli):
    content, told, code = BAD[case]
    (specs / "dangling.yaml").write_text(
        "services:\n  - {type: web, name: app, runtime: image, image: {url: nginx},\n"
        "     envVars: [{key: A, fromDatabase: {name: nowhere, property: host}}]}\n"
    )
    bad = specs / "x.yaml"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = execute(refusing, "SELECT name, generation FROM reconciler.tenants ORDER BY name")
    ran = cli("apply", "-f", str(bad))
    assert ran.code == code
    assert told in ran.err, ran.err
    assert str(specs) in ran.err
    assert all(c.isprintable() or c == "\n" for c in ran.err)
    assert "Traceback" not in ran.err and len(ran.err) < 4000
    assert execute(refusing, "SELECT name, generation FROM reconciler.tenants ORDER BY name") == before
    assert cli("get", "tenants").code == 0


def test_files_that_are_not_there_are_said_before_anything_is_applied(db, cli: Cli, tmp_path):
    assert cli("apply", "-f", "nowhere.yaml").code == 4
    (tmp_path / "empty").mkdir()
    ran = cli("apply", "-f", str(tmp_path / "empty"))
    assert ran.code == 4 and "-R" in ran.err


def test_standard_input_is_a_file_too(fleet, cli: Cli, monkeypatch):
    both = tenant_yaml("hugo") + "---\n" + tenant_yaml("ida", tier="gold")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(both.encode())))
    ran = cli("apply", "-f", "-")
    assert ran.code == 7
    assert ran.lines == ["tenant/hugo created (generation 1)"]
    assert "standard input:" in ran.err and "tenant/ida" in ran.err


def test_a_blueprint_from_standard_input_finds_its_template_beside_it(db, specs, cli: Cli, monkeypatch):
    monkeypatch.chdir(specs)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BLUEPRINT.encode())))
    ran = cli("apply", "-f", "-")
    assert ran.code == 0, ran.err


def test_a_dry_run_tells_and_changes_nothing(db, specs, cli: Cli):
    ran = cli("apply", "-f", str(specs), "-R", "--dry-run")
    assert ran.code == 0, ran.err
    assert ran.lines == [
        "blueprint/crm would be created",
        "tenant/acme would be created",
        "tenant/bolt would be created",
    ]
    assert execute(db, "SELECT count(*) FROM reconciler.blueprints") == [(0,)]
    assert cli("apply", "-f", str(specs), "-R").code == 0
    (specs / "tenants" / "acme.yaml").write_text(tenant_yaml("acme", tier="pro"))
    (specs / "tenants" / "bolt.yaml").write_text(tenant_yaml("bolt", tier="gold"))
    ran = cli("apply", "-f", str(specs), "-R", "--dry-run")
    assert ran.code == 7
    assert ran.lines == ["blueprint/crm unchanged", "tenant/acme would be changed"]
    assert execute(db, "SELECT count(*) FROM reconciler.rejections") == [(0,)]


def test_set_changes_named_fields_only(fleet, cli: Cli):
    ran = cli("apply", "acme", "--set", "tier=pro", "--set", "params.seats=20", "--set", "labels.vip=gold")
    assert (ran.code, ran.out) == (0, "tenant/acme changed (generation 2)\n")
    document = json.loads(cli("get", "tenant", "acme", "-o", "json").out)
    assert document["spec"]["tier"] == "pro"
    assert document["spec"]["params"] == {"locale": "de", "seats": 20}
    assert document["metadata"]["labels"] == {"segment": "smb", "vip": "gold"}
    assert cli("apply", "acme", "--set", "tier=pro").out == "tenant/acme unchanged (generation 2)\n"
    assert cli("apply", "acme", "--set", "labels.vip=").out == "tenant/acme changed (generation 3)\n"


def test_set_can_be_rehearsed(fleet, cli: Cli):
    assert cli("apply", "acme", "--set", "tier=pro", "--dry-run").out == "tenant/acme would be changed\n"
    assert cli("apply", "acme", "--set", "tier=starter", "--dry-run").out == "tenant/acme unchanged\n"
    assert execute(fleet, "SELECT generation FROM reconciler.tenants WHERE name = 'acme'") == [(1,)]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nobody", "--set", "tier=pro"], 4, "--set blueprint=NAME"),
        (["acme", "--set", "tier=gold"], 1, "spec.tier"),
        (["acme", "--set", "colour=red"], 1, "spec.colour"),
        (["acme", "--set", "tier"], 1, "--set"),
        (["acme"], 2, "--set"),
        (["acme", "-f", "x.yaml"], 2, "say what to apply"),
        (["-f", "x.yaml", "--set", "tier=pro"], 2, "--set"),
        ([], 2, "-f FILE"),
        (["acme", "nobody", "--set", "tier=pro"], 7, "nobody"),
    ],
)
def test_wrong_words_say_what_to_write(words, code, told, refusing, cli: Cli):
    ran = cli("apply", *words)
    assert ran.code == code and told in ran.err


def test_a_new_tenant_can_be_made_of_settings_alone(fleet, cli: Cli):
    ran = cli("apply", "gaia", "--set", "blueprint=crm", "--set", "tier=starter", "--set", "params.locale=de")
    assert (ran.code, ran.out) == (0, "tenant/gaia created (generation 1)\n"), ran.err


def test_results_can_be_read_by_programs(fleet, specs, cli: Cli):
    (specs / "fern.yaml").write_text(tenant_yaml("fern", tier="gold"))
    ran = cli("apply", "-f", str(specs), "-o", "json")
    items = {item["name"]: item for item in json.loads(ran.out)["items"]}
    assert items["crm"]["outcome"] == "unchanged" and items["crm"]["revision"] == 1
    assert items["fern"]["outcome"] == "refused" and "spec.tier" in items["fern"]["problems"][0]
    assert cli("apply", "-f", str(specs), "-o", "name").lines == ["blueprint/crm"]


def test_what_cannot_change_is_refused_and_stays(fleet, specs, cli: Cli):
    (specs / "other.yaml").write_text(BLUEPRINT.replace("name: crm", "name: other"))
    assert cli("apply", "-f", str(specs / "other.yaml")).code == 0
    ran = cli("apply", "acme", "--set", "blueprint=other")
    assert ran.code == 1 and "cannot change" in ran.err
    assert execute(fleet, "SELECT blueprint, generation FROM reconciler.tenants WHERE name = 'acme'") == [("crm", 1)]


def test_the_audit_log_names_the_os_user(fleet, cli: Cli, monkeypatch):
    monkeypatch.setenv("LOGNAME", "mallory\x1b[2J")
    cli("apply", "acme", "--set", "tier=pro")
    ran = cli("audit", "acme")
    assert ran.code == 0 and "mallory\\x1b[2J" in ran.out and "tier: starter -> pro" in ran.out
    rows = json.loads(cli("audit", "acme", "-o", "json").out)["items"]
    assert rows[0]["actor"] == "mallory\x1b[2J" and rows[0]["via"] == "cli"

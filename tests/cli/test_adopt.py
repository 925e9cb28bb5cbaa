"""The verb `adopt`: what a person sees before they take a stack over, and what it takes to do so."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.cli.conftest import Cli, Ran, execute

SECRET = "the-token-nobody-may-see"
IMAGE = "docker.io/library/nginx:1.27"


class Render:
    """Render's API in a person's hands."""

    def __init__(self, base: str) -> None:
        self.http = httpx.Client(base_url=base, headers={"authorization": "Bearer person"})
        self.owner = self.http.get("/v1/owners").json()[0]["owner"]["id"]

    def post(self, path: str, **body: Any) -> Any:
        reply = self.http.post(f"/v1{path}", json={"ownerId": self.owner, **body})
        assert reply.status_code < 300, reply.text
        return reply.json()

    def truth(self) -> Any:
        return self.http.get("/_sim/truth").json()

    def service(self, sort: str, name: str, environment: str, **env: str) -> str:
        made = self.post(
            "/services", type=sort, name=name, environmentId=environment,
            image={"ownerId": self.owner, "imagePath": IMAGE},
            serviceDetails={"runtime": "image", "plan": "starter"},
            envVars=[{"key": key, "value": value} for key, value in env.items()],
        )  # fmt: skip
        return str(made["service"]["id"])


@pytest.fixture
def live(fleet: str, simulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The specs of conftest's Blueprint applied, and the stack of `gaia`, whom nobody applied, built by hand."""
    httpx.post(f"{simulator}/_sim/reset", json={})
    monkeypatch.setenv("RENDER_API_URL", f"{simulator}/v1")
    monkeypatch.setenv("RENDER_API_KEY", "k")
    render = Render(simulator)
    home = render.post("/projects", name="gaia", environments=[{"name": "production"}])["environmentIds"][0]
    who = {"TENANT_SLUG": "gaia", "TENANT_NAME": "gaia"}
    db = render.post("/postgres", name="db-gaia", plan="basic_256mb", version="18", environmentId=home)["id"]
    app = render.service("web_service", "app-gaia", home, **who, TOKEN=SECRET, DSN="https://key@sentry.example.com/1")
    jobs = render.service("background_worker", "jobs-gaia", home, **who)
    before = len(render.truth()["writes"])
    ids = {"db": db, "app": app, "jobs": jobs, "environment": home, "base": simulator, "writes": "0"}
    yield ids
    now = len(render.truth()["writes"])
    render.http.close()
    assert now == before + int(ids["writes"]), "adopting writes nothing to Render"


NEW = ("adopt", "gaia", "--blueprint", "crm", "--tier", "starter", "--set", "params.locale=de")


def inventory(database: str) -> set[object]:
    return {row[0] for row in execute(database, "SELECT id FROM reconciler.inventory")}


def quiet(ran: Ran) -> Ran:
    """No secret came out."""
    assert SECRET not in ran.out + ran.err and "key@sentry" not in ran.out + ran.err
    return ran


def test_it_only_shows_until_it_is_confirmed_and_then_owns_everything(fleet, live, cli: Cli):
    ran = quiet(cli(*NEW))
    assert ran.code == 0, ran.err
    assert ran.lines[0] == "gaia  crm  starter"
    assert all(live[word] in ran.out for word in ("db", "app", "jobs", "environment"))
    assert "read from Render, to be kept encrypted: DSN, TOKEN" in ran.out
    assert "Plan: nothing would be done at Render." in ran.lines
    assert "would own 5 objects, $" in ran.err and "Nothing was changed" in ran.err
    assert inventory(fleet) == set() and cli("get", "tenant", "gaia").code == 4
    assert cli(*NEW, "--yes", "--dry-run").code == 0 and inventory(fleet) == set()

    ran = quiet(cli(*NEW, "--yes"))
    assert ran.code == 0, ran.err
    assert "tenant/gaia owns 5 objects" in ran.err
    assert inventory(fleet) > {live["db"], live["app"], live["jobs"]}
    assert "TOKEN" in cli("secret", "list", "gaia").out
    said = json.loads(cli("plan", "gaia", "-o", "json").out)
    assert said["actions"] == [] and said["waits"] == []
    ran = cli("adopt", "gaia")
    assert ran.code == 0 and "owned already" in ran.out and "would own 0 objects" in ran.err
    ran = cli("adopt", "gaia", "--yes")
    assert ran.code == 4 and "nothing was found that could be taken over" in ran.err


def test_what_differs_is_refused_unless_changes_are_allowed(fleet, live, cli: Cli):
    httpx.put(
        f"{live['base']}/v1/services/{live['app']}/env-vars/TENANT_NAME",
        json={"value": "Gaia Ltd"}, headers={"authorization": "Bearer person"},
    )  # fmt: skip
    live["writes"] = "1"
    ran = quiet(cli(*NEW))
    assert ran.code == 0 and "variable TENANT_NAME other value -> as in the spec" in ran.out
    ran = cli(*NEW, "--yes")
    assert ran.code == 6 and "add --allow-changes" in ran.err and inventory(fleet) == set()
    ran = cli(*NEW, "--yes", "--allow-changes")
    assert ran.code == 0 and inventory(fleet) > {live["db"], live["app"], live["jobs"]}


def test_a_project_that_no_document_describes_is_proposed_as_documents_without_a_secret(
    fleet, live, cli: Cli, tmp_path
):
    ran = quiet(cli("adopt", "gaia", "--from-project", "gaia", "-o", "yaml"))
    assert ran.code == 0, ran.err
    blueprint, tenant = yaml.safe_load_all(ran.out)
    assert (blueprint["kind"], tenant["kind"]) == ("Blueprint", "Tenant")
    names = [one["name"] for one in blueprint["spec"]["template"]["services"]]
    assert names == ["app", "jobs"] and blueprint["spec"]["secrets"] == {
        "DSN": {"perTenant": True}, "TOKEN": {"perTenant": True}
    }  # fmt: skip
    assert "Plan: nothing would be done at Render." in ran.err

    folder = tmp_path / "proposed"
    ran = quiet(cli("adopt", "gaia", "--from-project", "gaia", "--out", str(folder)))
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in folder.iterdir()) == ["gaia.blueprint.yaml", "gaia.tenant.yaml"]
    assert SECRET not in "".join(path.read_text() for path in folder.iterdir())
    assert cli("adopt", "gaia", "--from-project", "gaia", "--out", str(folder)).code == 5, "over nothing"
    assert cli("apply", "-f", str(folder)).code == 0
    ran = quiet(cli("adopt", "gaia", "--yes"))
    assert ran.code == 0, ran.err
    assert json.loads(cli("plan", "gaia", "-o", "json").out)["actions"] == []
    assert cli("adopt", "gaia", "--from-project", "gaia").code == 5, "there is such a tenant now"


def test_single_objects_are_proposed_and_adopted_at_once_and_leave_the_project_to_the_others(fleet, live, cli: Cli):
    ran = cli(
        "adopt", "gaia", "--resource", "app-gaia", "--resource", live["jobs"], "--blueprint", "pair", "-o", "json"
    )
    assert ran.code == 0, ran.err
    said = json.loads(quiet(ran).out)
    assert said["fits"] and said["documents"][0]["spec"]["project"] is False
    assert live["db"] in said["notes"][0] and "it stays nobody's" in said["notes"][0]
    ran = cli("adopt", "gaia", "--resource", "app-gaia", "--resource", "jobs-gaia", "--blueprint", "crm", "--yes")
    assert ran.code == 5 and 'a Blueprint "crm" already' in ran.err
    ran = cli("adopt", "gaia", "--resource", "app-gaia", "--resource", "jobs-gaia", "--blueprint", "pair", "--yes")
    assert ran.code == 0 and inventory(fleet) == {live["app"], live["jobs"]}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("adopt", "gaia"), 4, "--from-project to propose one"),
        (("adopt", "gaia", "--blueprint", "none"), 4, "none"),
        (("adopt", "acme", "--blueprint", "other"), 2, "acme stands on crm"),
        (("adopt", "gaia", "--from-project", "nowhere"), 4, 'there is no project "nowhere"'),
        (("adopt", "gaia", "--resource", "srv-none"), 4, "srv-none"),
        (("adopt", "gaia", "--from-project", "gaia", "--resource", "x"), 2, "exclude each other"),
        (("adopt", "gaia", "--from-project", "gaia", "--map", "a=b"), 2, "neither --tier, --set nor --map"),
        (("adopt", "gaia", "--blueprint", "crm", "--map", "a"), 2, "write COMPONENT=ID"),
        (("adopt", "gaia", "--blueprint", "crm", "--out", "x"), 2, "--out writes a proposal"),
        (("adopt", "gaia", "--blueprint", "crm", "--tier", "gold"), 1, "gold"),
    ],
)
def test_wrong_words_say_what_to_write(refusing, simulator, cli: Cli, monkeypatch, *, words, code, said):
    monkeypatch.setenv("RENDER_API_URL", f"{simulator}/v1")
    monkeypatch.setenv("RENDER_API_KEY", "k")
    ran = cli(*words)
    assert ran.code == code and said in ran.err, (ran.code, ran.err)


def test_over_http_it_says_that_it_needs_the_database(cli: Cli, monkeypatch):
    monkeypatch.setenv("RECONCILER_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("RECONCILER_KEY", "k")
    ran = cli("adopt", "gaia", "--blueprint", "crm")
    assert ran.code == 2 and "on the database itself, not over HTTP" in ran.err


# ---------------------------------------------------------------- recover, and what is left over


def test_a_fleet_is_shown_then_taken_under_the_brake_and_what_needs_a_person_is_code_7(fleet, live, cli: Cli):
    assert cli("apply", "gaia", *[word for one in ("blueprint=crm", "tier=starter", "params.locale=de")
                                  for word in ("--set", one)]).code == 0  # fmt: skip
    ran = quiet(cli("recover"))
    assert ran.code == 7, ran.err
    rows = {line.split()[0]: line for line in ran.lines}
    assert "missing: project, environment, db, app, jobs" in rows["acme"]
    assert rows["gaia"].split() == ["gaia", "running", "0", "5", "0", "2", "-"]
    assert "3 tenants: 5 objects would be owned again ($24.50 a month), 0 were, 10 are missing" in ran.err
    ran = cli("recover", "--yes")
    assert ran.code == 6 and "reconciler brake observe" in ran.err and inventory(fleet) == set()
    assert cli("suspend", "acme", "bolt").code == 0
    assert cli("brake", "observe", "--why", "recovering").code == 0
    ran = quiet(cli("recover", "--yes"))
    assert ran.code == 0, (ran.out, ran.err)
    assert "5 objects are owned again" in ran.err and "reconciler brake normal" in ran.err
    assert inventory(fleet) > {live["db"], live["app"], live["jobs"]}
    said = json.loads(quiet(cli("recover", "-o", "json")).out)
    assert said["totals"] == {
        "tenants": 3, "owned": 5, "found": 0, "missing": 0, "unsure": 0, "secrets": 0, "variablesRead": 0,
        "usdPerMonth": "0", "unknownPrices": 0,
    }  # fmt: skip
    assert cli("recover", "-o", "name").lines == ["tenant/acme", "tenant/bolt", "tenant/gaia"]
    assert json.loads(cli("plan", "gaia", "-o", "json").out)["actions"] == []


def test_what_nobody_owns_is_listed_with_its_price_and_deleted_only_when_everything_says_so(fleet, live, cli: Cli):
    assert cli(*NEW, "--yes").code == 0
    render = Render(live["base"])
    stray = render.service("background_worker", "try-out", live["environment"])
    data = render.post("/key-value", name="scratch", plan="starter", environmentId=live["environment"])["id"]
    render.http.close()
    live["writes"] = "2"
    ran = cli("adopt", "gaia")
    assert ran.code == 0 and f"also in its project, and nobody's: worker try-out {stray} ($7.00 a month)" in ran.out
    listed = {line.split()[0]: line for line in cli("get", "orphans").lines}
    assert set(listed) == {"ID", stray, data} and "7.00" in listed[stray] and "10.00" in listed[data]
    assert "lies in the project of gaia" in listed[stray]
    assert json.loads(cli("get", "orphans", "-o", "json").out)["items"][0]["usdPerMonth"] == "10"
    assert cli("get", "orphan", "-o", "name").lines == [f"orphan/{data}", f"orphan/{stray}"]
    for words, code, said in (
        (("orphans", "delete", live["app"], "--yes"), 4, "it is app of tenant gaia"),
        (("orphans", "delete", stray), 6, "not done without a confirmation"),
        (("orphans", "delete", stray, data, "--yes"), 6, "add --with-data"),
    ):
        ran = cli(*words)
        assert ran.code == code and said in ran.err, ran.err
    assert cli("brake", "observe", "--why", "x").code == 0
    ran = cli("orphans", "delete", stray, "--yes")
    assert ran.code == 6 and "the brake is on observe" in ran.err
    assert cli("brake", "normal").code == 0
    ran = cli("orphans", "delete", stray, data, "--with-data", "--yes")
    assert ran.code == 0, ran.err
    assert ran.lines[-2:] == [f"orphan/{stray} deleted", f"orphan/{data} deleted"]
    live["writes"] = "4"
    assert cli("get", "orphans").err.strip() == "no orphans"
    assert len([line for line in cli("audit").lines if "delete orphan" in line]) == 2


PAGE = (Path(__file__).parents[2] / "docs" / "adopt.md").read_text()
BLOCKS = [block.split("```", 1)[0] for block in PAGE.split("```console\n")[1:]]


def commands(block: str) -> list[list[str]]:
    """The commands of a block of the page, as a shell would split them."""
    return [shlex.split(line.removeprefix("$ reconciler ")) for line in block.splitlines() if line.startswith("$ ")]


def test_the_page_shows_what_a_person_sees(fleet, live, cli: Cli):
    ran = cli(*commands(BLOCKS[0])[0])
    assert ran.code == 0, ran.err
    shown = BLOCKS[0].splitlines()[1:]
    assert [without_ids(one) for one in (ran.out + ran.err).splitlines()] == [without_ids(one) for one in shown]


def without_ids(line: str) -> list[str]:
    """The words of a line, ids by their kind only: they are new in every world."""
    return re.sub(r"\b(srv|dpg|prj|evm)-[a-z0-9-]+", r"\1", line).split()


def test_the_page_about_stacks_without_documents_runs_as_written(fleet, live, cli: Cli):
    for words in commands(BLOCKS[2]):
        ran = quiet(cli(*words))
        assert ran.code == 0, (words, ran.err)
    assert inventory(fleet) > {live["db"], live["app"], live["jobs"]}
    assert cli(*commands(BLOCKS[1])[0][:1], "gaia").code == 0


def test_the_page_about_a_lost_database_runs_as_written(fleet, live, specs, cli: Cli):
    for words in commands(BLOCKS[3]):
        ran = quiet(cli(*words))
        assert ran.code == (7 if words[0] == "recover" else 0), (words, ran.err)  # acme and bolt have nothing at Render
    listed, deleted = commands(BLOCKS[4])
    assert cli(*listed).code == 0 and cli(*deleted).code == 4

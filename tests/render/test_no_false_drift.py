"""No false drift: what was asked for, compared with what Render reported, is empty; a changed field is a difference.

Every recorded create and update becomes what a template of ours would have said (tests/render/wanted.py). Its reply,
and every read of that object after it, is compared with that by the real plan (tests/render/comparing.py). All that
is not compared is listed here with the reason, and every recorded pair is either compared or listed.
"""

import functools
import re
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from reconciler.core.kinds import KIND_OF_API_TYPE, SERVICES, Kind
from reconciler.render import normalise, wire
from tests.render.comparing import Comparison, World, asked_otherwise, found_otherwise
from tests.render.readers import observe
from tests.render.recorded import ID, Pair, pairs
from tests.render.wanted import Wanted

OBJECTS = {
    "services": (None, wire.Service),
    "postgres": (Kind.POSTGRES, wire.Postgres),
    "key-value": (Kind.KEY_VALUE, wire.KeyValue),
    "redis": (Kind.KEY_VALUE, wire.KeyValue),
    "env-groups": (Kind.ENV_GROUP, wire.EnvGroup),
    "projects": (Kind.PROJECT, wire.Project),
    "environments": (Kind.ENVIRONMENT, wire.Environment),
}
AT_THE_END = "the end of an object"
EXCLUDED = {
    r"(GET|PUT|DELETE) /logs/streams/.*": "log streams are not ours",
    r"(GET|PUT|DELETE) /metrics-stream/.*": "metrics streams are not ours",
    r"(GET|PATCH) /notification-settings/.*": "notifications are not ours",
    r"(GET|POST|PATCH|DELETE) /webhooks.*": "webhooks belong to the workspace",
    r"(GET|POST|PATCH|DELETE) /dedicated-ips.*": "dedicated addresses are not ours",
    r"GET /(postgres|key-value|redis)/[^/]+/connection-info": "attributes for references, nothing that is asked for",
    r"POST /services/[^/]+/deploys": "a deploy is an event, nothing that is asked for and stays",
    r"(PUT|DELETE) /env-groups/[^/]+/secret-files/.*": "the language has no secret files of env groups",
    rf"DELETE /(services|postgres|key-value|redis|env-groups|projects|environments)/{ID}": AT_THE_END,
}
FIELDS_EXCLUDED = """
pullRequestPreviewsEnabled  derived by Render from previews, whatever was sent (Render API 3.5)
ownerId, image.ownerId      the workspace is a setting, no field of a resource
registryCredential          all zero in every recorded request
databaseName, databaseUser  changed on the live side: Render appends a suffix itself; changed on ours they are compared
names of environments       given once, at creation; a tenant's environment is known by its id
projects                    have no field of ours but their environments
"""


@dataclass
class Story:
    """One scenario as it goes on: its objects, and every comparison that came of it, with what led to it."""

    worlds: dict[str, World] = field(default_factory=dict)
    unknown_environments: dict[str, Wanted] = field(default_factory=dict)
    compared: list[tuple[str, Pair, Comparison]] = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)

    def compare(self, what: str, pair: Pair, id: str) -> None:
        """Note a comparison of an object as it stands now."""
        world = self.worlds[id]
        world.generated()
        self.compared.append((what, pair, world.comparison()))

    def hear(self, pair: Pair) -> None:
        """Take in one recorded pair."""
        line = f"{pair.method} {pair.path}"
        assert 200 <= pair.status < 300 or re.fullmatch(r"GET /logs/streams/resource/.*", line), line
        for pattern, reason in EXCLUDED.items():
            if re.fullmatch(pattern, line):
                self.left_out[reason] += 1
                if reason is AT_THE_END:
                    self.worlds.pop(pair.path.rsplit("/", 1)[-1], None)
                return
        for pattern, handler in HANDLERS.items():
            if match := re.fullmatch(pattern, line):
                handler(self, pair, *match.groups())
                return
        raise AssertionError(f"{pair} is neither compared nor excluded")


def created(story: Story, pair: Pair, collection: str) -> None:
    kind, model = OBJECTS[collection]
    wanted = Wanted(kind or KIND_OF_API_TYPE[pair.asked["type"]])
    wanted.hear(pair.asked)
    if collection == "services":
        observed = observe(wanted.kind, pair.result.parse(wire.Created).service)
    else:
        observed = observe(wanted.kind, pair.result.parse(model))
    world = story.worlds[observed.id] = World(wanted, observed)
    if wanted.kind is Kind.PROJECT:
        asked = pair.asked["environments"]
        for id, said in zip(pair.told["environmentIds"], asked, strict=True):
            environment = story.unknown_environments[id] = Wanted(Kind.ENVIRONMENT)
            environment.hear(said)
    if wanted.kind in SERVICES:
        compiled = wanted.compiled()
        world.env = {key: text for key, text in wanted.env.items() if text is not None}
        world.files = dict(wanted.files)
        world.headers, world.routes = compiled.headers or (), compiled.routes or ()
    if wanted.kind is Kind.ENV_GROUP:
        world.env = texts(pair.told["envVars"])
    story.compare("create", pair, observed.id)


def texts(items):
    return {item["key"]: item["value"] for item in items}


def updated(story: Story, pair: Pair, collection: str, id: str) -> None:
    if collection == "environments" and id not in story.worlds:
        story.worlds[id] = World(story.unknown_environments.pop(id))
    world = story.worlds[id]
    world.wanted.hear(pair.asked)
    look(story, pair, id, pair.result.parse(OBJECTS[collection][1]))
    story.compare("update", pair, id)


def look(story: Story, pair: Pair, id: str, parsed) -> None:
    world = story.worlds[id]
    world.observed = observe(world.wanted.kind, parsed)
    if world.wanted.kind is Kind.ENV_GROUP:
        world.env = {key: text.reveal() for key, text in normalise.group_detail(parsed).env.items()}


def read(story: Story, pair: Pair, collection: str, id: str) -> None:
    if collection == "environments" and id in story.unknown_environments:
        story.worlds[id] = World(story.unknown_environments.pop(id))
    look(story, pair, id, pair.result.parse(OBJECTS[collection][1]))
    story.compare("read", pair, id)


def listed(story: Story, pair: Pair) -> None:
    for item, _ in pair.result.items(wire.Service, "service"):
        look(story, pair, item.id, item)
        story.compare("read", pair, item.id)
    if not pair.told:
        story.left_out["the empty end of a list"] += 1


def variables(story: Story, pair: Pair, id: str) -> None:
    world = story.worlds[id]
    found = {item.key: item.value for item, _ in pair.result.items(wire.EnvVar, "envVar")}
    if pair.method == "PUT":
        world.wanted.hear_env(pair.asked)
    if listed_on(story, pair, found):
        world.env = found
        story.compare("update" if pair.method == "PUT" else "read", pair, id)


def files(story: Story, pair: Pair, id: str) -> None:
    world = story.worlds[id]
    found = {item.name: item.content for item, _ in pair.result.items(wire.SecretFile, "secretFile")}
    if pair.method == "PUT":
        world.wanted.hear_files(pair.asked)
    if listed_on(story, pair, found):
        world.files = found
        story.compare("update" if pair.method == "PUT" else "read", pair, id)


def listed_on(story: Story, pair: Pair, found) -> bool:
    """Say whether a page is the first of its list; no recorded list has a second with anything on it."""
    assert len(found) < 20
    if any(pair.query.get("cursor", [])):
        assert not found
        story.left_out["the empty end of a list"] += 1
        return False
    return True


def group_variable(story: Story, pair: Pair, id: str, key: str) -> None:
    world = story.worlds[id]
    if pair.method == "DELETE":
        del world.wanted.env[key], world.env[key]
    else:
        world.wanted.env[key] = pair.asked["value"]
        look(story, pair, id, pair.result.parse(wire.EnvGroup))
    story.compare("update", pair, id)


def scaled(story: Story, pair: Pair, id: str) -> None:
    story.worlds[id].wanted.words["numInstances"] = pair.asked["numInstances"]
    story.worlds[id].seen(**pair.asked)
    story.compare("update", pair, id)


def autoscaled(story: Story, pair: Pair, id: str) -> None:
    world = story.worlds[id]
    world.wanted.hear_autoscaling(pair.asked)
    told = normalise.autoscaling(pair.result.parse(wire.Autoscaling)) if pair.method == "PUT" else None
    world.seen(autoscaling=told)
    story.compare("update", pair, id)


def disk_added(story: Story, pair: Pair) -> None:
    asked = pair.asked
    world = story.worlds[id := asked.pop("serviceId")]
    world.wanted.words["disk"] = asked
    world.seen(disk=normalise.disk_field(pair.result.parse(wire.Disk)))
    story.compare("update", pair, id)


def disk_changed(story: Story, pair: Pair, disk_id: str) -> None:
    [id] = [
        id
        for id, world in story.worlds.items()
        if world.observed and ((world.observed.fields.get("disk") or {}).get("id") == disk_id)
    ]
    world = story.worlds[id]
    if pair.method == "DELETE":
        del world.wanted.words["disk"]
        world.seen(disk=None)
    else:
        world.wanted.words["disk"] = {**world.wanted.words["disk"], **pair.asked}
        world.seen(disk=normalise.disk_field(pair.result.parse(wire.Disk)))
    story.compare("update", pair, id)


def domains(story: Story, pair: Pair, id: str, name: str | None = None) -> None:
    world, words = story.worlds[id], story.worlds[id].wanted.words
    if pair.method == "GET":
        found = normalise.domains(item for item, _ in pair.result.items(wire.CustomDomain, "customDomain"))
        if listed_on(story, pair, found):
            world.domains = found
            story.compare("read", pair, id)
        return
    if pair.method == "POST":
        words["domains"] = [*words.get("domains", []), pair.asked["name"]]
        added = normalise.domains(item for item, _ in pair.result.items(wire.CustomDomain))
        world.domains = (*world.domains, *added)
    else:
        words["domains"] = [one for one in words["domains"] if one != name]
        world.domains = tuple(one for one in world.domains if one.name != name)
    story.compare("update", pair, id)


def rules(story: Story, pair: Pair, id: str, word: str) -> None:
    world = story.worlds[id]
    key = "" if pair.method == "PUT" else word.removesuffix("s")
    reader, model = (normalise.headers, wire.Header) if word == "headers" else (normalise.routes, wire.Route)
    found = reader(item for item, _ in pair.result.items(model, key))
    if pair.method == "PUT":
        world.wanted.words[word] = pair.asked
    if listed_on(story, pair, found):
        setattr(world, word, found)
        story.compare("update" if pair.method == "PUT" else "read", pair, id)


def moved(story: Story, pair: Pair, environment_id: str) -> None:
    ids = pair.asked["resourceIds"] if pair.method == "POST" else pair.query["resourceIds"]
    target = environment_id if pair.method == "POST" else ""
    for id in ids:
        if id not in story.worlds:
            assert pair.method == "DELETE"
            story.left_out[AT_THE_END] += 1
            continue
        world = story.worlds[id]
        world.wanted.environment_id = target
        world.observed = replace(world.observed, environment_id=target or None)
        story.compare("update", pair, id)
    if pair.method == "POST":
        members = observe(Kind.ENVIRONMENT, pair.result.parse(wire.Environment)).fields["members"]
        assert set(ids) <= set(members)


HANDLERS = {
    r"POST /(services|postgres|key-value|redis|env-groups|projects|environments)": created,
    rf"PATCH /(services|postgres|key-value|redis|env-groups|projects|environments)/({ID})": updated,
    rf"GET /(services|postgres|key-value|redis|env-groups|projects|environments)/({ID})": read,
    r"GET /services": listed,
    r"(?:GET|PUT) /services/([^/]+)/env-vars": variables,
    r"(?:GET|PUT) /services/([^/]+)/secret-files": files,
    r"(?:PUT|DELETE) /env-groups/([^/]+)/env-vars/([^/]+)": group_variable,
    r"POST /services/([^/]+)/scale": scaled,
    r"(?:PUT|DELETE) /services/([^/]+)/autoscaling": autoscaled,
    r"POST /disks": disk_added,
    r"(?:PATCH|DELETE) /disks/([^/]+)": disk_changed,
    r"(?:GET|POST|DELETE) /services/([^/]+)/custom-domains(?:/([^/]+))?": domains,
    r"(?:GET|PUT) /services/([^/]+)/(headers|routes)": rules,
    r"(?:POST|DELETE) /environments/([^/]+)/resources": moved,
}


@functools.cache
def told(folder) -> tuple[list[tuple[str, Pair, Comparison]], Counter, int]:
    """Go through all scenarios: every comparison, what was left out, and how many pairs there are."""
    stories: dict[str, Story] = {}
    for pair in pairs(folder):
        stories.setdefault(pair.scenario, Story()).hear(pair)
    compared = [one for story in stories.values() for one in story.compared]
    return compared, sum((story.left_out for story in stories.values()), Counter()), len(pairs(folder))


def distinct(folder) -> list[tuple[Pair, Comparison]]:
    """The comparisons that differ from each other, as they stand a pass later."""
    found = {}
    for _, pair, comparison in told(folder)[0]:
        found.setdefault(comparison.identity(), (pair, comparison.settled()))
    return list(found.values())


def test_what_was_asked_for_equals_what_render_reported(recordings):
    compared, _, _ = told(recordings)
    wrong = [
        f"{pair} ({comparison.resource.kind}): {sorted(found)}"
        for _, pair, comparison in compared
        if (found := comparison.differences())
    ]
    assert not wrong, "\n".join(wrong)


def test_it_still_does_a_pass_later(recordings):
    """What stands is remembered as applied by us; from then on a difference would be drift."""
    for _, pair, comparison in told(recordings)[0]:
        assert comparison.unmarked() - {"databaseName"} == set(), str(pair)
        assert comparison.settled().differences() == set(), str(pair)


def test_every_recorded_pair_is_compared_or_left_out_for_a_reason(recordings):
    compared, left_out, total = told(recordings)
    counts = Counter((what, comparison.resource.kind) for what, _, comparison in compared)
    of = Counter(what for what, _, _ in compared)
    print(f"\n  {of['create']} creates, {of['update']} updates, {of['read']} reads compared")
    for (what, kind), count in sorted(counts.items()):
        print(f"    {what:<8} {kind:<16} {count:>5}")
    print(f"  {left_out.total()} pairs left out")
    for reason, count in left_out.most_common():
        print(f"    {count:>5}  {reason}")
    assert len({id(pair) for _, pair, _ in compared}) + left_out.total() == total
    made = Counter((what, comparison.resource.kind) for what, _, comparison in compared if what == "create")
    assert {kind for _, kind in made} == set(Kind)
    assert (of["create"], of["update"], of["read"]) >= (39, 150, 1000)


@pytest.mark.parametrize("changes", [asked_otherwise, found_otherwise])
def test_a_changed_field_is_a_difference_of_that_field(recordings, changes):
    changed = Counter()
    wrong = []
    for pair, comparison in distinct(recordings):
        for name, other in changes(comparison):
            if (found := other.differences()) != {name}:
                wrong.append(f"{pair} ({comparison.resource.kind}), {name}: {sorted(found)}")
            changed[name.split(" ")[0]] += 1
    assert not wrong, "\n".join(wrong)
    print(f"\n  {changed.total()} changes, each found as a difference of that one thing alone:")
    print(f"  {dict(sorted(changed.items()))}")

"""Unknown fields and unknown words never break the reading of an answer, and nothing else of it is lost.

Every body, recorded of Render or of the simulator, is read as it is, with unknown fields in every object, and with
every word of a closed set replaced, one at a time, by one that nobody has heard of.
"""

import functools
import json
import operator
from collections import Counter
from dataclasses import fields, is_dataclass, replace

import pytest

from reconciler.core.kinds import Kind
from reconciler.core.values import Sensitive
from reconciler.render import normalise, wire
from tests.render.readers import SEEN, reader_of
from tests.render.recorded import Pair, pairs, simulated

NEW = "unheard_of"
ADDED = {
    "aNewFlag": True,
    "a_new_object": {"id": None, "type": NEW, "nested": {"deep": [1, None, {}]}},
    "aNewList": [{"name": 1}],
    "aNewNull": None,
}
MAPS = {"parameterOverrides", "envVarsByKey"}
"""Objects whose keys are data: a key more is a value more, no unknown field."""
SHOWN = {
    "plan": "plan",
    "region": "region",
    "runtime": "runtime",
    "status": "status",
    "trigger": "trigger",
    "autoDeployTrigger": "autoDeployTrigger",
    "maxmemoryPolicy": "maxmemoryPolicy",
    "persistenceMode": "persistenceMode",
    "protectedStatus": "protectedStatus",
    "renderSubdomainPolicy": "renderSubdomainPolicy",
    "generation": "previews",
    "connectionPool": "connectionPool",
    "version": "version",
    "suspenders": "suspenders",
}
"""Words of closed sets -> where the reader shows them, unchanged."""
UNSHOWN = {
    "env", "autoDeploy", "suspended", "notifyOnFail", "buildPlan", "pullRequestPreviewsEnabled", "protocol", "role",
    "domainType", "verificationStatus", "publicSuffix", "deployStatus",
}  # fmt: skip
"""Words of closed sets that stand beside another, or that nothing of ours depends on."""
TYPES = {"type"}
"""A word of its own: a service of an unknown type is never ours (see the test below)."""
TEXTS = {
    "id", "name", "slug", "ownerId", "createdAt", "updatedAt", "startedAt", "finishedAt", "dashboardUrl", "url", "repo",
    "branch", "rootDir", "imagePath", "environmentId", "projectId", "buildCommand", "startCommand", "dockerCommand",
    "dockerContext", "dockerfilePath", "preDeployCommand", "healthCheckPath", "publishPath", "schedule", "mountPath",
    "sshAddress", "uri", "email", "cidrBlock", "description", "key", "value", "content", "cursor", "databaseName",
    "databaseUser", "password", "serviceId", "deployId", "path", "source", "destination", "redirectForName", "message",
    "ref", "sha", "externalConnectionString", "internalConnectionString", "internalConnectionPoolString",
    "externalConnectionPoolString", "psqlCommand", "cliCommand", "redisCLICommand", "primaryPostgresID",
    "lastSuccessfulRunAt", "timestamp", "planId", "environmentIds", "databasesIds", "redisIds", "serviceIds",
    "envGroupIds", "paths", "ignoredPaths",
}  # fmt: skip
"""Free texts, times and ids."""


def bodies(source, request) -> list[Pair]:
    """Every answer of a source that the client reads."""
    found = pairs(request.getfixturevalue("recordings")) if source == "recorded" else simulated()
    return [pair for pair in found if reader_of(pair)]


def flat(value, at=()):
    """List what a reading shows, by place; secrets in the open, so that a lost one is noticed."""
    if isinstance(value, Sensitive):
        return {at: value.reveal()}
    if is_dataclass(value):
        return {k: v for f in fields(value) for k, v in flat(getattr(value, f.name), (*at, f.name)).items()}
    if isinstance(value, dict):
        return {k: v for name, one in value.items() for k, v in flat(one, (*at, name)).items()} or {at: {}}
    if isinstance(value, list | tuple):
        return {k: v for i, one in enumerate(value) for k, v in flat(one, (*at, i)).items()} or {at: []}
    return {at: value}


def with_unknown_fields(value, inside=""):
    """Put unknown fields into every object."""
    if isinstance(value, list):
        return [with_unknown_fields(one, inside) for one in value]
    if isinstance(value, dict):
        added = {} if inside in MAPS else ADDED
        return {name: with_unknown_fields(one, name) for name, one in value.items()} | added
    return value


def words(value, at=()):
    """Yield the place of every text in a body."""
    if isinstance(value, dict):
        for name, one in value.items():
            if at[-1:] and at[-1] in MAPS:
                continue
            yield from words(one, (*at, name))
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from words(one, (*at, i))
    elif isinstance(value, str):
        yield at


def name_of(at):
    """Name a place: by its key, inside lists by the list's."""
    return next((name for name in reversed(at) if isinstance(name, str)), "")


def put(value, at, new):
    """The same body with another text at one place."""
    if not at:
        return new
    head, *rest = at
    if isinstance(value, dict):
        return {**value, head: put(value[head], rest, new)}
    return [put(one, rest, new) if i == head else one for i, one in enumerate(value)]


def read(pair: Pair, body):
    return flat(reader_of(pair)(replace(pair, answer=json.dumps(body).encode()).result))


SOURCES = pytest.mark.parametrize("source", ["recorded", "simulated"])


@SOURCES
def test_unknown_fields_change_nothing(source, request):
    for pair in bodies(source, request):
        assert read(pair, with_unknown_fields(pair.told)) == read(pair, pair.told), str(pair)


@SOURCES
def test_every_word_is_known_to_be_a_text_or_of_a_closed_set(source, request):
    """What Render begins to say must be placed here, or the next test would overlook it."""
    found = {name_of(at) for pair in bodies(source, request) for at in words(pair.told)}
    assert found <= {*TEXTS, *UNSHOWN, *TYPES, *SHOWN}


@SOURCES
def test_an_unknown_word_is_shown_as_it_is_and_changes_nothing_else(source, request):
    replaced = Counter()
    seen = set()
    for pair in bodies(source, request):
        if (pair.path, pair.answer) in seen:
            continue
        seen.add((pair.path, pair.answer))
        before = read(pair, pair.told)
        for at in words(pair.told):
            name = name_of(at)
            if name not in SHOWN and name not in UNSHOWN:
                continue
            after = read(pair, put(pair.told, at, NEW))
            changed = {place for place in before | after if before.get(place, ...) != after.get(place, ...)}
            if name == "status" and functools.reduce(operator.getitem, at, pair.told) == "suspended":
                changed = {place for place in changed if "suspenders" not in place}  # the status alone said so
            if name in SHOWN and changed:
                assert {name_of(place) for place in changed} == {SHOWN[name]}, f"{pair} {at}"
                assert {after[place] for place in changed} == {NEW}, f"{pair} {at}"
            else:
                assert {name_of(place) for place in changed} <= {"autoDeployTrigger"}, f"{pair} {at}"
            replaced[name] += 1
    print(f"\n  {replaced.total()} words replaced: {dict(replaced.most_common())}")
    assert replaced["plan"] > 20
    assert len(replaced) >= 15


@SOURCES
def test_a_service_of_an_unknown_type_is_read_and_is_not_ours(source, request):
    checked = 0
    for pair in bodies(source, request):
        if pair.path.startswith("/services/srv-") and pair.path.count("/") == 2:
            found = replace(pair, answer=json.dumps({**pair.told, "type": NEW}).encode()).result.parse(wire.Service)
            assert normalise.kind_of(found) is None
            assert normalise.service(found, Kind.WORKER, SEEN).id == pair.told["id"]
            checked += 1
    assert checked > 5

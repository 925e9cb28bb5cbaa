"""Cassettes hold no secret, need no network, and say so when they are out of date."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest
import yaml
from vcr.request import Request

from reconciler.core.errors import Unknown
from reconciler.core.kinds import Kind
from tests.render.conftest import KEY, PROJECT
from tests.render.contract import cassettes, conftest, test_contract
from tests.render.contract.targets import PLAIN
from tests.render.recorded import LOADER

TAPES = sorted(cassettes.FOLDER.glob("*.yaml"))
SIMPLE = cassettes.FOLDER / "instances-are-scaled.yaml"
WITH_SECRETS = cassettes.FOLDER / "variables-and-files-are-merged-into-what-is-there.yaml"
TOTAL_MAX_BYTES = 500_000


def bodies(path):
    """Every JSON body of a cassette."""
    for pair in yaml.load(path.read_text(), Loader=LOADER)["interactions"]:  # noqa: S506 - a safe loader
        for text in (pair["request"]["body"], pair["response"]["body"]["string"]):
            if text:
                yield json.loads(text)


def leaves(value, name=""):
    """Every text of a body with its name, and the object that it is in."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, key) if not isinstance(one, str) else [(key, one, value)]
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one, name) if not isinstance(one, str) else [(name, one, {})]


def test_cassettes_are_there_and_small():
    assert len(TAPES) > 50
    assert sum(path.stat().st_size for path in TAPES) < TOTAL_MAX_BYTES


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_no_secret_is_in_a_cassette(path):
    text = path.read_text()
    for secret in {*PLAIN, KEY}:
        quoted = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]
        assert not any(written in text for written in (secret, *quoted)), "a secret of the suite"
    assert not re.search(r"(?i)bearer|authorization|\brnd_|cookie", text)
    for body in bodies(path):
        for name, value, inside in leaves(body):
            rule = name == "value" and "path" in inside
            if name in {"password", "content"} or (name == "value" and not rule):
                assert cassettes.FILTERED.fullmatch(value), f"{name} is not filtered"
            for password in cassettes.IN_URL.findall(value):
                assert cassettes.FILTERED.fullmatch(password), f"{name} holds a password"
            if "Command" in name and "PASSWORD" in value.upper():
                assert cassettes.FILTERED.search(value), f"{name} holds a password"


def test_the_suite_filtered_something():
    """The test before this one would find nothing wrong with cassettes that hold nothing."""
    found = {name for path in TAPES for body in bodies(path) for name, value, _ in leaves(body) if "filtered-" in value}
    assert found >= {
        "value", "content", "password", "internalConnectionString", "externalConnectionString", "psqlCommand",
        "cliCommand",
    }  # fmt: skip


async def test_a_cassette_needs_no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a cassette reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    async with conftest.played(SIMPLE) as target:
        await test_contract.test_instances_are_scaled(target)


def edited(path, tmp_path, change):
    """A copy of a cassette that somebody changed."""
    tape = yaml.load(path.read_text(), Loader=LOADER)  # noqa: S506 - as above
    change(tape["interactions"])
    copy = tmp_path / path.name
    copy.write_text(yaml.safe_dump(tape))
    return copy


async def test_a_request_that_is_not_in_the_cassette_fails(tmp_path):
    def change(pairs):
        [scale, *_] = [pair for pair in pairs if pair["request"]["uri"].endswith("/scale")]
        scale["request"]["body"] = '{"numInstances":7}'

    with pytest.raises(cassettes.StaleCassetteError, match=r"no answer.*POST /services/\{id\}/scale.*make cassettes"):
        async with conftest.played(edited(SIMPLE, tmp_path, change)) as target:
            await test_contract.test_instances_are_scaled(target)


async def test_a_stale_cassette_fails_even_where_the_test_expects_an_error(tmp_path):
    def change(pairs):
        [*_, last] = [pair for pair in pairs if pair["request"]["method"] == "POST"]
        last["request"]["body"] = "{}"

    taken = cassettes.FOLDER / "a-name-that-is-taken-is-refused.yaml"
    with pytest.raises(cassettes.StaleCassetteError):
        async with conftest.played(edited(taken, tmp_path, change)) as target:
            await target.create(Kind.WEB)
            with pytest.raises(Unknown):
                await target.create(Kind.WEB)


async def test_an_answer_that_nobody_asks_for_fails(tmp_path):
    def change(pairs):
        pairs.append({**pairs[-1], "request": {**pairs[-1]["request"], "uri": f"{cassettes.BASE_URL}/users"}})

    with pytest.raises(cassettes.StaleCassetteError, match="never asked for: GET /v1/users"):
        async with conftest.played(edited(SIMPLE, tmp_path, change)) as target:
            await test_contract.test_instances_are_scaled(target)


async def test_a_missing_cassette_says_how_to_make_it(tmp_path):
    with pytest.raises(cassettes.StaleCassetteError, match="make cassettes"):
        async with conftest.played(tmp_path / "none.yaml"):
            pass


async def test_a_test_that_fails_fails_as_itself(tmp_path):
    with pytest.raises(ZeroDivisionError):
        async with conftest.played(SIMPLE):
            raise ZeroDivisionError


async def test_sent_secrets_look_the_same_when_they_are_played():
    """The players see what stands for a secret, and can tell two of them apart."""
    async with conftest.played(WITH_SECRETS) as target:
        await test_contract.test_variables_and_files_are_merged_into_what_is_there(target)
        names = {target.shown(text) for text in PLAIN - {"hunter2hunter2"}}
        assert len(names) == len(PLAIN) - 1
        assert all(cassettes.FILTERED.fullmatch(name) for name in names)


def answer_of(body):
    return {
        "headers": {"Date": ["x"], "Set-Cookie": ["session"]},
        "body": {"string": json.dumps(body).encode()},
        "status": {},
    }


def test_a_secret_is_filtered_wherever_it_comes_back():
    scrubber = cassettes.Scrubber()
    secret = 'pass "word" é'
    sent = Request(
        "PUT", "http://127.0.0.1:1/v1/services/srv-1/env-vars", json.dumps([{"key": "A", "value": secret}]).encode(),
        {"Authorization": "Bearer x", "Content-Type": "application/json"},
    )  # fmt: skip
    kept = scrubber.request(sent)
    assert json.loads(kept.body) == [{"key": "A", "value": "filtered-1"}]
    assert dict(kept.headers) == {"Content-Type": "application/json"}
    assert kept.uri == f"{cassettes.BASE_URL}/services/srv-1/env-vars"
    assert scrubber.request(kept).body == kept.body, "filtering twice is filtering once"
    told = scrubber.answer(answer_of({"message": f"cannot set A to {secret}"}))
    assert json.loads(told["body"]["string"]) == {"message": "cannot set A to filtered-1"}
    assert told["headers"] == {"Date": ["x"]}


def test_what_render_made_up_is_filtered_too():
    told = cassettes.Scrubber().answer(
        answer_of(
            {
                "password": "pg-pass-1",
                "internalConnectionString": "postgresql://u:pg-pass-1@dpg-1/db",
                "psqlCommand": "PGPASSWORD=pg-pass-1 psql -h dpg-1",
                "cliCommand": " REDISCLI_AUTH=kv-pass-2 valkey-cli",
                "externalConnectionString": "rediss://red-1:kv-pass-2@oregon-keyvalue.render.com:6379",
            }
        )
    )
    body = told["body"]["string"].decode()
    assert "pass-1" not in body
    assert "pass-2" not in body
    assert len(set(cassettes.FILTERED.findall(body))) == 1
    assert "postgresql://u:filtered-generated-" in body


@pytest.mark.long
@pytest.mark.timeout(300)
def test_recording_again_gives_the_same_cassettes(tmp_path):
    """They are what the simulator answers today, to the byte: nothing in them depends on when they were made."""
    environ = {**os.environ, conftest.RECORD: "1", conftest.FOLDER: str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "cassette"]
    suite = "tests/render/contract/test_contract.py"
    done = subprocess.run([*command, suite], cwd=PROJECT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert {path.name for path in tmp_path.glob("*.yaml")} == {path.name for path in TAPES}
    changed = [path.name for path in TAPES if path.read_bytes() != (tmp_path / path.name).read_bytes()]
    assert not changed, "make cassettes"
    shutil.rmtree(tmp_path)

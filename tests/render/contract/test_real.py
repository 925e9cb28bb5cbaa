"""The target that runs against Render itself, run against the simulator: its cap holds and its clean-up is complete."""

import asyncio
import os
import subprocess
import sys
import textwrap

import pytest

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import Unknown
from reconciler.core.kinds import Kind
from reconciler.core.values import Sensitive
from tests.render.conftest import KEY, OWNER, PROJECT, simulating
from tests.render.contract import real
from tests.render.contract.targets import CREATES, NOTHING

EVERYTHING = ("services", "postgres", "key_values", "env_groups", "projects", "environments", "disks")
AS_WHOM = {real.KEY: KEY, real.OWNER: OWNER}


def account(simulator, *, max_creates=8):
    return real.Account(
        key=Sensitive(KEY), owner_id=OWNER, base_url=simulator.url, max_creates=max_creates, poll_s=0.01
    )


def truth(simulator):
    return simulator.http.get(f"{simulator.root}/_sim/truth").raise_for_status().json()


def names(simulator):
    told = truth(simulator)
    return sorted(item["name"] for word in EVERYTHING for item in told[word])


def asked(simulator, method):
    """Count the requests of a method that the simulator has had."""
    return sum(count for line, count in truth(simulator)["requests"].items() if line.startswith(f"{method} "))


async def until(true):
    """Let others go on until something is so."""
    for _ in range(2_000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never was")


def foreign(simulator, *words):
    """Make objects that are somebody else's."""
    for word in words:
        body = {"name": word, "ownerId": OWNER, "envVars": []}
        headers = {"authorization": f"Bearer {KEY}"}
        simulator.http.post(f"{simulator.url}/env-groups", headers=headers, json=body).raise_for_status()


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({}, f"only with {real.KEY} and {real.OWNER}"),
        ({real.KEY: "k"}, f"only with {real.OWNER}"),
        ({real.OWNER: "o"}, f"only with {real.KEY}"),
        ({real.KEY: "k", real.OWNER: "o", "PYTEST_XDIST_WORKER": "gw0"}, "one process only"),
    ],
)
def test_it_runs_only_when_it_is_told_as_whom(environ, reason):
    assert reason in real.account_of(environ)


def test_it_makes_at_most_eight_objects_at_render_unless_told_otherwise():
    account = real.account_of(AS_WHOM)
    assert (account.max_creates, account.base_url) == (8, "https://api.render.com/v1")
    assert real.account_of({**AS_WHOM, real.CAP: "3"}).max_creates == 3
    assert len(real.KINDS) + 1 == 8, "each kind once, and the name that is taken"


async def test_the_create_beyond_the_cap_is_not_sent(simulator):
    run = real.Run(account(simulator, max_creates=2))
    async with run.target() as target:
        await target.create(Kind.ENV_GROUP, "one")
        await target.create(Kind.WEB, "two")
        sent = asked(simulator, "POST")
        for kind in CREATES:
            with pytest.raises(real.CapReachedError, match="2 creates are sent"):
                await target.create(kind, "three")
    assert asked(simulator, "POST") == sent == 2
    assert run.clean() == [f"{run.prefix}two", f"{run.prefix}one"]
    assert names(simulator) == []


async def test_a_create_that_fails_counts(simulator):
    simulator.fault("status", method="POST", path="/env-groups", status=400, count=1)
    run = real.Run(account(simulator, max_creates=1))
    async with run.target() as target:
        with pytest.raises(real.Refused):
            await target.create(Kind.ENV_GROUP)
        with pytest.raises(real.CapReachedError):
            await target.create(Kind.ENV_GROUP)


async def test_it_makes_nothing_that_no_sweep_would_find_and_writes_to_nothing_of_others(simulator):
    foreign(simulator, "theirs")
    run = real.Run(account(simulator))
    async with run.target() as target:
        [theirs] = await target.client.find(Kind.ENV_GROUP, "theirs")
        for verb in (Verb.DELETE, Verb.UPDATE, Verb.SET_GROUP_VAR):
            action = Action(verb=verb, component="it", kind=Kind.ENV_GROUP, name="theirs", id=theirs.id)
            with pytest.raises(real.ForeignObjectError):
                await target.client.send(action, NOTHING)
        nameless = Action(verb=Verb.CREATE, component="it", kind=Kind.ENV_GROUP, name="a-group")
        with pytest.raises(real.ForeignObjectError):
            await target.client.send(nameless, NOTHING)
    assert run.clean() == []
    assert names(simulator) == ["theirs"]


async def test_a_body_that_fails_in_the_middle_leaves_nothing_behind(simulator):
    foreign(simulator, "theirs")
    run = real.Run(account(simulator, max_creates=9))
    with pytest.raises(ZeroDivisionError):
        async with run.target() as target, target.borrow(Kind.WEB):
            for kind in CREATES:
                if kind is not Kind.WEB:
                    await target.create(kind)
            raise ZeroDivisionError
    assert run.pool == {}, "what a failed test had is not handed out again"
    assert len(names(simulator)) > 9
    gone = run.clean()
    assert len(gone) == 10, "nine objects, and the project's environment"
    assert names(simulator) == ["theirs"]


async def test_a_create_whose_answer_was_lost_is_found_and_deleted(simulator):
    simulator.fault("reset", method="POST", path="/services$", count=1)
    run = real.Run(account(simulator))
    async with run.target() as target:
        with pytest.raises(Unknown):
            await target.create(Kind.WEB)
    assert names(simulator) == [f"{run.prefix}web"]
    assert run.clean() == [f"{run.prefix}web"]
    assert names(simulator) == []


async def test_what_an_earlier_run_left_is_deleted_first(simulator):
    earlier = real.Run(account(simulator))
    async with earlier.target() as target:
        await target.create(Kind.STATIC)
    later = real.Run(account(simulator))
    assert later.prefix != earlier.prefix
    assert later.clean() == [f"{earlier.prefix}static"]


async def test_one_that_cannot_be_deleted_is_named_and_the_others_go(simulator):
    run = real.Run(account(simulator))
    async with run.target() as target:
        web = await target.create(Kind.WEB)
        await target.create(Kind.KEY_VALUE)
        await target.create(Kind.ENV_GROUP)
    simulator.fault("status", method="DELETE", path=f"/services/{web.id}$", status=403, count=1)
    with pytest.raises(real.LeftoverError, match=rf"by hand: web service {run.prefix}web \({web.id}\)"):
        run.clean()
    assert names(simulator) == [f"{run.prefix}web"]
    assert run.clean() == [f"{run.prefix}web"]


async def test_it_waits_for_a_limit_and_repeats_a_lost_delete(simulator):
    run = real.Run(account(simulator))
    async with run.target() as target:
        await target.create(Kind.WEB)
    simulator.fault("status", method="DELETE", path="/services/", status=429, count=2)
    simulator.fault("status", method="DELETE", path="/services/", status=503, count=1)
    assert run.clean() == [f"{run.prefix}web"]
    assert names(simulator) == []


async def test_gone_is_proved_by_looking(simulator):
    run = real.Run(account(simulator))
    async with run.target() as target:
        web = await target.create(Kind.WEB)
    simulator.fault("stale_read", method="GET", path=f"/services/{web.id}$", lag_s=2)
    looking = asyncio.create_task(asyncio.to_thread(run.clean))
    await until(lambda: asked(simulator, "DELETE") == 1)
    looks = asked(simulator, "GET")
    await until(lambda: asked(simulator, "GET") >= looks + 3)
    assert not looking.done(), "Render still tells of it"
    simulator.step(3)
    assert await looking == [f"{run.prefix}web"]


# ---------------------------------------------------------------- the very target, in a pytest of its own


def pytest_against(simulator, *arguments, cwd=PROJECT):
    """Run pytest as somebody with an account does, the account being the simulator's."""
    environ = {
        **{name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_", "RECONCILER_CONTRACT"))},
        **AS_WHOM, real.URL: simulator.url, real.POLL: "0.05", "PYTHONPATH": str(PROJECT),
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--rootdir", str(cwd), *arguments]
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=300)


BROKEN = """
    import asyncio, os, signal
    import pytest
    from reconciler.core.kinds import Kind

    @pytest.mark.parametrize("target", ["account"], indirect=True)
    async def test_that_ends_in_the_middle(target):
        async with target.borrow(Kind.WEB):
            await target.create(Kind.PROJECT)
            {end}
            await asyncio.sleep(60)
            raise AssertionError("went on")
"""
CONFIG = "[tool.pytest.ini_options]\nasyncio_mode = 'auto'\nasyncio_default_fixture_loop_scope = 'function'\n"


@pytest.mark.long
@pytest.mark.parametrize(
    ("end", "code"),
    [("1 / 0", 1), ("os.kill(os.getpid(), signal.SIGINT)", 2)],
    ids=["a failure", "Ctrl-C"],
)
def test_a_run_that_ends_in_the_middle_leaves_nothing_behind(simulator, tmp_path, end, code):
    (tmp_path / "conftest.py").write_text(
        "from tests.render.conftest import *\nfrom tests.render.contract.conftest import real_run, target\n"
    )
    (tmp_path / "pyproject.toml").write_text(CONFIG)
    (tmp_path / "test_broken.py").write_text(textwrap.dedent(BROKEN).format(end=end))
    done = pytest_against(simulator, "test_broken.py", cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert "went on" not in done.stdout
    assert asked(simulator, "POST") == 2, "it did make something"
    assert names(simulator) == []


@pytest.mark.long
def test_the_whole_suite_runs_against_an_account_within_the_cap():
    with simulating("--speed", "200") as simulator:
        done = pytest_against(simulator, "-q", "-rs", "-k", "account", "tests/render/contract/test_contract.py")
        assert done.returncode == 0, done.stdout + done.stderr
        assert " passed" in done.stdout
        told = truth(simulator)
        creates = [
            write
            for write in told["writes"]
            if write["method"] == "POST"
            and write["path"].strip("/").removeprefix("v1/")
            in {"services", "postgres", "key-value", "env-groups", "projects"}
        ]
        assert 0 < len(creates) <= 8
        assert names(simulator) == []

"""Both clocks: corrected by answers, read from a simulator, standing still without it, never going back."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.errors import Unavailable
from reconciler.render import clock as clocks
from reconciler.render.clock import RenderClock, SimulatedClock


class Machine:
    """The machine's wall clock, set by the test."""

    def __init__(self, monkeypatch):
        self.now_s = 1_780_000_000.0
        monkeypatch.setattr(clocks.time, "time", lambda: self.now_s)

    def answer(self, clock, *, ahead_s, round_trip_s=0.2):
        """An answer of a Render whose clock is that much ahead of ours, its Date floored."""
        stamped_s = self.now_s + round_trip_s / 2 + ahead_s
        date = datetime.fromtimestamp(int(stamped_s), UTC)
        clock.correct(date, sent_at=self.now_s, seconds=round_trip_s)
        self.now_s += round_trip_s

    def ahead_s(self, clock):
        return clock.now().timestamp() - self.now_s


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.mark.parametrize("ahead_s", [0.0, 0.4, -0.7, 37.25, -3600.0, 86_400.0])
def test_answers_correct_the_clock_to_the_round_trip(machine, ahead_s):
    clock = RenderClock()
    assert machine.ahead_s(clock) == pytest.approx(0, abs=1e-5)
    for _ in range(40):
        machine.answer(clock, ahead_s=ahead_s)
        machine.now_s += 0.37
    assert machine.ahead_s(clock) == pytest.approx(ahead_s, abs=0.25)


def test_an_exact_machine_is_left_alone(machine):
    clock = RenderClock()
    for _ in range(10):
        machine.answer(clock, ahead_s=0)
        machine.now_s += 0.37
    assert machine.ahead_s(clock) == pytest.approx(0, abs=1e-5)


def test_small_corrections_never_turn_time_back(machine):
    clock = RenderClock()
    before = clock.now()
    machine.answer(clock, ahead_s=-3)
    assert clock.now() >= before
    machine.now_s += 10
    assert clock.now() > before


def test_a_machine_that_was_set_is_followed(machine):
    clock = RenderClock()
    for _ in range(10):
        machine.answer(clock, ahead_s=0)
    machine.now_s -= 7200
    machine.answer(clock, ahead_s=7200)
    assert machine.ahead_s(clock) == pytest.approx(7200, abs=1.2)


async def test_render_clock_runs_at_speed_one():
    clock = RenderClock()
    await clock.start()
    began = time.monotonic()
    await clock.sleep(0.02)
    await clock.sleep(-5)
    assert 0.015 < time.monotonic() - began < 1
    assert clock.speed() == 1.0
    await clock.stop()


async def test_the_clients_clock_learns_from_answers(scripted, make_client, http_answer):
    from reconciler.core.kinds import Kind

    ahead = datetime.now(UTC) + timedelta(hours=3)
    date = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT")
    limits = "Ratelimit-Limit: 400\r\nRatelimit-Remaining: 399\r\nRatelimit-Reset: 5"
    body = '{"id": "srv-1", "type": "web_service"}'
    clock = RenderClock()
    async with make_client(scripted.url, client_clock=clock) as client:
        scripted.answers = [http_answer(200, body, f"Date: {date}")]
        await client.get(Kind.WEB, "srv-1")
        assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 1, "a proxy's Date is not Render's"
        scripted.answers = [http_answer(200, body, f"Date: {date}\r\n{limits}")]
        await client.get(Kind.WEB, "srv-1")
    assert abs((clock.now() - ahead).total_seconds()) < 3


class World:
    """A simulator's clock, served over HTTP."""

    def __init__(self, scripted, http_answer):
        self.epoch_s, self.speed, self.frozen, self.up = 1_800_000_000.0, 60.0, False, True
        self._answer, self._began = http_answer, time.monotonic()
        scripted.handler = self.serve

    def serve(self, request):
        assert request.path == "/_sim/clock"
        if not self.up:
            return b""
        if not self.frozen:
            now = time.monotonic()
            self.epoch_s, self._began = self.epoch_s + (now - self._began) * self.speed, now
        return self._answer(200, json.dumps({"epoch_s": self.epoch_s, "speed": self.speed, "frozen": self.frozen}))


@pytest.fixture
def world(scripted, http_answer):
    return World(scripted, http_answer)


@pytest.fixture
async def simulated(scripted, world):
    clock = SimulatedClock(f"{scripted.url}/v1", refresh_s=0.02)
    await clock.start()
    yield clock
    await clock.stop()


async def test_simulated_time_runs_between_readings_at_its_speed(scripted, world):
    clock = SimulatedClock(scripted.url, refresh_s=60)
    await clock.start()
    began, at = clock.now(), time.monotonic()
    await asyncio.sleep(0.1)
    passed_s, real_s = (clock.now() - began).total_seconds(), time.monotonic() - at
    assert passed_s == pytest.approx(60 * real_s, rel=0.1)
    assert clock.speed() == 60
    assert abs(began.timestamp() - 1_800_000_000) < 60
    await clock.stop()
    stopped = clock.now()
    await asyncio.sleep(0.02)
    assert clock.now() == stopped


async def test_sleeping_takes_world_seconds(simulated):
    began = time.monotonic()
    await simulated.sleep(6)
    assert 0.09 < time.monotonic() - began < 1


async def test_a_frozen_clock_stands_and_sleepers_wake_when_it_is_stepped(world, simulated):
    world.frozen = True
    await simulated.refresh()
    frozen = simulated.now()
    sleeper = asyncio.create_task(simulated.sleep(30))
    await asyncio.sleep(0.1)
    assert not sleeper.done()
    assert simulated.now() == frozen
    world.epoch_s = frozen.timestamp() + 29
    await asyncio.sleep(0.06)
    assert not sleeper.done()
    world.epoch_s += 2
    await asyncio.wait_for(sleeper, 1)


async def test_time_stands_still_while_the_simulator_is_down_and_never_goes_back(world, simulated):
    world.up = False
    await asyncio.sleep(0.1)
    down = simulated.now()
    await asyncio.sleep(0.05)
    assert simulated.now() == down
    # it comes back where it was killed: earlier than what we have told already
    world.up, world.epoch_s = True, down.timestamp() - 30
    await simulated.refresh()
    assert simulated.now() >= down
    world.epoch_s = down.timestamp() + 100
    await simulated.refresh()
    assert simulated.now().timestamp() == pytest.approx(down.timestamp() + 100, abs=6)


async def test_another_world_is_followed_back(world, simulated):
    world.epoch_s -= 365 * 86_400
    await simulated.refresh()
    assert simulated.now().timestamp() < 1_800_000_000 - 364 * 86_400


async def test_a_hung_simulator_stops_time_too(scripted, world):
    clock = SimulatedClock(scripted.url, refresh_s=0.01)
    clock._timeouts = clocks.Timeouts(connect_s=0.05, read_s=0.05, pool_s=0.05, total_s=0.1)
    await clock.start()
    begun = clock.now()

    async def hang(_request):
        await asyncio.sleep(2)
        return b""

    scripted.handler = hang
    await asyncio.sleep(0.3)
    stood = clock.now()
    assert (stood - begun).total_seconds() < 60 * 0.2
    await asyncio.sleep(0.05)
    assert clock.now() == stood
    await clock.stop()


async def test_starting_waits_for_the_simulator_and_says_so_when_it_does_not_come(unused_port):
    clock = SimulatedClock(f"http://127.0.0.1:{unused_port}", start_within_s=0.05)
    with pytest.raises(RuntimeError, match="start"):
        clock.now()
    with pytest.raises(Unavailable, match="/_sim/clock did not answer"):
        await clock.start()
    await clock.stop()


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"epoch_s": "x", "speed": 1, "frozen": false}',
                                  '{"epoch_s": 5, "speed": 0, "frozen": false}'])  # fmt: skip
async def test_nonsense_is_no_reading(scripted, http_answer, body):
    scripted.answers = [http_answer(200, body)]
    clock = SimulatedClock(scripted.url)
    assert not await clock.refresh()
    await clock.stop()


async def test_against_the_simulator_itself(simulator):
    clock = SimulatedClock(simulator.url, refresh_s=0.02)
    await clock.start()
    before = clock.now()
    sleeper = asyncio.create_task(clock.sleep(90))
    simulator.step(100)
    await asyncio.wait_for(sleeper, 2)
    assert (clock.now() - before).total_seconds() == pytest.approx(100, abs=0.01)
    await clock.stop()

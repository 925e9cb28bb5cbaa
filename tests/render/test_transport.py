"""A cancelled caller never takes a request with it, a wedged pool is replaced, and nothing waits for ever."""

import asyncio
import time

import pytest

from reconciler.render.transport import Timeouts, Transport, TransportError

QUICK = Timeouts(connect_s=1, read_s=2, pool_s=0.1, total_s=2)


async def test_a_cancelled_caller_leaves_and_the_request_goes_on(scripted, http_answer):
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request):
        arrived.set()
        await go_on.wait()
        return http_answer(200, "done")

    scripted.handler = slow
    transport = Transport(max_connections=1)
    caller = asyncio.create_task(transport.request("POST", scripted.url, timeouts=QUICK, body=b"{}"))
    await arrived.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    # the only connection comes back to the pool: the next request would wait for ever without that
    answer = await transport.request("GET", scripted.url, timeouts=Timeouts(read_s=2, pool_s=2))
    assert answer.body == b"done"
    assert transport.rebuilds == 0
    await transport.close()


async def test_many_cancellations_leave_every_connection_usable(scripted, http_answer):
    async def slow(_request):
        await asyncio.sleep(0.02)
        return http_answer(200, "x" * 20_000)

    scripted.handler = slow
    transport = Transport(max_connections=2)
    for delay_s in (0, 0.001, 0.01, 0.019, 0.021, 0.03) * 3:
        caller = asyncio.create_task(transport.request("GET", scripted.url, timeouts=Timeouts(pool_s=5)))
        await asyncio.sleep(delay_s)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
    answers = await asyncio.gather(
        *(transport.request("GET", scripted.url, timeouts=Timeouts(pool_s=5)) for _ in "1234")
    )
    assert {len(answer.body) for answer in answers} == {20_000}
    await transport.close()


async def test_a_wedged_pool_is_replaced(scripted, http_answer):
    wedged = asyncio.Event()

    async def answer(request):
        if request.path == "/stuck":
            await wedged.wait()
        return http_answer(200, "ok")

    scripted.handler = answer
    transport = Transport(max_connections=1)
    stuck = asyncio.create_task(transport.request("GET", f"{scripted.url}/stuck", timeouts=Timeouts(read_s=30)))
    await asyncio.sleep(0.05)
    for _ in range(3):
        with pytest.raises(TransportError, match="no free connection") as caught:
            await transport.request("GET", scripted.url, timeouts=QUICK)
        assert not caught.value.sent
    assert transport.rebuilds == 1
    assert (await transport.request("GET", scripted.url, timeouts=QUICK)).body == b"ok"
    wedged.set()
    assert (await stuck).body == b"ok", "what was on the old pool may end"
    await transport.close()


async def test_a_dripping_server_is_cut_off_by_the_total_time():
    done, ended = asyncio.Event(), asyncio.Event()

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not done.is_set():
            writer.write(b".")
            await asyncio.sleep(0.01)
        writer.close()
        ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    transport = Transport()
    began = time.monotonic()
    with pytest.raises(TransportError, match="did not answer") as caught:
        await transport.request("POST", url, timeouts=Timeouts(read_s=1, total_s=0.1))
    assert caught.value.sent
    assert time.monotonic() - began < 1.5
    await transport.close()
    done.set()
    await ended.wait()
    server.close()


async def test_a_flooding_server_is_cut_off(scripted, http_answer):
    scripted.answers = [http_answer(200, b"x" * 100_000)]
    transport = Transport(body_max_bytes=10_000)
    with pytest.raises(TransportError) as caught:
        await transport.request("GET", scripted.url, timeouts=QUICK)
    assert caught.value.sent
    await transport.close()


async def test_closing_waits_for_what_is_on_the_wire(scripted, http_answer):
    async def slow(_request):
        await asyncio.sleep(0.1)
        return http_answer(200, "late")

    scripted.handler = slow
    transport = Transport()
    caller = asyncio.create_task(transport.request("POST", scripted.url, timeouts=QUICK))
    await asyncio.sleep(0.02)
    await transport.close(grace_s=2)
    assert (await caller).body == b"late"
    with pytest.raises(TransportError, match="closed") as caught:
        await transport.request("GET", scripted.url, timeouts=QUICK)
    assert not caught.value.sent


async def test_redirects_are_not_followed_and_cookies_not_kept(scripted, http_answer):
    scripted.answers = [http_answer(302, "", "Location: /elsewhere\r\nSet-Cookie: mark=1; Path=/"), http_answer(200)]
    transport = Transport()
    assert (await transport.request("GET", scripted.url, timeouts=QUICK)).status == 302
    await transport.request("GET", scripted.url, timeouts=QUICK)
    assert len(scripted.requests) == 2
    assert "cookie" not in scripted.requests[1].headers
    await transport.close()


@pytest.mark.parametrize("url", ["http://", "http://[::1", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"])
async def test_an_address_that_is_none_sends_nothing(url):
    transport = Transport()
    with pytest.raises(TransportError) as caught:
        await transport.request("GET", url, timeouts=QUICK)
    assert not caught.value.sent
    await transport.close()


async def test_our_own_machine_is_never_reached_through_a_proxy(scripted, http_answer, monkeypatch, unused_port):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port}")
    scripted.answers = [http_answer(200, "direct")]
    transport = Transport()
    assert (await transport.request("GET", scripted.url, timeouts=QUICK)).body == b"direct"
    with pytest.raises(TransportError):
        await transport.request("GET", "http://example.invalid/", timeouts=QUICK)
    await transport.close()


def test_only_the_transport_knows_httpx():
    from pathlib import Path

    import reconciler.render

    importers = [
        file.name
        for file in Path(reconciler.render.__file__).parent.glob("*.py")
        if "import httpx" in file.read_text() or "from httpx" in file.read_text()
    ]
    assert importers == ["transport.py"]


async def test_a_request_whose_first_byte_would_leave_too_late_is_not_sent(scripted, http_answer):
    arrived, paths = asyncio.Event(), []

    async def slow(request):
        paths.append(request.path)
        arrived.set()
        await asyncio.sleep(0.3)
        return http_answer(200, "done")

    scripted.handler = slow
    transport = Transport(max_connections=1)
    patient = Timeouts(read_s=2, pool_s=5)
    first = asyncio.create_task(transport.request("POST", scripted.url + "/first", timeouts=patient, body=b"{}"))
    await arrived.wait()
    late = Timeouts(read_s=2, pool_s=5, latest_s=asyncio.get_running_loop().time() + 0.1)
    with pytest.raises(TransportError, match="was not asked: too late") as caught:
        await transport.request("POST", scripted.url + "/late", timeouts=late, body=b"{}")
    assert not caught.value.sent
    await first
    soon = Timeouts(read_s=2, pool_s=5, latest_s=asyncio.get_running_loop().time() + 0.1)
    answer = await transport.request("POST", scripted.url + "/soon", timeouts=soon, body=b"{}")
    assert answer.body == b"done"
    assert paths == ["/first", "/soon"]
    await transport.close()

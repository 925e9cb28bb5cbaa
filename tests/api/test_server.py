import asyncio
import os
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from reconciler.api import server
from reconciler.core.errors import Invalid


def application(entered: asyncio.Event, leave: asyncio.Event) -> Starlette:
    async def slow(request: Request) -> PlainTextResponse:
        entered.set()
        await leave.wait()
        return PlainTextResponse("done")

    async def quick(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.scheme)

    return Starlette(routes=[Route("/slow", slow), Route("/quick", quick)])


async def test_requests_on_the_wire_end_before_the_server_does():
    entered, leave = asyncio.Event(), asyncio.Event()
    running = await server.serve(application(entered, leave), "127.0.0.1", 0)
    async with httpx.AsyncClient(base_url=running.url) as client:
        answer = asyncio.create_task(client.get("/slow"))
        await entered.wait()
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0)
        leave.set()
        assert (await answer).text == "done"
        await stopping
        assert running.stopped.done()
        with pytest.raises(httpx.ConnectError):
            await client.get("/quick")
    await running.stop()


async def test_a_request_that_does_not_end_cannot_hold_the_stop_for_ever():
    entered = asyncio.Event()
    running = await server.serve(application(entered, asyncio.Event()), "127.0.0.1", 0, grace_s=1)
    async with httpx.AsyncClient(base_url=running.url) as client:
        answer = asyncio.create_task(client.get("/slow"))
        await entered.wait()
        async with asyncio.timeout(5):
            await running.stop()
        await asyncio.gather(answer, return_exceptions=True)


async def test_an_occupied_port_says_whose_it_is_and_which_setting_names_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Invalid) as caught:
            await server.serve(Starlette(), "127.0.0.1", port)
    message = str(caught.value)
    assert f"127.0.0.1:{port}" in message
    assert "RECONCILER_API_PORT" in message
    assert f"pid {os.getpid()}" in message


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70000)])
async def test_an_address_that_is_not_ours_is_refused_with_the_setting(host, port):
    with pytest.raises(Invalid, match=f"cannot listen on {host}:{port}.*RECONCILER_METRICS_PORT"):
        await server.serve(Starlette(), host, port, setting="RECONCILER_METRICS_PORT")


async def test_forwarded_headers_are_believed_from_trusted_proxies_only():
    forwarded = {"X-Forwarded-Proto": "https"}
    app = application(asyncio.Event(), asyncio.Event())
    for trusted, scheme in (("127.0.0.1", "https"), ("10.0.0.1", "http")):
        running = await server.serve(app, "127.0.0.1", 0, trusted_proxies=trusted)
        async with httpx.AsyncClient(base_url=running.url) as client:
            assert (await client.get("/quick", headers=forwarded)).text == scheme
        await running.stop()

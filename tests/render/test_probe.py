"""A probe asks tenants' public URLs and nothing else."""

import asyncio
import socket

import pytest

from reconciler.core.errors import Refused
from reconciler.render import probe as probes
from reconciler.render.probe import Probe


@pytest.mark.parametrize(
    "url",
    [
        "ftp://web-acme.onrender.com/",
        "file:///etc/passwd",
        "web-acme.onrender.com/health",
        "https://user:secret@web-acme.onrender.com/",
        "https://web-acme.onrender.com:8443/",
        "https://web-acme.onrender.com:99999/",
        "https:///health",
        "https://[::1/",
        "https://bücher.example/",
        "https://web-acme.onrender.com/a b",
        "https://web-acme.onrender.com/\r\nHost: other",
    ],
)
async def test_what_is_not_a_tenants_url_is_refused(url):
    probe = Probe(1)
    with pytest.raises(Refused, match="cannot ask") as caught:
        await probe.ask(url)
    assert "secret" not in caught.value.message
    await probe.close()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "169.254.169.254", "10.0.0.7", "[::1]", "[fe80::1]", "0.0.0.0", "localhost", "[::ffff:10.0.0.1]"],  # noqa: S104
)
async def test_private_addresses_are_refused(host):
    probe = Probe(1)
    with pytest.raises(Refused, match="not a public address"):
        await probe.ask(f"http://{host}/")
    await probe.close()


async def test_a_name_with_one_private_address_is_refused(monkeypatch):
    async def resolve(host, port, **_kwargs):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("93.184.215.14", "10.1.2.3")
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(Refused, match=r"10\.1\.2\.3"):
        await probes.public_address("rebind.example", 443)


async def test_a_name_that_does_not_resolve_answers_nothing():
    probe = Probe(1)
    assert await probe.ask("https://nowhere.invalid/") is None
    await probe.close()


async def test_the_address_that_was_checked_is_the_one_that_is_asked(scripted, http_answer, monkeypatch):
    asked = []

    async def request(self, method, url, *, headers, server_name, **_kwargs):
        asked.append((method, url, headers, server_name))
        raise probes.TransportError("no network in tests", sent=False)

    async def resolve(host, port, **_kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", port))]

    monkeypatch.setattr(probes.Transport, "request", request)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    probe = Probe(1)
    assert await probe.ask("https://crm.acme.example/health?x=1#top") is None
    assert await probe.ask("https://web-acme.onrender.com/health") is None
    assert asked == [
        ("GET", "https://93.184.215.14/health?x=1", {"host": "crm.acme.example"}, "crm.acme.example"),
        ("GET", "https://web-acme.onrender.com/health", {"host": "web-acme.onrender.com"}, ""),
    ]


@pytest.mark.parametrize("status", [200, 301, 404, 503])
async def test_through_a_simulator_the_host_goes_along_and_no_key(scripted, http_answer, status):
    scripted.answers = [http_answer(status, "x" * 100, "Location: http://169.254.169.254/")]
    probe = Probe(1, via=f"{scripted.url}/v1")
    assert await probe.ask("https://web-acme.onrender.com/health?deep=1") == status
    [request] = scripted.requests
    assert (request.method, request.path, request.headers["host"]) == ("GET", "/health?deep=1", "web-acme.onrender.com")
    assert "authorization" not in request.headers
    await probe.close()


async def test_silence_is_none(scripted, unused_port):
    scripted.answers = [b""]
    for root in (scripted.url, f"http://127.0.0.1:{unused_port}"):
        probe = Probe(1, via=root)
        assert await probe.ask("https://web-acme.onrender.com/") is None
        await probe.close()

"""Asks a tenant's own URL whether it answers; it carries no key, follows nothing, and stays on the public internet.

Which addresses may be asked: https or http, default port, no user name. Names below onrender.com are Render's own.
Any other name is a tenant's custom domain, whose DNS the tenant controls: it is resolved here, every address must be
public, and the connection goes to the address that was checked, under the name's certificate; so neither DNS nor a
redirect can lead us to a private address. A proxy set in the environment is used as everywhere.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from reconciler.core.errors import Refused, shown
from reconciler.render.transport import Timeouts, Transport, TransportError

RENDER_DOMAIN = ".onrender.com"
PORTS = {"http": 80, "https": 443}


class Probe:
    """GETs tenants' URLs."""

    def __init__(self, timeout_s: float, via: str | None = None) -> None:
        """With `via` (a simulator's base URL) every request goes there, under the Host of the URL asked for."""
        self._timeouts = Timeouts(connect_s=timeout_s, read_s=timeout_s, pool_s=timeout_s, total_s=2 * timeout_s)
        self._via = urlsplit(via) if via else None
        self._transport = Transport(peer="the tenant's URL")

    async def ask(self, url: str) -> int | None:
        """Answer the status, or None when nothing answered; Refused for a URL that must not be asked."""
        parts, host = checked(url)
        target, server_name = parts, ""
        if self._via is not None:
            target = parts._replace(scheme=self._via.scheme, netloc=self._via.netloc)
        elif not host.endswith(RENDER_DOMAIN):
            address = await public_address(host, PORTS[parts.scheme])
            if address is None:
                return None
            target = parts._replace(netloc=f"[{address}]" if ":" in address else address)
            server_name = host
        try:
            answer = await self._transport.request(
                "GET",
                target._replace(fragment="").geturl(),
                timeouts=self._timeouts,
                headers={"host": host},
                read_body=False,
                server_name=server_name,
            )
        except TransportError:
            return None
        return answer.status

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close(grace_s=1.0)


def checked(url: str) -> tuple[SplitResult, str]:
    """Take a URL apart, or refuse it."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise Refused(f"cannot ask {shown(url)}: it is not a URL") from None
    if parts.scheme not in PORTS or not host:
        raise Refused(f"cannot ask {shown(url)}: it must be an http or https URL with a host")
    if parts.username is not None or parts.password is not None:
        raise Refused("cannot ask a URL with a user name or password in it: remove them")
    if port not in {None, PORTS[parts.scheme]}:
        raise Refused(f"cannot ask {shown(url)}: Render serves tenants on the default ports only; remove the port")
    if not host.isascii() or any(c.isspace() for c in url):
        raise Refused(f"cannot ask {shown(url)}: write the host in its ASCII form and the path without blanks")
    return parts, host


async def public_address(host: str, port: int) -> str | None:
    """Resolve a host; Refused when any of its addresses is not public, None when it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not ipaddress.ip_address(address.partition("%")[0]).is_global:
            raise Refused(f"cannot ask {shown(host)}: it resolves to {address}, which is not a public address")
    return addresses[0] if addresses else None

"""Signs and checks the console's cookie: which key opened the session and until when; holds no key's secret."""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from reconciler.core.values import Sensitive

COOKIE = "reconciler_session"
LIFETIME_S = 12 * 3600
"""Real seconds: a working day. The key is looked up at each request, so revoking it ends the session at once."""


class Sessions:
    """Cookies of the form `base64(key id, end, nonce).signature`, HMAC-SHA256."""

    def __init__(self, secret: Sensitive, *, secure: bool = False, now: Callable[[], float] = time.time) -> None:
        """Sign with this secret, or with a random one that lasts as long as the process."""
        self._key = hashlib.sha256(
            b"console session\0" + (secret.reveal().encode() or secrets.token_bytes(32))
        ).digest()
        self._secure = secure
        self._now = now

    def open(self, key_id: str) -> str:
        """Answer the Set-Cookie header of a new session."""
        payload = f"{key_id}\n{int(self._now()) + LIFETIME_S}\n{secrets.token_hex(8)}".encode()
        body = base64.urlsafe_b64encode(payload).decode()
        return self._cookie(f"{body}.{self._sign(body)}", LIFETIME_S)

    def close(self) -> str:
        """Answer the Set-Cookie header that ends the session."""
        return self._cookie("", 0)

    def read(self, header: str) -> str | None:
        """Answer the key id of a Cookie header with a valid, unexpired session."""
        try:
            morsel = SimpleCookie(header).get(COOKIE)
        except CookieError:
            return None
        body, _, signature = (morsel.value if morsel else "").rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        try:
            key_id, end, _ = base64.urlsafe_b64decode(body).decode().split("\n")
        except (ValueError, binascii.Error):
            return None
        return key_id if int(end) > self._now() else None

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()

    def _cookie(self, value: str, max_age_s: int) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{COOKIE}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"

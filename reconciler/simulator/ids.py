"""Makes ids, suffixes, secrets and cursors the way the API spells them, repeatable from a seed.

Render API: an id is a prefix and an xid (4 bytes of seconds, machine, process, counter in base32), so ids
sort by creation; a cursor is 8 bytes of the list and the last 16 characters of the item's id.
"""

import base64
import binascii
import hashlib
import random
import string

from reconciler.simulator import times

SUFFIX_LETTERS = string.ascii_lowercase + string.digits
DIGITS = "0123456789abcdefghijklmnopqrstuv"
DIGIT_PAIRS = [first + second for first in DIGITS for second in DIGITS]
CURSOR_TAIL = 16
CURSOR_HEAD = 8


class Ids:
    """The one source of chance of a simulator."""

    def __init__(self, seed: int | None, counter: int = 0, origin: str = "") -> None:
        """Start a source; counter and origin continue those of an earlier run with the same state."""
        # Not for secrets of anyone: repeatable runs matter more here than unpredictability.
        self.chance = random.Random(seed)  # noqa: S311
        # Machine and process of the xid. A restart keeps them: ids of one second must go on sorting by creation.
        fresh = self.chance.randbytes(5)
        self.origin = bytes.fromhex(origin) if origin else fresh
        self.counter = counter

    def new(self, prefix: str, instant_ns: int) -> str:
        """Make the id of something created at an instant."""
        return f"{prefix}-{self.xid(instant_ns)}"

    def xid(self, instant_ns: int) -> str:
        """Make the part of an id after its prefix."""
        self.counter += 1
        seconds = (instant_ns // times.SECOND_NS) & 0xFFFFFFFF
        raw = seconds.to_bytes(4, "big") + self.origin + (self.counter & 0xFFFFFF).to_bytes(3, "big")
        # 96 bits and four of padding make twenty digits of five bits; two at a time is quick enough.
        number = int.from_bytes(raw, "big") << 4
        return "".join([DIGIT_PAIRS[number >> shift & 1023] for shift in range(90, -1, -10)])

    def suffix(self, length: int = 4) -> str:
        """Make a short random suffix as slugs and database names carry it."""
        return "".join(self.chance.choice(SUFFIX_LETTERS) for _ in range(length))

    def password(self) -> str:
        """Make the password of a datastore: 32 letters and digits."""
        return "".join(self.chance.choice(string.ascii_letters + string.digits) for _ in range(32))

    def generated_value(self) -> str:
        """Make what `generateValue` yields: base64 of 32 random bytes, 44 characters."""
        return base64.b64encode(self.chance.randbytes(32)).decode()

    def webhook_secret(self) -> str:
        """Make the signing secret of a webhook."""
        return "whsec_" + base64.b64encode(self.chance.randbytes(24)).decode()

    def image_digest(self, reference: str) -> str:
        """Name the content an image reference points to; the same reference always gives the same."""
        return "sha256:" + hashlib.sha256(reference.encode()).hexdigest()

    def commit(self, repo: str, branch: str) -> str:
        """Name the newest commit of a branch; the same branch always gives the same."""
        return hashlib.sha256(f"{repo}#{branch}".encode()).hexdigest()[:40]


def instance_id(service_id: str, started_ns: int, index: int) -> str:
    """Name a running instance of a service: five letters of its own that stay as long as the instances do."""
    return f"{service_id}-{hashlib.sha256(f'{service_id} {started_ns} {index}'.encode()).hexdigest()[:5]}"


def cursor_of(list_name: str, item_id: str) -> str:
    """Write the cursor of an item in a list."""
    head = hashlib.sha256(list_name.encode()).digest()[:CURSOR_HEAD]
    return base64.urlsafe_b64encode(head + item_id[-CURSOR_TAIL:].encode()).decode()


def tail_of_cursor(cursor: str) -> str:
    """Read the end of the item's id out of a cursor; ValueError when it is not one."""
    try:
        raw = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        tail = raw[CURSOR_HEAD:].decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(f"invalid cursor: {cursor}") from error
    if len(tail) != CURSOR_TAIL:
        raise ValueError(f"invalid cursor: {cursor}")
    return tail

"""Knows the newest commit of every branch, and which files a build filter cares about.

A branch nobody has pushed to has one commit, always the same; a push puts a newer one on top.
"""

import hashlib
import re
from functools import lru_cache

from reconciler.simulator import models, times
from reconciler.simulator.wire import Json
from reconciler.simulator.world import World

KIND = "branch_head"


def _key(repo: str, branch: str) -> str:
    return "git-" + hashlib.sha256(f"{repo_name(repo)}#{branch}".encode()).hexdigest()[:20]


def repo_name(repo: str) -> str:
    """Spell a repository so that two addresses of the same one are equal."""
    return repo.rstrip("/").removesuffix(".git").lower()


def newest(world: World, repo: str, branch: str) -> Json:
    """Tell the newest commit of a branch."""
    head = world.smalls.get(_key(repo, branch))
    if head is not None:
        return dict(head.body)
    commit = {"id": world.ids.commit(repo, branch), "message": f"Newest commit of {branch}"}
    return commit | {"createdAt": "2025-01-01T00:00:00Z"}


def push(world: World, repo: str, branch: str, message: str) -> Json:
    """Put a new commit on a branch."""
    now_ns, key = world.stamp_ns(), _key(repo, branch)
    body: Json = {
        "id": hashlib.sha1(f"{repo}#{branch}#{now_ns}#{message}".encode(), usedforsecurity=False).hexdigest(),
        "message": message, "createdAt": times.micro(now_ns),
    }  # fmt: skip
    head = world.smalls.get(key)
    if head is None:
        name = f"{repo_name(repo)}#{branch}"
        world.smalls.add(models.Small(key, KIND, world.owner_id, now_ns, now_ns, name=name, body=body))
    else:
        head.body, head.updated_ns = body, now_ns
        world.smalls.touch(head)
    return dict(body)


def concerns(build_filter: Json | None, changed: list[str]) -> bool:
    """Tell whether a build filter lets a push of these files deploy; a push of unknown files always does."""
    if not build_filter or not changed:
        return True
    paths, ignored = build_filter.get("paths") or [], build_filter.get("ignoredPaths") or []
    return any(
        (not paths or any(_glob(pattern).fullmatch(path) for pattern in paths))
        and not any(_glob(pattern).fullmatch(path) for pattern in ignored)
        for path in changed
    )


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    """Read a glob: `**` is any path, `*` and `?` stay within a name."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))

"""Reads secrets back out of what Render holds: which places to look at, and what stands there; pure, never printed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reconciler.core.stack import Stack
from reconciler.core.values import Lookup, SecretRef, Sensitive, Value, resolve

Texts = Mapping[str, Mapping[str, Sensitive]]
"""Variables (or secret files) by component, as Render holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """Secrets found, and those of which components hold different values (then the first one's counts)."""

    found: Mapping[SecretRef, Sensitive]
    split: Mapping[SecretRef, tuple[str, ...]]


def _refs(value: Value) -> set[SecretRef]:
    return {part for part in value if isinstance(part, SecretRef)}


def places(stack: Stack, wanted: Collection[SecretRef], live: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Choose as few components as possible whose variables, and whose files, hold all these secrets."""
    env: set[str] = set()
    files: set[str] = set()
    for ref in sorted(wanted, key=lambda one: (one.shared, one.name)):
        users = [key for key in stack.resources if key in live]
        in_env = [key for key in users if any(ref in _refs(v) for v in stack.resources[key].env.values())]
        in_files = [key for key in users if any(ref in _refs(v) for v in stack.resources[key].files.values())]
        if not env.intersection(in_env) and in_env:
            env.add(in_env[0])
        elif not in_env and not files.intersection(in_files) and in_files:
            files.add(in_files[0])
    return frozenset(env), frozenset(files)


def taken_out(value: Value, text: str, lookup: Lookup) -> tuple[SecretRef, str] | None:
    """Answer the one secret of a value, and its text inside the whole; None when it cannot be told apart."""
    at = [place for place, part in enumerate(value) if isinstance(part, SecretRef)]
    if len(at) != 1:
        return None
    before, after = resolve(value[: at[0]], lookup), resolve(value[at[0] + 1 :], lookup)
    if not isinstance(before, Sensitive) or not isinstance(after, Sensitive):
        return None
    head, tail = before.reveal(), after.reveal()
    if len(text) <= len(head) + len(tail) or not text.startswith(head) or not text.endswith(tail):
        return None
    ref = value[at[0]]
    assert isinstance(ref, SecretRef), "chosen for that"
    return ref, text[len(head) : len(text) - len(tail)]


def read_back(stack: Stack, env: Texts, files: Texts, lookup: Lookup) -> ReadBack:
    """Read every secret of a stack out of the variables and files that were looked at."""
    found: dict[SecretRef, Sensitive] = {}
    held: dict[SecretRef, dict[str, str]] = {}
    for key, resource in stack.resources.items():
        for wanted, there in ((resource.env, env.get(key, {})), (resource.files, files.get(key, {}))):
            for name, value in wanted.items():
                pair = taken_out(value, there[name].reveal(), lookup) if name in there else None
                if pair is not None:
                    found.setdefault(pair[0], Sensitive(pair[1]))
                    held.setdefault(pair[0], {}).setdefault(key, pair[1])
    split = {ref: tuple(sorted(texts)) for ref, texts in held.items() if len(set(texts.values())) > 1}
    return ReadBack(found=found, split=split)

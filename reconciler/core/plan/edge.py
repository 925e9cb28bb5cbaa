"""Plans what stands at the edge of a service: custom domains, and headers and routes of static sites."""

from reconciler.core import diff
from reconciler.core.actions import Verb
from reconciler.core.kinds import Bucket
from reconciler.core.observed import Domain, Rule
from reconciler.core.plan.subject import Subject, name_changes
from reconciler.core.spec import DriftPolicy

NO_RULES = diff.applied_text([])


def plan_domains(subject: Subject) -> None:
    """Add and remove custom domains; the twin of an apex or www pair belongs to its sibling."""
    wanted = subject.resource.domains or ()
    live = {domain.name: domain for domain in subject.known.domains}
    strict = subject.view.policy is DriftPolicy.STRICT
    for name in wanted:
        if name in live:
            continue
        asked = diff.DOMAIN + name not in subject.known.applied
        heals = asked or subject.heals(f"domain {name}")
        if not asked:
            subject.drifted(f"domain {name} was removed", healed=heals)
        if heals:
            subject.do(
                Verb.ADD_DOMAIN,
                payload={"name": name},
                marks={diff.DOMAIN + name: ""},
                changes=name_changes([f"domain {name}"], "none", "added", asked=asked),
                reason="the spec changed" if asked else "drift",
                bucket=Bucket.DOMAIN,
            )
    applied = tuple(key.removeprefix(diff.DOMAIN) for key in subject.known.applied if key.startswith(diff.DOMAIN))
    twins_first = sorted(live, key=lambda name: name in applied)  # whose mark says that the twin is ours, too
    for name in twins_first:
        domain = live[name]
        if name in wanted or _twin(domain, wanted):
            continue
        ours = name in applied or _twin(domain, applied)
        heals = ours or (strict and subject.heals(f"domain {name}"))
        if not ours:
            subject.drifted(f"domain {name} was added", healed=heals)
        if heals:
            subject.do(
                Verb.REMOVE_DOMAIN,
                payload={"name": name},
                unmarks=(diff.DOMAIN + name,),
                changes=name_changes([f"domain {name}"], "added", "removed", asked=ours),
                reason="the spec changed" if ours else "drift",
            )


def _twin(domain: Domain, wanted: tuple[str, ...]) -> bool:
    return domain.redirect_for in wanted or any(
        domain.name in (f"www.{one}", one.removeprefix("www.")) for one in wanted
    )


def plan_rules(subject: Subject) -> None:
    """Bring headers and routes of a static site to the whole list that shall stand."""
    for prefix, verb, word, wanted, live in (
        (diff.HEADER, Verb.SET_HEADERS, "headers", subject.resource.headers, subject.known.headers),
        (diff.ROUTE, Verb.SET_ROUTES, "routes", subject.resource.routes, subject.known.routes),
    ):
        _plan_rule_list(subject, prefix, verb, word, wanted, live)


def _plan_rule_list(
    subject: Subject, prefix: str, verb: Verb, word: str, wanted: tuple[Rule, ...] | None, live: tuple[Rule, ...]
) -> None:
    list_mark, list_text = prefix.upper(), diff.applied_text([list(rule) for rule in wanted or ()])
    applied = {key for key in subject.known.applied if key.startswith(prefix)}
    strict = subject.view.policy is DriftPolicy.STRICT
    target = diff.rule_target(prefix, wanted, live, subject.known, strict=strict)
    keys = {diff.rule_key(prefix, rule) for rule in wanted or ()}
    foreign = [diff.rule_key(prefix, rule) for rule in live if diff.rule_key(prefix, rule) not in keys | applied]
    for key in foreign:
        subject.drifted(f"{key} was added", healed=strict)
    if _same(prefix, target, live):
        return
    asked = subject.known.applied.get(list_mark, NO_RULES) != list_text
    heals = asked or subject.heals(word)
    if not asked and not foreign:
        subject.drifted(f"{word} were changed", healed=heals)
    if not heals:
        return
    subject.do(
        verb,
        payload={word: [list(rule) for rule in target]},
        marks=dict.fromkeys(sorted(keys), "") | {list_mark: list_text},
        unmarks=tuple(sorted(applied - keys)),
        changes=name_changes([word], f"{len(live)} rules", f"{len(target)} rules", asked=asked),
        reason="the spec changed" if asked else "drift",
    )


def _same(prefix: str, target: tuple[Rule, ...], live: tuple[Rule, ...]) -> bool:
    """Compare rules: the order of routes is their priority, that of headers means nothing."""
    return set(target) == set(live) if prefix == diff.HEADER else target == live


def settled_edge(subject: Subject) -> dict[str, str]:
    """Answer the marks of domains and rules that stand as the spec says."""
    live = {domain.name for domain in subject.known.domains}
    gained = {diff.DOMAIN + name: "" for name in subject.resource.domains or () if name in live}
    for prefix, wanted, there in (
        (diff.HEADER, subject.resource.headers, subject.known.headers),
        (diff.ROUTE, subject.resource.routes, subject.known.routes),
    ):
        target = diff.rule_target(prefix, wanted, there, subject.known, strict=False)
        if wanted is not None and _same(prefix, target, there):
            gained |= {diff.rule_key(prefix, rule): "" for rule in wanted}
            gained[prefix.upper()] = diff.applied_text([list(rule) for rule in wanted])
    return gained

"""Does what a fault rule does to the world as long as it stands, and undoes it when the rule is dropped."""

from reconciler.simulator import deploys, models, postgres, suspension
from reconciler.simulator.faults import Rule
from reconciler.simulator.wire import not_found
from reconciler.simulator.world import World


def begin(world: World, rule: Rule) -> None:
    """Put a new rule into force: a suspension of the account begins at once."""
    if rule.fault != "billing_suspended":
        return
    for item in suspension.everything(world):
        if rule.concerns(item.id, item.name) and suspension.BILLING not in item.suspenders:
            suspension.suspend(world, item, suspension.BILLING)
            rule.held.append(item.id)


def drop(world: World, rule_id: str | None = None) -> int:
    """Drop one rule or all of them and let go of what they held; answer how many went."""
    dropped = world.faults.drop(rule_id)
    if rule_id is not None and not dropped:
        raise not_found(rule_id)
    for rule in dropped:
        for key in rule.held:
            _let_go(world, rule, key)
    return len(dropped)


def _let_go(world: World, rule: Rule, key: str) -> None:
    deploy = world.deploys.get(key)
    if deploy is not None:
        _end_hang(world, deploy)
        return
    item = world.resource(key)
    if rule.fault == "billing_suspended" and item is not None and not isinstance(item, models.Group):
        heirs = [one for one in world.faults.rules if one.fault == rule.fault and one.concerns(key, item.name)]
        if heirs:
            heirs[0].held.append(key)
        else:
            suspension.resume(world, item, suspension.BILLING)
    elif isinstance(item, models.Postgres) and item.status == "creating" and not item.due_ns:
        postgres.begin(world, item, "creating", postgres.creating_s(world))


def _end_hang(world: World, deploy: models.Deploy) -> None:
    """Have a deploy that hangs end now, the way its time limit would end it."""
    if deploy.status in deploys.IN_PROGRESS and not deploy.due_ns:
        deploy.due_ns = world.now_ns()
        world.deploys.touch(deploy)
        world.schedule("deploy", deploy)

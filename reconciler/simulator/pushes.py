"""Does what a push to a git repository does to the services that are built from it.

Render API: `autoDeployTrigger` says who deploys by itself (deploy trigger `new_commit`); a commit that touches
nothing a build filter names is ignored; a deleted branch moves its services to another.
"""

from reconciler.simulator import checks, commits, deploys, events, models
from reconciler.simulator.wire import Json, invalid
from reconciler.simulator.world import World


def push(world: World, service: models.Service, body: Json) -> None:
    """Push a commit (`message`, `paths` it touches) to the branch of a service; all on it learn of it.

    `checks: false` says that the commit's checks fail: who waits for them does not deploy.
    """
    repo = _repo(service)
    branch = checks.text(body, "branch", service.branch or "main")
    changed = checks.texts(body, "paths")
    passing = checks.flag(body, "checks", True)
    commit = commits.push(world, repo, branch, checks.text(body, "message", "Pushed by a person"))
    for item in _built_from(world, repo, branch):
        if item.auto_deploy_trigger == "off" or item.suspenders:
            continue
        if item.auto_deploy_trigger == "checksPass" and not passing:
            continue
        if commits.concerns(item.build_filter, changed):
            deploys.request(world, item, deploys.Options(trigger="new_commit"))
        else:
            address = f"https://{commits.repo_name(repo).partition('://')[2]}/commit/{commit['id']}"
            events.emit(world, item, "commit_ignored", {"id": commit["id"], "url": address})


def delete_branch(world: World, service: models.Service, body: Json) -> None:
    """Delete the branch of a service; all on it are moved to another (`new_branch`, main by default)."""
    repo, old = _repo(service), service.branch or "main"
    new = checks.text(body, "new_branch", "main")
    if new == old:
        raise invalid(f"new_branch: {new} is the branch that is deleted")
    for item in _built_from(world, repo, old):
        item.branch = new
        item.updated_ns = world.stamp_ns()
        world.services.touch(item)
        events.emit(world, item, "branch_deleted", {"deletedBranch": old, "newBranch": new})


def _repo(service: models.Service) -> str:
    if service.repo is None:
        raise invalid(f"{service.name} has no repository")
    return service.repo


def _built_from(world: World, repo: str, branch: str) -> list[models.Service]:
    name = commits.repo_name(repo)
    return [
        item
        for item in world.services.oldest_first()
        if item.repo is not None and commits.repo_name(item.repo) == name and (item.branch or "main") == branch
    ]

"""Words the details of what happens to builds and deploys: why they began, how and why they ended.

Render API: every ended build, pre-deploy command and deploy has a verdict, an integer twin of it and a reason.
"""

from reconciler.simulator import models
from reconciler.simulator.events import USER
from reconciler.simulator.wire import Json

# The older spelling of a verdict, kept beside the newer one; which numbers is unverified.
TWIN = {"succeeded": 2, "failed": 3, "canceled": 4}
BY_HAND = frozenset({"api", "manual", "deploy_hook", "rollback"})


def build_id(deploy: models.Deploy) -> str:
    """Name the build of a deploy."""
    return "bld" + deploy.id[3:]


def command_id(deploy: models.Deploy) -> str:
    """Name the run of a deploy's pre-deploy command."""
    return "dce" + deploy.id[3:]


def trigger(service: models.Service, deploy: models.Deploy) -> Json:
    """Tell why a deploy began."""
    by_hand = deploy.trigger in BY_HAND
    shown: Json = {
        "firstBuild": service.deploy_ids[:1] == [deploy.id] and service.live_deploy_id is None,
        "envUpdated": False, "manual": by_hand, "deployedByRender": deploy.trigger == "deployed_by_render",
        "clearCache": deploy.clear_cache, "rollback": deploy.trigger == "rollback",
    }  # fmt: skip
    if by_hand:
        shown["user"] = USER
    if deploy.trigger == "new_commit" and deploy.commit is not None:
        shown["newCommit"] = deploy.commit["id"]
    if deploy.rollback_of:
        shown["rollbackTargetDeployId"] = deploy.rollback_of
    return shown


def failure(deploy: models.Deploy) -> Json:
    """Tell why a deploy failed: its command ended badly, or it took too long."""
    if deploy.timed_out_s:
        return {"evicted": False, "timedOutSeconds": int(deploy.timed_out_s), "timedOutReason": "time limit reached"}
    return {"evicted": False, "nonZeroExit": 1}


def ended_build(deploy: models.Deploy, verdict: str, reason: Json) -> Json:
    """Give the details of `build_ended`."""
    return {"buildId": build_id(deploy), "buildStatus": verdict, "status": TWIN[verdict], "reason": reason}


def ended_command(deploy: models.Deploy, verdict: str, reason: Json) -> Json:
    """Give the details of `pre_deploy_ended`."""
    return {
        "deployId": deploy.id, "deployCommandExecutionId": command_id(deploy), "preDeployStatus": verdict,
        "status": TWIN[verdict], "reason": reason,
    }  # fmt: skip


def ended_deploy(deploy: models.Deploy, verdict: str, reason: Json) -> Json:
    """Give the details of `deploy_ended`."""
    return {"deployId": deploy.id, "deployStatus": verdict, "status": TWIN[verdict], "reason": reason}


def reason(deploy: models.Deploy, outcome: str) -> Json:
    """Tell the reason of a deploy's end."""
    if outcome == "live":
        return {}
    if outcome == "build_failed":
        return {"buildFailed": {"id": build_id(deploy)}, "failure": failure(deploy)}
    return {"failure": failure(deploy)}

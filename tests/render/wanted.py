"""Turns recorded requests into what a template of ours says, and compiles that: the desired side of a comparison.

A create says all, an update adds to it, as an edited template would. What the language has no word for but the
client can send (`previews`, parameters of a database, a cleared health check) is laid over the compiled fields.
"""

from dataclasses import dataclass, field, replace

from reconciler.core.compile import compile_stack
from reconciler.core.kinds import ENVIRONMENT, Kind
from reconciler.core.spec import BlueprintSpec, TenantSpec
from reconciler.core.stack import Resource

KEY = "it"
"""The component's name in every comparison."""
SORTS = {Kind.WEB: "web", Kind.PRIVATE: "pserv", Kind.WORKER: "worker", Kind.CRON: "cron", Kind.STATIC: "web"}
SAME = ("repo", "branch", "rootDir", "autoDeployTrigger")
SAME_DETAILS = (
    *("runtime", "plan", "region", "numInstances", "preDeployCommand", "maintenanceMode", "maxShutdownDelaySeconds"),
    *("renderSubdomainPolicy", "schedule", "disk", "buildCommand"),
)
SAME_SPECIFIC = ("buildCommand", "startCommand", "dockerCommand", "dockerContext", "dockerfilePath")
OF_IMAGES = ("image",)
OF_SOURCE = ("repo", "branch", "buildFilter")
OF_NATIVE = ("buildCommand", "startCommand")
OF_DOCKER = ("dockerContext", "dockerfilePath")
IN_PLAIN_WORDS = {
    "name", "ownerId", "type", "repo", "branch", "rootDir", "autoDeploy", "autoDeployTrigger", "buildFilter",
    "image", "envVars", "secretFiles", "environmentId", "serviceDetails",
}  # fmt: skip
DETAILS = {
    *SAME_DETAILS, "envSpecificDetails", "previews", "pullRequestPreviewsEnabled", "healthCheckPath", "autoscaling",
    "ipAllowList", "publishPath", "headers", "routes",
}  # fmt: skip
DATASTORE = {
    "name", "ownerId", "plan", "region", "version", "databaseName", "databaseUser", "diskSizeGB", "ipAllowList",
    "enableHighAvailability", "enableDiskAutoscaling", "readReplicas", "connectionPool", "parameterOverrides",
    "environmentId", "maxmemoryPolicy", "persistenceMode",
}  # fmt: skip


@dataclass
class Wanted:
    """What was asked for of one object so far: words of the language, and what it has no words for."""

    kind: Kind
    name: str = ""
    words: dict = field(default_factory=dict)
    raw: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    environment_id: str = ""

    def hear(self, body: dict) -> None:
        """Take in the body of a create or update."""
        self.name = body.get("name", self.name)
        self.environment_id = body.get("environmentId", self.environment_id)
        if self.kind in SORTS:
            self._hear_service(body)
        elif self.kind in (Kind.POSTGRES, Kind.KEY_VALUE):
            self._hear_datastore(body)
        elif self.kind is Kind.ENVIRONMENT:
            unknown = set(body) - {"name", "projectId", "networkIsolationEnabled", "protectedStatus"}
            assert not unknown, f"nothing compares {unknown}"
            self.words |= body
        else:
            unknown = set(body) - {"name", "ownerId", "envVars", "secretFiles", "environments"}
            assert not unknown, f"nothing compares {unknown}"
        self.hear_env(body["envVars"]) if "envVars" in body else None
        self.hear_files(body["secretFiles"]) if "secretFiles" in body else None

    def hear_env(self, items: list | None) -> None:
        """Take in a whole list of variables; what Render shall generate has no value until an answer shows it."""
        self.env = {item["key"]: item.get("value") for item in items or []}

    def hear_files(self, items: list | None) -> None:
        """Take in a whole list of secret files."""
        self.files = {item["name"]: item["content"] for item in items or []}

    def hear_autoscaling(self, body: dict | None) -> None:
        """Take in a setting of autoscaling, or its removal."""
        self.words.pop("scaling", None)
        if body is not None:
            targets = {"targetCPUPercent": "cpu", "targetMemoryPercent": "memory"}
            self.words["scaling"] = {"minInstances": body["min"], "maxInstances": body["max"]} | {
                word: body["criteria"][name]["percentage"]
                for word, name in targets.items()
                if body["criteria"][name]["enabled"]
            }

    def _hear_service(self, body: dict) -> None:
        details = body.get("serviceDetails", {})
        unknown = (set(body) - IN_PLAIN_WORDS) | (set(details) - DETAILS)
        assert not unknown, f"nothing compares {unknown}"
        self._change_source(body, details)
        self.words |= {word: body[word] for word in SAME if word in body}
        if "autoDeploy" in body:
            self.words |= {"autoDeployTrigger": "commit" if body["autoDeploy"] == "yes" else "off"}
        if "buildFilter" in body:
            self.words["buildFilter"] = {word: paths or [] for word, paths in body["buildFilter"].items()}
        if "image" in body:
            self.words["image"] = {"url": body["image"]["imagePath"]}
        self.words |= {word: details[word] for word in SAME_DETAILS if word in details}
        specific = details.get("envSpecificDetails", {})
        self.words |= {word: specific[word] for word in SAME_SPECIFIC if word in specific}
        if "previews" in details:
            self.raw["previews"] = details["previews"].get("generation", "off")
        if "healthCheckPath" in details:
            self._either("healthCheckPath", details["healthCheckPath"])
        if "ipAllowList" in details:
            self.words["ipAllowList"] = sources(details["ipAllowList"])
        if "publishPath" in details:
            self.words["staticPublishPath"] = details["publishPath"]
        self.words |= {word: details[word] or [] for word in ("headers", "routes") if word in details}
        if "autoscaling" in details:
            self.hear_autoscaling(details["autoscaling"])

    def _change_source(self, body: dict, details: dict) -> None:
        """Drop what a template no longer says once the service is built from something else (Render API 3.5)."""
        runtime = details.get("runtime", self.words.get("runtime"))
        if "image" in body:
            gone = (*OF_SOURCE, *OF_NATIVE, *OF_DOCKER)
        elif "repo" in body:
            gone = (*OF_IMAGES, *(OF_NATIVE if runtime == "docker" else (*OF_DOCKER, "dockerCommand")))
        else:
            gone = ()
        for word in gone:
            self.words.pop(word, None)

    def _either(self, word: str, value: str) -> None:
        """Say a text where the language has it, and lay an empty one over the fields where it has not."""
        self.words.pop(word, None)
        self.raw.pop(word, None)
        (self.words if value else self.raw)[word] = value

    def _hear_datastore(self, body: dict) -> None:
        unknown = set(body) - DATASTORE
        assert not unknown, f"nothing compares {unknown}"
        names = {"version": "postgresMajorVersion", "databaseUser": "user"}
        same = ("region", "databaseName", "diskSizeGB", "connectionPool", "maxmemoryPolicy", "persistenceMode")
        for word in (*names, *same, "readReplicas"):
            if body.get(word):  # null and "" leave it to Render
                self.words[names.get(word, word)] = body[word]
        if "plan" in body:
            self.words["plan"] = body["plan"].replace("_", "-")
        if "ipAllowList" in body:
            self.words["ipAllowList"] = sources(body["ipAllowList"])
        if "enableHighAvailability" in body:
            self.words["highAvailability"] = {"enabled": body["enableHighAvailability"]}
        if "enableDiskAutoscaling" in body:
            self.words["storageAutoscalingEnabled"] = body["enableDiskAutoscaling"]
        if "parameterOverrides" in body:
            self.raw["parameterOverrides"] = body["parameterOverrides"]

    # ------------------------------------------------------------ compiled

    def compiled(self) -> Resource:
        """Compile the words so far; the variables every tenant gets beside them were never asked for here."""
        stack = compile_stack(self._blueprint(), 1, TenantSpec(name="acme", blueprint="recorded"))
        assert not stack.warnings, stack.warnings
        key = ENVIRONMENT if self.kind is Kind.ENVIRONMENT else KEY
        if self.kind is Kind.PROJECT:
            return Resource(component=key, kind=self.kind, name=self.name)
        made = stack.resources[key]
        env = {name: value for name, value in made.env.items() if name in self.env}
        return replace(made, name=self.name, fields={**made.fields, **self.raw}, env=env, after=frozenset())

    def _blueprint(self) -> BlueprintSpec:
        files = {KEY: {name: escaped(text) for name, text in self.files.items()}} if self.kind in SORTS else {}
        grouped = self.kind is Kind.ENVIRONMENT
        return BlueprintSpec(
            name="recorded", template=self._document(), naming="{component}", project=grouped, files=files
        )

    def _document(self) -> dict:
        variables = [{"key": key, "value": escaped(text)} for key, text in self.env.items() if text is not None]
        listed = {"envVars": variables} if variables else {}
        if self.kind in SORTS:
            static = {"runtime": "static"} if self.kind is Kind.STATIC else {}
            said = {name: word for name, word in self.words.items() if name not in self._not_said()}
            return {"services": [{"type": SORTS[self.kind], "name": KEY, **said, **static, **listed}]}
        if self.kind is Kind.POSTGRES:
            return {"databases": [{"name": KEY, **self.words}]}
        if self.kind is Kind.KEY_VALUE:
            return {"services": [{"type": "keyvalue", "name": KEY, **self.words}]}
        if self.kind is Kind.ENVIRONMENT:
            return {"projects": [{"name": "of-it", "environments": [self._environment()]}]}
        return {"envVarGroups": [{"name": KEY, **listed}]}

    def _not_said(self) -> set[str]:
        """Name the words that contradict others: a count beside autoscaling is not ours."""
        return {"numInstances"} if "scaling" in self.words else set()

    def _environment(self) -> dict:
        said: dict = {"name": "one", "envVarGroups": [{"name": KEY}]}
        if "networkIsolationEnabled" in self.words:
            isolated = self.words["networkIsolationEnabled"]
            said["networking"] = {"isolation": "enabled" if isolated else "disabled"}
        if "protectedStatus" in self.words:
            protected = self.words["protectedStatus"] == "protected"
            said["permissions"] = {"protection": "enabled" if protected else "disabled"}
        return said


def sources(entries: list) -> list:
    """Write an allow list in the language's words."""
    return [{"source": entry["cidrBlock"], "description": entry.get("description", "")} for entry in entries]


def escaped(text: str) -> str:
    """Write a text so that nothing in it is an expression of ours."""
    return text.replace("${", "$${")

"""Real render.yaml files of other people, which stand beside the project: where they are, and how to take one in.

RECONCILER_SHARED names the folder they are in, else it is `shared` beside the checkout.
"""

import os
from collections.abc import Container
from pathlib import Path

import pytest

from reconciler import manifest
from reconciler.core.values import Json

FILES = Path(os.environ.get("RECONCILER_SHARED") or Path(__file__).parents[2] / "shared") / "blueprints"
needs_files = pytest.mark.skipif(not FILES.is_dir(), reason=f"no real render.yaml files at {FILES}")

DOCUMENT = """\
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: real}
spec:
  templateFile: FILE
  source: {repo: "https://github.com/acme/real", branch: main}
"""
MISTAKEN = frozenset(
    ("001", "003", "007", "017", "018", "019", "024", "029", "033", "034", "041", "065", "081", "086", "087")
)
"""Numbers of the files that are refused, each for what is wrong in it (`test_render_files` says what)."""


def stored(path: Path) -> dict[str, Json]:
    """Take a file in as `apply` does, and answer the object to store."""
    return taken(path.name, path.read_text("utf-8"))


def taken(name: str, text: str) -> dict[str, Json]:
    """Take the text of a render.yaml in as `apply` does."""
    (doc,) = manifest.load_documents(DOCUMENT.replace("FILE", name), file="real.yaml")
    return manifest.blueprint_document(manifest.inline_template(doc, lambda asked: text))


def names(folder: Path, without: Container[str] = ()) -> list[str]:
    """List the files of a folder but for those with these numbers."""
    return sorted(path.name for path in folder.glob("*.yaml") if path.name.split("-")[0] not in without)


def accepted() -> list[str]:
    """List the files that become Blueprints."""
    return names(FILES, MISTAKEN)

"""The render.yaml language: reads a document or a patch of it into canonical components; pure, it compiles nothing."""

from reconciler.core.blueprint.document import environments, normalise
from reconciler.core.blueprint.patch import patch_component

__all__ = ["environments", "normalise", "patch_component"]

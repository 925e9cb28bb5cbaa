"""The HTTP door: JSON routes, webhooks, probes, console. It knows records through `doors`, not SQL, not the engine."""

from reconciler.api.app import build_api
from reconciler.api.options import ApiOptions, Health
from reconciler.api.probes import build_probes
from reconciler.api.server import Server, serve

__all__ = ["ApiOptions", "Health", "Server", "build_api", "build_probes", "serve"]

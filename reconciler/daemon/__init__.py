"""The composition root: wires ports to the real things, starts, watches and stops them in order; decides nothing."""

from reconciler.daemon.options import Options
from reconciler.daemon.planner import preview
from reconciler.daemon.process import run

__all__ = ["Options", "preview", "run"]

"""Decides what to do: (stack, observed, open operations, policy) -> Plan, a value people and the engine read alike."""

from reconciler.core.plan.make import make_plan
from reconciler.core.plan.view import Plan, View

__all__ = ["Plan", "View", "make_plan"]

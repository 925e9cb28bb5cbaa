"""Compiles Blueprint revision + tenant into a Stack: names, references, env, order; knows live objects by lookup."""

from reconciler.core.compile.build import check, compile_stack

__all__ = ["check", "compile_stack"]

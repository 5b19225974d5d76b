"""The command line: for operators, integrators and people who decide."""

from interlock.cli.main import main

__all__ = ["main"]

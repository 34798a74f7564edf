"""Packages that only some commands need."""

from importlib import import_module
from typing import Any


class ExtraMissing(RuntimeError):
    """A package that this command needs is not installed; the message says how to get it."""


def need(module: str, package: str | None = None) -> Any:
    """The module, imported now. Raises ExtraMissing, with the pip command, if it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name.split(".")[0]):
            raise
        raise ExtraMissing(
            f"{package or module.split('.')[0]} is not installed; run `pip install -r requirements-evaluation.txt`"
        ) from error

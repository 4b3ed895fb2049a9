"""Find and load plug-ins: one file, one constant, nothing to register.

:func:`ids` lists file names without importing anything; :func:`load` imports one file and takes the
constant that its folder prescribes.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import deliverability

CONSTANTS = {
    "checks": "CHECK",
    "ingest": "FORMAT",
    "providers": "PROVIDER",
    "filters": "FILTER",
    "allowlists": "FORM",
    "reports": "RENDERER",
}


@cache
def ids(folder: str) -> tuple[str, ...]:
    """The plug-ins of a folder, sorted; ``_x.py`` is private.  Imports nothing; a folder is listed once a process."""
    found = iter_modules([f"{root}/{folder}" for root in deliverability.__path__])
    return tuple(sorted(one.name.replace("_", "-") for one in found if not one.ispkg and not one.name.startswith("_")))


def load(folder: str, plugin: str) -> Any:
    """Import one plug-in and return its constant.

    Raises :class:`LookupError` when there is none of that id; whatever a broken file raises is passed on.
    """
    if plugin not in ids(folder):
        msg = f"no {plugin!r} in {folder}; there are: {', '.join(ids(folder))}"
        raise LookupError(msg)
    return getattr(import_module(f"deliverability.{folder}.{plugin.replace('-', '_')}"), CONSTANTS[folder])


def load_all(folder: str) -> Iterator[tuple[str, Any | Exception]]:
    """Each id with its constant, or with what went wrong: one broken file stops no other."""
    for plugin in ids(folder):
        try:
            yield plugin, load(folder, plugin)
        except Exception as problem:  # noqa: BLE001 - reported as an error row by the caller
            yield plugin, problem

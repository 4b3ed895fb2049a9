"""Commands whose options need no validation library: what the shell gives is text already.

Typer converts every value, also those that nobody gave, by pydantic (since 0.29), which takes longer to import than a
short log takes to read.  What any library would do with plain text, paths and names out of a list is done here; all
else (numbers, what is wrong) is left to typer.
"""

import inspect
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from typer.core import TyperCommand, TyperGroup


class LightCommand(TyperCommand):
    """A command that converts plain values itself."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options, once they convert what they can."""
        return _lightened(self, super().get_params(ctx))


class LightGroup(TyperGroup):
    """A group of commands that does so with the options before the command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options, once they convert what they can."""
        return _lightened(self, super().get_params(ctx))


def _lightened(command: TyperCommand | TyperGroup, params: list[Any]) -> list[Any]:
    kinds: dict[str, Any] | None = None
    for param in params:
        if isinstance(param.process_value, partial):
            continue
        if kinds is None:
            kinds = get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
        kind = _kind_of(kinds.get(param.name, bool))  # only --help has no parameter of the function
        if kind and not param.required and (param.callback is None or param.name not in kinds):
            # --help acts by its callback, which only the slow way calls.
            convert = _unless_given if param.callback else partial(_convert, kind)
            param.process_value = partial(convert, param.process_value)
    return params


def _unless_given(slowly: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    return slowly(context, value) if value else value


class _Kind(NamedTuple):
    """What an option takes: ``str``, :class:`~pathlib.Path` or an enumeration, once or several times."""

    one: type
    several: bool


def _kind_of(annotation: Any) -> _Kind | None:
    """The kind of an annotation such as ``list[str] | None``; ``None`` for what typer had better convert."""
    several = False
    choices = [kind for kind in get_args(annotation) or (annotation,) if kind is not NoneType]
    if get_origin(annotation) is list:
        several = True
    elif len(choices) == 1 and get_origin(choices[0]) is list:
        several, choices = True, list(get_args(choices[0]))
    if len(choices) != 1 or not isinstance(choices[0], type):
        return None
    return _Kind(choices[0], several)


def _convert(kind: _Kind, slowly: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """The value as typer would give it."""
    if value is None:
        return () if kind.several else None  # nobody gave it
    given = list(value) if kind.several and isinstance(value, list | tuple) else [value]
    made = [_made(kind.one, one) for one in given]
    if None in made or (kind.several and not isinstance(value, list | tuple)):
        return slowly(context, value)
    return made if kind.several else made[0]


def _made(kind: type, value: Any) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        return None
    if issubclass(kind, Enum):
        return next((one for one in kind if one.value == value), None)
    return Path(value) if kind is Path else None

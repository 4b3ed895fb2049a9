"""JSON for machines that people look at as well, in terminals and tickets."""

import json
import re
from functools import lru_cache
from typing import Any
from unicodedata import category

_FOREIGN = re.compile(r"[^\x00-\x7e]")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def dumps(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    r"""The value as JSON, readable in any script; what no reader would see is the escape that JSON has for it.

    RFC 8259 §7 asks for escapes below U+0020 only.  U+009B begins a terminal's commands, marks of direction and of no
    width make text look like another, and a lone surrogate is no UTF-8: all of these become ``\uNNNN``, which parses to
    the very same value.
    """
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=sort_keys, separators=separators)
    return text if text.isascii() and "\x7f" not in text else _FOREIGN.sub(_shown, text)


def _shown(match: "re.Match[str]") -> str:
    return _escaped(match[0])


@lru_cache(maxsize=4096)
def _escaped(char: str) -> str:
    if char == "\x7f":  # ASCII, so that json leaves it as it is
        return r"\u007f"
    return json.dumps(char)[1:-1] if category(char) in _UNSEEN else char

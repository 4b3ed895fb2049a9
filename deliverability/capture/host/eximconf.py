"""Exim's configuration language, as far as a survey needs it (Exim specification, chapter 6).

Comments, continuation lines, macros, ``.ifdef`` and ``.include``; nothing is expanded that Exim would expand while
it runs (``${…}``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from deliverability.capture.host.tree import Tree
from deliverability.capture.host.values import replaced

_MAX_LINES = 50_000
_MAX_INCLUDES = 50
_MAX_SIZE = 20_000_000  # characters written by macros in all
_MAX_LINE = 20_000  # characters, after macros
_MACRO = re.compile(r"([A-Z][A-Za-z0-9_]{0,63})\s*==?\s*(.*)\Z", re.DOTALL)
_WORD = re.compile(r"[A-Za-z0-9_]+")
_OPTION = re.compile(r"(?:hide\s+)?([a-z][a-z0-9_]{0,63})\s*=\s*(.*)\Z", re.DOTALL)
_LIST = re.compile(r"(?:hide\s+)?(?:domain|host|address|localpart)list\s+(\w{1,64})\s*=\s*(.*)\Z", re.DOTALL)
_SECTION = re.compile(r"begin\s+([a-z]+)\s*\Z", re.IGNORECASE)
_BLOCK = re.compile(r"([A-Za-z0-9_]{1,64}):\s*\Z")


@dataclass(slots=True)
class EximConfiguration:
    """Main options, named lists, and the routers and transports with their options."""

    main: dict[str, str] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """By section (``routers``, ``transports``), then by name."""
    complete: bool = True
    """An included file could not be read, or there was more than a survey reads."""


def parse(tree: Tree, path: str, macros: dict[str, str]) -> EximConfiguration | None:
    """Read the file at ``path`` and what it includes, starting with ``macros``; ``None`` if it cannot be read."""
    text = tree.read(path)
    if text is None:
        return None
    reader = _Reader(tree, dict(macros))
    section, block = "main", ""
    for line in reader.lines(text):
        if match := _SECTION.match(line):
            section, block = match[1].lower(), ""
        elif section in ("routers", "transports"):
            if match := _BLOCK.match(line):
                block = match[1]
                reader.found.blocks.setdefault(section, {})[block] = {}
            elif block and (match := _OPTION.match(line)):
                reader.found.blocks[section][block][match[1]] = _unquoted(match[2])
        elif section == "main" and (match := _LIST.match(line)):
            reader.found.lists[match[1]] = _unquoted(match[2])
        elif section == "main" and (match := _OPTION.match(line)):
            reader.found.main[match[1]] = _unquoted(match[2])
    return reader.found


def items(value: str) -> list[str]:
    """The items of an Exim list: separated by ``:``, or by what ``<x`` names (specification, §6.21)."""
    value = value.strip()
    separator = ":"
    if value.startswith("<") and len(value) > 1:
        separator, value = value[1], value[2:]
    return [item.strip() for item in value.split(separator)[:2000] if item.strip()]


def selected(value: str, *, default: frozenset[str]) -> frozenset[str]:
    """What a ``log_selector`` switches on, read from left to right (specification, §53.15)."""
    on = set(default)
    everything = False
    for word in value.split()[:500]:
        name = word[1:]
        if name == "all":
            everything = word[0] == "+"
            on = {"all"} if everything else set()
        elif word[0] == "+":
            on.add(name)
            on.discard("-" + name)
        elif word[0] == "-":
            on.discard(name)
            on.add("-" + name)
    return frozenset(on)


def is_on(selectors: frozenset[str], name: str) -> bool:
    """Whether ``name`` is among the selected, ``all`` counted."""
    return name in selectors or ("all" in selectors and "-" + name not in selectors)


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


class _Reader:
    """Logical lines, after conditions and macros."""

    def __init__(self, tree: Tree, macros: dict[str, str]) -> None:
        self.found = EximConfiguration()
        self._tree = tree
        self._macros = macros
        self._includes = 0
        self._lines = 0
        self._size = 0  # characters after macros

    def lines(self, text: str) -> Iterator[str]:
        """Each logical line that counts; a condition must end in the file it began in."""
        skipping: list[tuple[bool, bool]] = []  # for each open condition: this branch counts; some branch did
        for line in _joined(text):
            self._lines += 1
            if self._lines > _MAX_LINES:
                self.found.complete = False
                return
            word, _, rest = line.partition(" ")
            if word.startswith(".") and self._condition(word, rest.strip(), skipping):
                continue
            if not all(counts for counts, _ in skipping):
                continue
            if word in (".include", ".include_if_exists"):
                yield from self._included(self._replaced(rest.strip()), optional=word != ".include")
                continue
            if match := _MACRO.match(line):
                self._macros[match[1]] = self._replaced(match[2].strip())
                continue
            yield self._replaced(line)

    def _condition(self, word: str, rest: str, skipping: list[tuple[bool, bool]]) -> bool:
        if word in (".ifdef", ".ifndef"):
            counts = self._defined(rest) == (word == ".ifdef")
            skipping.append((counts, counts))
        elif word in (".elifdef", ".elifndef") and skipping:
            counts = not skipping[-1][1] and self._defined(rest) == (word == ".elifdef")
            skipping[-1] = (counts, counts or skipping[-1][1])
        elif word == ".else" and skipping:
            skipping[-1] = (not skipping[-1][1], True)
        elif word == ".endif" and skipping:
            skipping.pop()
        else:
            return False
        return True

    def _defined(self, text: str) -> bool:
        """Exim: the line after ``.ifdef`` is true when any macro occurs in it."""
        return any(word in self._macros for word in _WORD.findall(text[:_MAX_LINE]))

    def _replaced(self, line: str) -> str:
        for _ in range(8):  # macros in macros
            if not any(match[0] in self._macros for match in _WORD.finditer(line)):
                break
            if self._size > _MAX_SIZE:
                self.found.complete = False
                break
            line = replaced(_WORD, lambda match: self._macros.get(match[0], match[0]), line, _MAX_LINE)
            self._size += len(line)
        return line

    def _included(self, path: str, *, optional: bool) -> Iterator[str]:
        path = _unquoted(path)
        self._includes += 1
        if optional and not self._tree.exists(path):
            return
        text = self._tree.read(path) if path.startswith("/") and self._includes <= _MAX_INCLUDES else None
        if text is None:
            self.found.complete = False
            self._tree.note(f"Exim's configuration includes {path}, which was not read")
            return
        yield from self.lines(text)


def _joined(text: str) -> Iterator[str]:
    """Logical lines: a backslash at the end joins the next line, without its leading blanks; comments go."""
    parts: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("#") or (not line and not parts):
            continue
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        parts.append(line)
        yield "".join(parts)
        parts = []
    if parts:
        yield "".join(parts)

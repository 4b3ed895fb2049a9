"""Who signs with which DKIM selector: OpenDKIM and rspamd.  Key files are never opened."""

import re
from collections.abc import Iterator

from deliverability.capture.host.model import Found
from deliverability.capture.host.tree import Tree, entries
from deliverability.capture.host.values import full_name
from deliverability.config import selector_name

Signing = Found[tuple[str, str]]

_OPENDKIM = ("/etc/opendkim.conf", "/etc/opendkim/opendkim.conf")
_RSPAMD = ("/etc/rspamd/local.d/dkim_signing.conf", "/etc/rspamd/override.d/dkim_signing.conf")
_PIECE = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\];,=:\n]|#[^\n]*|[^\s{}\[\];,=:"#]+|"')
_MAX_PIECES = 50_000
_DEFAULT_PATH = "/var/lib/rspamd/dkim/$domain.$selector.key"
_DEFAULT_SELECTOR = "dkim"  # modules.d/dkim_signing.conf


def look(tree: Tree) -> list[Signing]:
    """Every pair of domain and selector that a signer's configuration names."""
    found = [*_opendkim(tree), *_rspamd(tree)]
    return list({pair.value: pair for pair in reversed(found)}.values())[::-1]


def _pair(domain: str, selector: str, found_in: str) -> Iterator[Signing]:
    name = full_name(domain)
    try:
        if name is not None:
            yield Found((name, selector_name(selector)), found_in)
    except ValueError:
        return


def _opendkim(tree: Tree) -> Iterator[Signing]:
    """``Domain`` and ``Selector``, or a ``KeyTable`` of ``name domain:selector:key`` (opendkim.conf(5))."""
    for path in _OPENDKIM:
        options = {row[0].lower(): " ".join(row[1:]) for row in entries(tree.read(path) or "") if len(row) > 1}
        if table := options.get("keytable"):
            yield from _key_table(tree, path, table)
        elif selector := options.get("selector"):
            for domain in re.split(r"[\s,]+", options.get("domain", "").removeprefix("csl:"))[:1000]:
                yield from _pair(domain, selector, path)


def _key_table(tree: Tree, path: str, table: str) -> Iterator[Signing]:
    kind, _, rest = table.partition(":") if ":" in table else ("file", "", table)
    if kind not in ("file", "refile"):
        tree.note(f"{path}: KeyTable is of type {kind[:40]!r}, which is not read here; add the selectors yourself")
        return
    for row in entries(tree.read(rest.strip()) or ""):
        if len(row) > 1 and row[1].count(":") >= 2:
            domain, selector, _ = row[1].split(":", 2)
            # "%" stands for the domain of each message: which ones, the table does not say, and it is no full name.
            yield from _pair(domain, selector, rest.strip())


def _rspamd(tree: Tree) -> Iterator[Signing]:
    """``domain { example.com { selector = …; } }``, selector maps, or key files named after domain and selector."""
    for path in _RSPAMD:
        text = tree.read(path)
        if text is None:
            continue
        plain: dict[str, str] = {}
        for where, value in _settings(text):
            keys = where[1:] if where[:1] == ("dkim_signing",) else where
            if len(keys) == 1:
                plain[keys[0]] = value
            elif len(keys) > 2 and keys[0] == "domain" and keys[-1] == "selector":
                yield from _pair(keys[1], value, path)
        if selectors := plain.get("selector_map"):
            for row in entries(tree.read(selectors.removeprefix("file://")) or ""):
                if len(row) > 1:
                    yield from _pair(row[0], row[1], selectors)
        yield from _key_names(tree, plain.get("path", _DEFAULT_PATH), plain.get("selector", _DEFAULT_SELECTOR))


def _key_names(tree: Tree, pattern: str, selector: str) -> Iterator[Signing]:
    """Domains whose key file is there, told from its name."""
    directory, _, name = pattern.rpartition("/")
    if "$" in directory or name.count("$domain") != 1 or not directory.startswith("/"):
        return
    before, _, after = name.replace("$selector", selector).partition("$domain")
    for entry in tree.names(directory):
        if entry.startswith(before) and entry.endswith(after) and len(entry) > len(before) + len(after):
            domain = entry[len(before) : len(entry) - len(after)]
            yield from _pair(domain, selector, f"{directory}/{entry} (its name)")


def _settings(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The settings of a UCL file as path and value: as much of the syntax as rspamd's own files use."""
    path: list[str] = []
    words: list[str] = []
    for count, match in enumerate(_PIECE.finditer(text)):
        piece = match[0]
        if count > _MAX_PIECES:
            return
        if piece.startswith("#"):
            continue
        if piece in "{[":
            path.append(words[-1] if words else "")
            words = []
        elif piece in "}];," or (piece == "\n" and len(words) > 1):
            if len(words) == 2:
                yield (*path, words[0]), words[1]
            words = []
            if piece in "}]" and path:
                path.pop()
        elif piece not in "=:\n":
            words.append(piece[1:-1] if piece.startswith('"') and len(piece) > 1 else piece)

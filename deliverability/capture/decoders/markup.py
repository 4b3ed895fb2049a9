"""What terminals, ticket systems and chats do *within* a log line, undone: colours, links, entities, other blanks.

Each kind is settled once for a file, by its first lines, and undone only where it says nothing that the rest of the
line does not say: a link goes where its target is the very text before or beside it, curly quotation marks where a line
has one pair of them and no straight ones, blanks and tabs where no line could be read before.  What remains of a
stranger's words is always something that he could have written himself.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deliverability.capture.decoders.plain import BOARD_ENDS, NO_BREAK, OPENING, UNBRACKETED

_COLOUR = re.compile(rb"\x1b\[[0-9;]{0,32}[mK]")  # ECMA-48 §8.3.117 (SGR) and §8.3.41 (EL)
_LINKED = re.compile(
    rb"<(?:mailto:|https?://)(?P<target>[^\s<>|()\[\]]{1,400}?)/?(?:\|(?P<shown>[^\s<>|]{1,400}))?>"
    rb"|\]\((?:mailto:|https?://)(?P<below>[^\s<>|()\[\]]{1,400}?)/?\)"
)
_BOARD = re.compile(rb"\[(?:email|url)(?:=[^\s<>\[\]]{1,400})?\]([^\s<>\[\]]{1,400})\[/(?:email|url)\]", re.IGNORECASE)
_STYLED = re.compile(
    rb"\[/?(?:font|size|color|b|i|u|code|quote)(?:=[^\s\[\]]{0,40}(?: [\w\"-]{1,40}){0,4})?\]", re.IGNORECASE
)
_BREAK = re.compile(rb"[ \t]*<(?:br|BR) ?/?>[ \t\r]*\Z")
_ENDS = frozenset(b"<>[]()\"'=,;: \t")
"""What may stand before an address, so that it is seen whole."""
_ENTITIES = ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&#39;", b"'"), (b"&#x27;", b"'"), (b"&amp;", b"&"))
_CLOSING = b"\xe2\x80\x9d"
_NAMED = (
    re.compile(rb"(: from=)([^\s<>\",]{1,320})(, size=)"),
    re.compile(rb"(; from=)([^\s<>\",]{1,320})( to=)"),
    re.compile(rb"( to=)([^\s<>\",]{1,320})( proto=)"),
    re.compile(rb"(: message-id=)([^\s<>\"]{1,998})(\Z)"),
)
"""Where else Postfix writes brackets: the sender, a refused envelope, the Message-ID.

Nothing in the sender's place may be a sender that the page swallowed: it is not told as the empty one.
"""

Known = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Markup:
    """What was done within the lines."""

    coloured: bool = False
    broken: bool = False
    """Each line ends with ``<br>``."""
    boarded: bool = False
    """``[email]a@b[/email]`` and ``[B]…[/B]``, as forums write it."""
    linked: bool = False
    """``a@b <mailto:a@b>``, ``[a@b](mailto:a@b)`` or ``<mailto:a@b|a@b>``; names of hosts likewise."""
    escaped: bool = False
    """``<`` is written ``&lt;``."""
    blanks: tuple[bytes, ...] = ()
    """What stands for blanks."""
    curly: bool = False
    """Quotation marks were made curly."""
    unbracketed: bool = False
    """The angle brackets around addresses are lost."""

    def undone(self, line: bytes) -> bytes:
        """The line as it was."""
        if self.coloured:
            line = _COLOUR.sub(b"", line)
        if self.broken:
            line = _BREAK.sub(b"", line)
        if self.boarded:
            line = _STYLED.sub(b"", _BOARD.sub(rb"\1", line))
        if self.linked:
            line = _unlinked(line)
        if self.escaped:
            for entity, sign in _ENTITIES:
                line = line.replace(entity, sign)
            line = _unlinked(line) if self.linked else line
        for blank in self.blanks:
            line = line.replace(blank, b" ")
        line = _bracketed(line) if self.unbracketed else line
        return _straight(line) if self.curly else line


def markup_of(sampled: Sequence[bytes], known: Known, read: Known, *, whole: bool) -> Markup:
    """What was done within lines like these.

    ``whole``: they are all there are.  Links and a forum's marks are undone in a paste only: one subject of a stranger's
    that holds some would have a whole log taken for one.  ``known`` tells a line of a log, with something before it or not; ``read`` those whose head is parted by blanks.
    """
    linked = whole and any(b"mailto:" in line for line in sampled)
    boarded = whole and any(end in line for line in sampled for end in BOARD_ENDS)
    coloured = any(_COLOUR.search(line) for line in sampled)
    broken = any(_BREAK.search(line) for line in sampled)
    found = Markup(coloured=coloured, broken=broken, boarded=boarded, linked=linked)
    bare = [found.undone(line) for line in sampled]
    blanks = tuple(blank for blank in (NO_BREAK, b"\t") if _are_blanks(bare, blank, known, read))
    bare = [Markup(blanks=blanks).undone(line) for line in bare]
    told = [line for line in bare if known(line)]
    open_ = any(b"<" in line for line in told)
    escaped = any(b"&lt;" in line for line in told) and not open_
    unbracketed = any(UNBRACKETED.search(line) for line in told) and not (open_ or escaped)
    curly = any(b"=" + OPENING in line for line in told) and not any(b'"' in line for line in told)
    return Markup(coloured, broken, boarded, _is_linked(sampled, linked=linked), escaped, blanks, curly, unbracketed)


def _is_linked(sampled: Sequence[bytes], *, linked: bool) -> bool:
    """Whether some link says what its text says; written in entities it may be too."""
    tried = Markup(linked=True, escaped=True)
    plain = Markup(escaped=True)
    return linked and any(tried.undone(line) != plain.undone(line) for line in sampled)


def _are_blanks(sampled: Sequence[bytes], blank: bytes, known: Known, read: Known) -> bool:
    """Whether lines can only be read when this stands for a blank."""
    before = sum(map(read, sampled))
    return sum(known(line.replace(blank, b" ")) for line in sampled if blank in line) > 3 * before


def _unlinked(line: bytes) -> bytes:
    """Each link whose target is its own text as that text."""
    made: list[bytes] = []
    at = 0
    for match in _LINKED.finditer(line):
        before = line[at : match.start()]
        target = match["target"] or match["below"]
        if match["shown"] is not None:
            kept = before + target if match["shown"] == target else None
        elif match["below"] is not None:
            kept = next(
                (
                    before.removesuffix(b"[" + text) + text
                    for text in (target, b"<%s>" % target)
                    if before.endswith(b"[" + text)
                ),
                None,
            )
        else:
            shown = before.removesuffix(b" ")
            kept = shown if _ends_with(shown, target) else None
        made.append(line[at : match.end()] if kept is None else kept)
        at = match.end()
    return b"".join((*made, line[at:])) if made else line


def _bracketed(line: bytes) -> bytes:
    """Postfix's addresses in angle brackets again, in a line that has none."""
    if b"<" in line:
        return line
    match = UNBRACKETED.search(line)
    if match is None:
        for named in _NAMED:
            line = named.sub(rb"\1<\2>\3", line, count=1)
        return line
    original = b", orig_to=<%s>" % match["original"] if match["original"] else b""
    return b"%s: to=<%s>%s, relay=%s" % (line[: match.start()], match["address"], original, line[match.end() :])


def _ends_with(text: bytes, target: bytes) -> bool:
    """Whether the last word is the target, all of it."""
    start = len(text) - len(target)
    return text.endswith(target) and (start == 0 or text[start - 1] in _ENDS)


def _straight(line: bytes) -> bytes:
    """Quotation marks straight again, where it cannot be a stranger who wrote one of them."""
    if line.count(OPENING) == line.count(_CLOSING) == 1 and b'"' not in line and b"=" + OPENING in line:
        return line.replace(OPENING, b'"').replace(_CLOSING, b'"')
    return line

"""The verifier that needs nothing installed: one HTML file that a browser opens from disk (DESIGN §5).

Put together from its parts in ``verifier/`` and the sentences of the catalogues, so that it can say nothing else than
``deliverability verify``.  Its policy allows exactly this style and this script, and no network at all.
"""

import json
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from deliverability.compose.because import known
from deliverability.compose.catalog import catalog
from deliverability.evidence.languages import LANGUAGES

SCRIPTS = ("stamps.js", "script.js")
"""Parts of the one script, in their order."""
_REASON = re.compile(r'(?:new (?:Bad|Other)\(|problem: )("[^"\\\n]{1,200}")')
"""What the script finds wrong, where it says so in fixed words."""
_PARTS = files("deliverability.ledger").joinpath("verifier")


@cache
def verifier_page() -> bytes:
    """The file; the same octets for everyone who has this version."""
    style, script = _part("style.css"), "\n".join(_part(name) for name in SCRIPTS)
    words = _words()
    filled = {
        "STYLE_HASH": _source(style),
        "SCRIPT_HASH": _source(script),
        "TITLE": words["en"]["page.title"],
        "STYLE": style,
        # In a data block of HTML nothing but "<" could end the block or open a comment.
        "WORDS": json.dumps(words, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c"),
        "SCRIPT": script,
    }
    page = _part("page.html")
    head, *rest = page.split("@")
    # The parts' own "@" are never looked at: each placeholder is replaced once, from the left.
    out = [head]
    while rest:
        name = rest.pop(0)
        if name in filled:
            out += [filled[name], rest.pop(0)]
        else:
            out.append(f"@{name}")
    return "".join(out).encode()


def _words() -> dict[str, dict[str, str]]:
    """All that the page says, by language: its own words, and those of every verification."""
    own: dict[str, dict[str, str]] = json.loads(_part("words.json"))
    sentences = {lang: catalog(lang).sentences for lang in LANGUAGES if lang in own}
    reasons = {json.loads(said) for name in SCRIPTS for said in _REASON.findall(_part(name))}
    return {
        lang: own[lang]
        | {key: said for key, said in by_key.items() if key.startswith("seal.")}
        | {f"reason.{reason}": known(reason, lang) for reason in reasons}
        for lang, by_key in sentences.items()
    }


def _part(name: str) -> str:
    return _PARTS.joinpath(name).read_text("utf-8").strip()


def _source(content: str) -> str:
    """A hash source of CSP 3 §2.3.1."""
    return f"sha256-{b64encode(sha256(content.encode()).digest()).decode()}"

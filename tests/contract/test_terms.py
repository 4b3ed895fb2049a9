"""One word for one thing in the Chinese texts: the one that people in Taiwan meet at their own mail provider.

Gmail's and Outlook's pages in zh-Hant call the recipient 收件者 (such as support.google.com/a/answer/14016360?hl=zh-Hant).
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = sorted(
    path
    for pattern in ("*.py", "*.po", "*.html", "*.j2")
    for path in (ROOT / "deliverability").rglob(pattern)
    if "收" in path.read_text(encoding="utf-8")
)


def test_there_is_something_to_read() -> None:
    assert len(TEXTS) > 5


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_recipient_has_one_name(path: Path) -> None:
    """A provider's own label may say otherwise, inside 「」."""
    ours = re.sub("「[^」]*」", "", path.read_text(encoding="utf-8"))
    assert "收件人" not in ours
    assert "收信人" not in ours

"""Many lines looked at together show the same steps of the clock as each by itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from deliverability.api.holes import BACK, steps
from deliverability.api.scan import Step
from deliverability.capture.blocks import Block

FIRST = datetime(2026, 11, 22, 5, 59, 30)  # noqa: DTZ001 - the zone is written by the form
FORMS = {
    "microseconds": lambda at: f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00",
    "another zone": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}+08:00",
    "exim": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "yearless": lambda at: f"{at:%b %d %H:%M:%S}",
    "a day without a zero": lambda at: f"{at:%b} {at.day} {at:%H:%M:%S}",
}
STRANGE = (b"", b"x", b"Nov 22 06:00:001 h x", b"\xff" * 90, b"\0", b"2026-11-22T05:59")


@st.composite
def logs(draw: st.DrawFn) -> list[bytes]:
    """Lines of one or two forms, most of them in order."""
    forms = draw(st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=2))
    apart = draw(st.lists(st.sampled_from((0, 0, 1, 7, 600)) | st.integers(-900, 100_000), max_size=25))
    lines = []
    for seconds in accumulate(apart):
        words = draw(st.sampled_from(("postfix/smtp[1]: 4jXH3k3V2zzLhRZ: removed", "postfix/cleanup[1]: x", "")))
        lines.append(f"{FORMS[draw(st.sampled_from(forms))](FIRST + timedelta(seconds=seconds))} h {words}".encode())
    for at in draw(st.lists(st.integers(0, len(lines)), max_size=2)):
        lines.insert(at, draw(st.sampled_from(STRANGE)))
    return lines


def blocks_of(groups: Sequence[Sequence[bytes]]) -> list[Block]:
    """Each group of lines as a block."""
    made, offset, number = [], 0, 0
    for group in groups:
        content = b"".join(line + b"\n" for line in group)
        made.append(Block(content, len(content), offset, number))
        offset, number = offset + len(content), number + len(group)
    return made


def shown(found: list[Step]) -> list[tuple[int, int, bytes, timedelta]]:
    return [(step.offset, step.line, step.head, step.by) for step in found]


@given(lines=logs(), cut=st.integers(0, 30))
def test_blocks_change_nothing(lines: list[bytes], cut: int) -> None:
    one_by_one = shown(list(steps(blocks_of([[line] for line in lines]))))
    assert shown(list(steps(blocks_of([lines])))) == one_by_one
    assert shown(list(steps(blocks_of([lines[:cut], lines[cut:]])))) == one_by_one


def test_a_line_that_goes_back_among_many_that_do_not() -> None:
    for form in ("microseconds", "yearless"):
        at = [FIRST + timedelta(seconds=second) for second in range(1000, 2000)]
        at[700] -= BACK + timedelta(minutes=10)
        lines = [FORMS[form](one).encode() + b" h x" for one in at]
        (step,) = steps(blocks_of([lines]))
        assert (step.line, step.head) == (701, lines[700])

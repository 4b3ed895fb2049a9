"""WHMCS's e-mail log (table ``tblemails``, as CSV or JSON): that a notice was made, for which client and address.

An L0 record: it never says that anything was sent.  Built from the columns of public dumps and WHMCS's documentation of
its Email Message Log (https://docs.whmcs.com/Messages/Emails), for its schema is not published; see
``protocols/whmcs_rows.py``.  The text of the notice is left out of every event and of the line that it keeps.
"""

from collections.abc import Iterable, Iterator

from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.export_rows import Row, head_of, needles, parse_row, recogniser, sniffer


def _fits(row: Row) -> bool:
    from deliverability.protocols.whmcs_rows import fits

    return fits(row)


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """One event for each address that a notice was made for; one without an address where the row names none."""
    from deliverability.protocols.export_times import unknown_time
    from deliverability.protocols.whmcs_rows import read_notice, without_body

    for line in lines:
        row = parse_row(line.raw.strip())
        notice = read_notice(row) if row is not None else None
        if row is None or notice is None:
            continue
        kept = without_body(line, row)
        for recipient in dict.fromkeys((*notice.to, *notice.copies)) or (None,):
            yield DeliveryEvent(
                action=Action.RECORDED,
                line=kept,
                at=notice.at or unknown_time(row.text("date")),
                writer="whmcs",
                account=notice.account,
                recipient=recipient,
                subject=notice.subject,
                text=" ".join(w for w in (f"e-mail {notice.number}", notice.state) if w),
            )


def queue_ids(_raw: bytes) -> list[str]:
    """None: no mail server gave these notices an id."""
    return []


FORMAT = LogFormat(
    id="whmcs",
    title="WHMCS e-mail log",
    sniff=sniffer(_fits),
    parse=parse,
    is_line=recogniser(_fits),
    queue_ids=queue_ids,
    needles=needles,
    head=head_of(("id", "userid"), ("_table", "id", "userid")),
    unproven=True,
)

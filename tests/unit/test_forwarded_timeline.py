"""A message that our own server forwarded: the timeline is in the order in which it went."""

from pathlib import Path

from deliverability.api import Network, Request, trace
from deliverability.api.tables import timeline_table

LOG = """\
2026-11-22T12:35:29.192242+00:00 out1 postfix/smtpd[9433]: 4jXT7P1M31z3Vtw: client=web1.hosting.example[192.0.2.5]
2026-11-22T12:35:29.193242+00:00 out1 postfix/cleanup[5251]: 4jXT7P1M31z3Vtw: message-id=<INV-7@billing.example>
2026-11-22T12:35:29.193642+00:00 out1 postfix/qmgr[1463]: 4jXT7P1M31z3Vtw: from=<a@hosting.example>, size=228, nrcpt=1 (queue active)
2026-11-22T12:35:30.402590+00:00 out1 postfix/cleanup[13244]: 4jXT7Q2rVtz1M7d: message-id=<INV-7@billing.example>
2026-11-22T12:35:30.403590+00:00 out1 postfix/local[8628]: 4jXT7P1M31z3Vtw: to=<bob@hosting.example>, relay=local, delay=1.4, delays=0.01/0/1.4/0, dsn=2.0.0, status=sent (forwarded as 4jXT7Q2rVtz1M7d)
2026-11-22T12:35:30.405590+00:00 out1 postfix/qmgr[1463]: 4jXT7Q2rVtz1M7d: from=<a@hosting.example>, size=280, nrcpt=1 (queue active)
2026-11-22T12:35:31.426259+00:00 out1 postfix/smtp[25767]: 4jXT7Q2rVtz1M7d: to=<bob@outlook.example>, orig_to=<bob@hosting.example>, relay=mx.outlook.example[198.51.100.3]:25, delay=1.97, delays=0.01/0/1.97/0, dsn=2.0.0, status=sent (250 2.6.0 Queued mail for delivery)
2026-11-22T12:35:33.401590+00:00 out1 postfix/qmgr[1463]: 4jXT7Q2rVtz1M7d: removed
"""


def test_the_timeline_is_in_the_order_in_which_it_went(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(LOG, "utf-8")
    result = trace(Request(logs=(str(log),), to=("bob@hosting.example",), network=Network(offline=True)))
    rows = timeline_table(result, lang="en", zone="UTC").decode().splitlines()
    steps = ["queue id 4jXT7P1M31z3Vtw", "forwarded as 4jXT7Q2rVtz1M7d", "queue id 4jXT7Q2rVtz1M7d", "Queued mail"]
    found = [next(i for i, row in enumerate(rows) if step in row) for step in steps]
    assert found == sorted(found)

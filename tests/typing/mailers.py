"""Has only to type-check: the drop-ins as a caller uses them."""

import smtplib
from collections.abc import Sequence
from email.message import EmailMessage

from deliverability.api.receipts import Receipt
from deliverability.contrib.smtplib import SMTP, SMTP_SSL, Recording
from deliverability.evidence.recorder import Record, Recorder


def sent(message: EmailMessage, secure: bool) -> Receipt | None:
    kind: type[SMTP] = SMTP_SSL if secure else SMTP
    with kind("smtp.example", 587, ledger="/var/lib/deliverability/ledger", account="4711") as client:
        refused: dict[str, tuple[int, bytes]] = client.send_message(message)
        return client.receipt if not refused else None


def stands_in(client: SMTP, tls: SMTP_SSL) -> tuple[smtplib.SMTP, smtplib.SMTP_SSL]:
    return client, tls


class Own:
    def record(self, records: Sequence[Record]) -> None:
        """Anything that records will do."""


def module(recorder: Recorder | None = None) -> type[SMTP]:
    return Recording(recorder=recorder or Own(), account_header="X-Customer").SMTP

"""Each mailer hands a notice to a real Postfix, inside ``unshare -nm``; leaves the receipts and Postfix's log.

``python mailers_driver.py WORK``: prints one line of JSON when all is sent and then keeps the private world until its
standard input is closed.
"""

import asyncio
import json
import signal
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import driver
import stories

from deliverability.api.mailer import Mailer
from deliverability.api.receipts import Receipt

BODY = "Dear customer,\n\nyour hosting plan ends on 2026-12-22.\n"
BLOCKED = "blocked-1@corp.example"


def to(name: str) -> str:
    return f"ok-{name}@corp.example"


def by_smtplib(ledger: Path) -> dict[str, Receipt]:
    from deliverability.contrib.smtplib import SMTP

    with SMTP(stories.OWN_IP, 25, "whmcs.hosting.example", ledger=ledger) as client:
        client.send_message(written(to("smtplib"), BLOCKED))
        receipt = client.receipt
    assert receipt is not None
    return {"smtplib": receipt.only(to("smtplib")), "blocked": receipt.only(BLOCKED)}


def by_django(ledger: Path) -> dict[str, Receipt]:
    from django.conf import settings

    settings.configure(
        EMAIL_BACKEND="deliverability.contrib.django.EmailBackend",
        EMAIL_HOST=stories.OWN_IP,
        DELIVERABILITY={"ledger": ledger},
    )
    from django.core import mail

    message = mail.EmailMessage("Renewal", BODY, stories.SENDER, [to("django")])
    assert message.send() == 1
    return {"django": message.deliverability_receipt}


def by_flask_mail(ledger: Path) -> dict[str, Receipt]:
    import flask
    import flask_mail

    from deliverability.contrib.flask_mail import Mail

    app = flask.Flask("site")
    app.config.update(MAIL_SERVER=stories.OWN_IP, DELIVERABILITY_LEDGER=str(ledger))
    mail = Mail(app)
    with app.app_context(), mail.connect() as connection:
        connection.send(flask_mail.Message("Renewal", [to("flask")], BODY, sender=stories.SENDER))
        receipt = connection.host.receipt
    return {"flask": receipt}


def by_fastapi_mail(ledger: Path) -> dict[str, Receipt]:
    from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType

    config = ConnectionConfig(
        MAIL_USERNAME="", MAIL_PASSWORD="", MAIL_PORT=25, MAIL_SERVER=stories.OWN_IP, MAIL_STARTTLS=False,
        MAIL_SSL_TLS=False, MAIL_FROM=stories.SENDER,
    )  # fmt: skip
    schema = MessageSchema(subject="Renewal", recipients=[to("fastapi")], body=BODY, subtype=MessageType.plain)

    async def send() -> Receipt:
        async with Mailer(f"{stories.OWN_IP}:25", recorder=ledger, snapshot=False) as mailer:
            return await mailer.send(await FastMail(config).get_message(schema))

    return {"fastapi": asyncio.run(send())}


def written(*recipients: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = stories.SENDER, ", ".join(recipients), "Renewal"
    message["Message-ID"] = f"<{time.time_ns()}@billing.hosting.example>"
    message.set_content(BODY)
    return message


class Play(driver.Play):
    def play_stories(self) -> None:
        self.server.keep_trying()
        ledger = self.work / "ledger"
        receipts: dict[str, Any] = {}
        for send in (by_smtplib, by_django, by_flask_mail, by_fastapi_mail):
            receipts |= send(ledger)
        for name, receipt in receipts.items():
            (self.work / f"{name}.json").write_text(receipt.to_json(), encoding="utf-8")
            if name != "blocked":
                self.reached(to(name))
        time.sleep(2)  # until Postfix has logged what it heard


def main() -> None:
    work = Path(sys.argv[1])
    signal.signal(signal.SIGALRM, driver._too_long)
    signal.alarm(90)
    play = Play("postfix", work, "stories")
    try:
        play.run()
    finally:
        play.server.stop()
    signal.alarm(0)
    sys.stdout.write(json.dumps(play.truth()) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    play.names.stop()


if __name__ == "__main__":
    main()

"""Flask-Mail that records: use this ``Mail`` in place of its own.

>>> app.config["DELIVERABILITY_LEDGER"] = "/var/lib/deliverability/ledger"         # doctest: +SKIP
>>> mail = Mail(app)                                                               # doctest: +SKIP

``DELIVERABILITY_ACCOUNT_HEADER`` names a header field that bears your own name for the customer.  Where Flask-Mail
sends nothing (``MAIL_SUPPRESS_SEND``, tests), nothing is recorded.
"""

import flask_mail
from flask import current_app

from deliverability.contrib.smtplib import SMTP, Recording
from deliverability.errors import UsageError


class Connection(flask_mail.Connection):
    """A connection over the recording SMTP classes."""

    def __init__(self, mail: flask_mail.Mail, recording: Recording) -> None:
        super().__init__(mail)
        self._recording = recording

    def configure_host(self) -> SMTP:
        """As Flask-Mail does it, with classes that record; ``connection.host.receipt`` is the last message's receipt."""
        mail = self.mail
        kind = self._recording.SMTP_SSL if mail.use_ssl else self._recording.SMTP
        host = kind(mail.server, mail.port)
        host.set_debuglevel(int(mail.debug))
        if mail.use_tls:
            host.starttls()
        if mail.username and mail.password:
            host.login(mail.username, mail.password)
        return host


class Mail(flask_mail.Mail):
    """:class:`flask_mail.Mail` that records every message and what came of it."""

    def connect(self) -> Connection:
        """As :meth:`flask_mail.Mail.connect`."""
        app = getattr(self, "app", None) or current_app
        ledger = app.config.get("DELIVERABILITY_LEDGER")
        if not ledger:
            raise UsageError('say where to record: app.config["DELIVERABILITY_LEDGER"] = FOLDER')
        recording = Recording(ledger, account_header=app.config.get("DELIVERABILITY_ACCOUNT_HEADER"))
        return Connection(super().connect().mail, recording)

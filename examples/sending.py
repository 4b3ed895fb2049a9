"""The demo's second half: a notice is signed, sent over TLS to a mail exchanger on loopback, and reported on.

No log is read here: what the report shows was recorded by the mailer while it sent.
"""

import json
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HERE = Path(__file__).resolve().parent
SELECTOR, SENDER, RECIPIENT = "demo", "renewals@hosting.example", "mei@customer.example"
EXCHANGER, HOST = "mx.customer.example", "127.0.0.25"


def names(key: rsa.RSAPrivateKey) -> str:
    """Records that the demo's name server needs beside its own: the key of today, and the customer's exchanger."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = f"v=DKIM1; k=rsa; p={b64encode(der).decode()}"
    strings = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    return (
        f"{SELECTOR}._domainkey.hosting.example. 300 IN TXT {strings}\n"
        f"customer.example. 300 IN MX 10 {EXCHANGER}.\n{EXCHANGER}. 300 IN A {HOST}\n"
    )


def notice(key: rsa.RSAPrivateKey) -> bytes:
    """A renewal notice as it leaves: signed."""
    message = EmailMessage()
    message["From"] = f"Renewals <{SENDER}>"
    message["To"] = RECIPIENT
    message["Subject"] = "主機續約通知 customer.example"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<demo.{datetime.now(UTC):%Y%m%d%H%M%S}@hosting.example>"
    message.set_content("Your hosting plan for customer.example expires in seven days.\n")
    content = message.as_bytes().replace(b"\n", b"\r\n")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    headers = [b"from", b"to", b"subject", b"date", b"message-id"]
    return dkim.sign(content, SELECTOR.encode(), b"hosting.example", pem, include_headers=headers) + content


@contextmanager
def exchanger() -> Iterator[str]:
    """The customer's mail exchanger, by its port."""
    command = [sys.executable, str(HERE / "mx.py"), "--name", EXCHANGER, "--host", HOST]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            if not port.isdecimal():
                sys.exit("the demo's mail exchanger did not start")
            yield port
        finally:
            server.terminate()


def show(run: Callable[..., None], key: rsa.RSAPrivateKey, nameserver: str, page: Path) -> None:
    """Send, and report, with the commands that a person would type."""
    with tempfile.TemporaryDirectory() as folder, exchanger() as port:
        mail, ledger, receipt = Path(folder) / "notice.eml", Path(folder) / "ledger", Path(folder) / "receipt.json"
        mail.write_bytes(notice(key))
        dns = ("--nameserver", nameserver)
        sending = ("--ledger", str(ledger), "--mx-port", port, "--allow-private", *dns)
        run("send", str(mail), *sending, "-o", str(receipt))
        dispatch = json.loads(receipt.read_text(encoding="utf-8"))["intents"][0]["dispatch"]
        kept = ("--ledger", str(ledger), "--message", str(mail), "--helo", "out1.hosting.example", *dns)
        run("report", "--receipt", dispatch, *kept, lines=40)
        run("report", "--receipt", dispatch, *kept, "--lang", "zh-Hant-TW", "--format", "html", "-o", str(page))

"""A small mail exchanger on loopback for the demo: takes every message over STARTTLS, and throws it away.

``python examples/mx.py --name mx.customer.example --host 127.0.0.25`` prints the port it took as its first line, and stops
on SIGTERM, or when its standard input is a pipe that is closed.  Its certificate is made at the start, signed by nobody.
"""

import argparse
import asyncio
import datetime as dt
import ssl
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LONGEST_LINE = 64 << 10


def context(name: str) -> ssl.SSLContext:
    """TLS with a certificate for ``name``, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # the library reads keys from files alone
        file = Path(folder) / "both.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        made.load_cert_chain(file)
    return made


class Exchanger:
    """Speaks just enough SMTP (RFC 5321) to take a message in."""

    def __init__(self, name: str) -> None:
        self.name, self.tls, self.taken = name, context(name), 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            await self._say(writer, f"220 {self.name} ESMTP")
            while line := await reader.readline():
                word = line[:4].upper()
                if word == b"STAR":
                    await self._say(writer, "220 2.0.0 go ahead")
                    await writer.start_tls(self.tls)
                elif word == b"DATA":
                    await self._say(writer, "354 end with a line that holds a dot")
                    await reader.readuntil(b"\r\n.\r\n")
                    self.taken += 1
                    await self._say(writer, f"250 2.0.0 Ok: queued as {self.taken:X}D0E5A17B2")
                elif word == b"QUIT":
                    await self._say(writer, "221 2.0.0 bye")
                    return
                else:
                    await self._say(writer, self._simple(word, writer))
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _simple(self, word: bytes, writer: asyncio.StreamWriter) -> str:
        if word == b"EHLO":
            secured = writer.get_extra_info("ssl_object") is not None
            offers = [self.name, "PIPELINING", "8BITMIME", *([] if secured else ["STARTTLS"])]
            return "\r\n".join(f"250{' ' if o == offers[-1] else '-'}{o}" for o in offers)
        if word in (b"MAIL", b"RCPT", b"RSET", b"NOOP", b"HELO"):
            return "250 2.0.0 Ok"
        return "502 5.5.1 not here"

    async def _say(self, writer: asyncio.StreamWriter, text: str) -> None:
        writer.write(f"{text}\r\n".encode("ascii"))
        await writer.drain()


async def main() -> None:
    """Listen until nobody needs it any more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="mx.customer.example")
    parser.add_argument("--host", default="127.0.0.25")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    server = await asyncio.start_server(Exchanger(given.name).serve, given.host, given.port, limit=LONGEST_LINE * 16)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    # Whoever started it holds the other end: a demo that was killed leaves no server behind.
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())

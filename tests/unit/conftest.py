"""A certificate authority of our own, for servers on the loopback."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and those above it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def chain(self) -> tuple[bytes, ...]:
        return tuple(one.public_bytes(serialization.Encoding.DER) for one in self.above)

    def context(self, folder: Path) -> ssl.SSLContext:
        """A server's context that presents it with its chain."""
        pem = serialization.Encoding.PEM
        key = self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = folder / f"{self.certificate.serial_number}.pem"
        file.write_bytes(key + b"".join(one.public_bytes(pem) for one in (self.certificate, *self.above)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def make(
    name: str,
    names: Iterable[str] = (),
    *,
    by: Issued | None = None,
    authority: bool = False,
    first: datetime | None = None,
    last: datetime | None = None,
) -> Issued:
    """A new certificate, signed by itself without ``by``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(first or now - timedelta(days=1))
        .not_valid_after(last or now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    signed = builder.sign(by.key if by else key, hashes.SHA256())
    return Issued(signed, key, (by.certificate, *by.above) if by else ())


@dataclass(frozen=True)
class Authority:
    """Issues certificates, and says in which file its root stands."""

    root: Issued
    folder: Path

    @property
    def roots(self) -> str:
        file = self.folder / "roots.pem"
        file.write_bytes(self.root.certificate.public_bytes(serialization.Encoding.PEM))
        return str(file)

    def issue(self, *names: str, **options: datetime | None) -> Issued:
        return make(names[0], names, by=self.root, **options)

    def unsigned(self, *names: str) -> Issued:
        return make(names[0], names)

    def below(self, name: str) -> Issued:
        """An authority under the root."""
        return make(name, by=self.root, authority=True)

    def issue_by(self, by: Issued, *names: str) -> Issued:
        return make(names[0], names, by=by)

    def server(self, *names: str, trusted: bool = True) -> ssl.SSLContext:
        return (self.issue(*names) if trusted else self.unsigned(*names)).context(self.folder)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(make("Example Root", authority=True), tmp_path_factory.mktemp("pki"))

"""Certificates for tests: an authority of one's own, and what it signs, good and bad.

Decides what the files of a broker and of a client look like (PEM). Everything is made anew for
each run, in the test's folder.
"""

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

HERE = ("127.0.0.1", "localhost")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, each in a file, and both in one as a Java broker wants them."""

    certificate: Path
    key: Path

    @property
    def both(self) -> Path:
        """A file with the key and the certificate."""
        path = self.key.with_suffix(".both.pem")
        path.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return path


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass
class Authority:
    """Signs; its own certificate is what others trust.

    Attributes:
        folder: For all its files.
        name: Its common name.
    """

    folder: Path
    name: str
    certificate: Path = field(init=False)
    _key: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(self.name))
            .issuer_name(_name(self.name))
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = self.folder / f"{self.name}.ca.pem"
        self.certificate.write_bytes(made.public_bytes(Encoding.PEM))

    def issue(
        self,
        common_name: str,
        *,
        hosts: tuple[str, ...] = HERE,
        expired: bool = False,
        password: str = "",
        file_name: str = "",
    ) -> Identity:
        """Sign a certificate for ``hosts``.

        Args:
            common_name: Whose; for a client the principal.
            hosts: Addresses and names that it is good for.
            expired: Its time is over since an hour.
            password: Of the key's file.
            file_name: Of both files, without an ending.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        end = now - timedelta(hours=1) if expired else now + 30 * _DAY
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * _DAY)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName(_alternatives(hosts)), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        stem = self.folder / (file_name or f"{self.name}-{common_name}{'-expired' * expired}")
        locked: KeySerializationEncryption = (
            BestAvailableEncryption(password.encode()) if password else NoEncryption()
        )
        identity = Identity(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        identity.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        identity.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
        return identity


def _alternatives(hosts: tuple[str, ...]) -> list[x509.GeneralName]:
    return [
        x509.IPAddress(ipaddress.ip_address(host))
        if host.replace(".", "").isdigit()
        else x509.DNSName(host)
        for host in hosts
    ]

"""The files by which the Kafka clients get in, and whether the brokers accept what they hold.

Decides which files count: certificates, key and passwords of the `kafka` section. The client
reads them once, when it is made; ``stream_app/credentials.py`` decides what follows.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.tls_probe import certificate_fault
from stream_app.errors import StreamAppError
from stream_app.settings import KafkaSettings


class KafkaCredentialFiles:
    """See :class:`~stream_app.credentials.CredentialFiles`."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    def fingerprint(self) -> str:
        """See the protocol; a file that is not there has a content of its own."""
        digest = hashlib.sha256()
        for _, path in self._files():
            try:
                content = path.read_bytes()
            except OSError:
                content = b""
            digest.update(b"%d:" % len(content) + content)
        return digest.hexdigest()

    def fault(self) -> str | None:
        """See the protocol: the files themselves first, then a connection made with them."""
        for name, path in self._files():
            try:
                if not path.read_bytes().strip():
                    return f"{name} {path}: is empty; write it whole"
            except OSError as exc:
                return f"{name} {path}: cannot be read ({exc.strerror}); write it again"
        fault = certificate_fault(self._kafka)
        if fault is not None:
            return fault
        try:
            KafkaAdmin(self._kafka).partition_counts()
        except StreamAppError as exc:
            return f"{exc}; the files are {', '.join(name for name, _ in self._files())}"
        return None

    def _files(self) -> Iterator[tuple[str, Path]]:
        kafka = self._kafka
        for name, path in (
            ("kafka.ssl_ca_file", kafka.ssl_ca_file),
            ("kafka.ssl_certificate_file", kafka.ssl_certificate_file),
            ("kafka.ssl_key_file", kafka.ssl_key_file),
            ("kafka.sasl_password_file", kafka.sasl_password_file),
            ("kafka.oauth_client_secret_file", kafka.oauth_client_secret_file),
            ("kafka.oauth_ca_file", kafka.oauth_ca_file),
        ):
            if path is not None:
                yield name, path

"""Why TLS with the brokers fails, in words: asked with Python's own TLS, beside the Kafka client.

The client tells a wrong authority, a wrong host name and an expired certificate in the same
words, and a refused client certificate like a broker that is away. Decides which of these it is
and what to do. Refuses to decide whether there is a connection at all: the client does. Whoever
takes a connection and drops it may be a balancer without a broker: that is no fault of settings.
"""

import socket
import ssl
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from stream_app.settings import KafkaSettings

_CONNECT_S: Final = 3.0
_VERDICT_S: Final = 0.5
"""A broker that dislikes our certificate says so after the handshake; one that does not waits."""

_NOT_YET_VALID, _EXPIRED = 9, 10
_WRONG_NAME: Final = frozenset({62, 63, 64})
"""OpenSSL's X509_V_ERR_…: host name, e-mail, IP address mismatch."""

_ASKS_FOR_ONE: Final = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_NO_CERTIFICATE"}
)
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST"}
    | {"PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)
"""What answered spoke, and not TLS."""

_THEIR_TROUBLE: Final = frozenset({"TLSV1_ALERT_INTERNAL_ERROR", "SSLV3_ALERT_CLOSE_NOTIFY"})
_API_VERSIONS: Final = struct.Struct(">ihhih")
_CORRELATION_ID: Final = 0x5712EA


def tls_fault(kafka: KafkaSettings) -> str | None:
    """What is wrong between us and the brokers as far as TLS goes; ``None``: nothing was found.

    Blocks for some seconds at most. Nothing secret is in the answer.
    """
    own = certificate_fault(kafka)
    if own is not None:
        return own
    for host, port in _addresses(kafka.bootstrap_servers):
        try:
            if "SSL" in kafka.security_protocol:
                _greet(kafka, host, port)
            elif kafka.security_protocol.endswith("PLAINTEXT"):
                return _speaks_tls(kafka, host, port)
            return None
        except OSError as exc:
            words = _words(exc, kafka, host, port)
            if words is not None:
                return words
    return None


def certificate_fault(kafka: KafkaSettings) -> str | None:
    """What is wrong with the files of certificates themselves, without asking anybody."""
    if kafka.ssl_ca_file is not None:
        text = _authority_fault(kafka.ssl_ca_file)
        if text is not None:
            return text
    if kafka.ssl_certificate_file is None or kafka.ssl_key_file is None:
        return None
    names = (
        f"kafka.ssl_certificate_file {kafka.ssl_certificate_file} and "
        f"kafka.ssl_key_file {kafka.ssl_key_file}"
    )
    try:
        return _expiry_fault(kafka, kafka.ssl_certificate_file)
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            return f"{names}: the key is not the certificate's; give the two that belong together"
        reason = (exc.reason or "no PEM").replace("_", " ").lower()
        return (
            f"{names}: not a certificate and its key in PEM ({reason}); give both files whole, and "
            "kafka.ssl_key_password if the key has one"
        )
    except OSError as exc:
        return f"{names}: cannot be read ({exc.strerror}); correct the path or its permissions"


def _authority_fault(path: Path) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return (
            f"kafka.ssl_ca_file {path}: holds no certificate in PEM; give the file of the "
            "authority that signed the brokers' certificates"
        )
    except OSError as exc:
        return f"kafka.ssl_ca_file {path}: cannot be read ({exc.strerror}); correct the path"
    return None


def _expiry_fault(kafka: KafkaSettings, path: Path) -> str | None:
    """Shake hands with ourselves: OpenSSL then says whether the certificate is still good."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path, kafka.ssl_key_file, _password(kafka))
    server.load_verify_locations(cafile=path)
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client = _blind()
    client.load_cert_chain(path, kafka.ssl_key_file, _password(kafka))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    try:
        for _ in range(8):
            for end in ends:
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as exc:
        if exc.verify_code in {_EXPIRED, _NOT_YET_VALID}:
            what = "has expired" if exc.verify_code == _EXPIRED else "is not valid yet"
            now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
            return f"kafka.ssl_certificate_file {path}: {what} (now: {now}); give one that is valid"
    return None


def _greet(kafka: KafkaSettings, host: str, port: int) -> None:
    """A handshake as the client makes it, and a moment for the broker to object."""
    context = ssl.create_default_context(cafile=kafka.ssl_ca_file)
    if kafka.ssl_certificate_file is not None:
        context.load_cert_chain(kafka.ssl_certificate_file, kafka.ssl_key_file, _password(kafka))
    with (
        socket.create_connection((host, port), timeout=_CONNECT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.settimeout(_VERDICT_S)
        try:
            connection.recv(1)
        except TimeoutError:
            return


def _speaks_tls(kafka: KafkaSettings, host: str, port: int) -> str | None:
    """Whether TLS is spoken where we are told to speak without."""
    try:
        with (
            socket.create_connection((host, port), timeout=_CONNECT_S) as plain,
            _blind().wrap_socket(plain),
        ):
            wanted = kafka.security_protocol.replace("PLAINTEXT", "SSL")
            return (
                f"{host}:{port} speaks TLS, but kafka.security_protocol is "
                f"{kafka.security_protocol}; set it to {wanted}"
            )
    except ssl.SSLError:
        return None


def _blind() -> ssl.SSLContext:
    """Checks nobody; only for questions of which nothing secret is part."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _password(kafka: KafkaSettings) -> str:
    # Never None: OpenSSL would ask for it on the terminal.
    return kafka.ssl_key_password.get_secret_value() if kafka.ssl_key_password else ""


def _words(exc: OSError, kafka: KafkaSettings, host: str, port: int) -> str | None:
    """The fault of settings behind ``exc``; ``None``: it shows none, as where nobody is."""
    address = f"{host}:{port}"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return _broker_words(exc, kafka, address)
    reason = (exc.reason or "") if isinstance(exc, ssl.SSLError) else ""
    # A broker without TLS drops whoever greets it so, and a balancer without a broker too: only
    # an answer tells them apart.
    dropped = isinstance(exc, ssl.SSLEOFError | ConnectionError)
    if reason in _NO_TLS or (dropped and _answers_without_tls(host, port)):
        protocol = kafka.security_protocol
        return (
            f"{address} does not speak TLS ({reason.replace('_', ' ').lower() or 'cut off'}), but "
            f"kafka.security_protocol is {protocol}; set it to {protocol.replace('SSL', '')}"
            "PLAINTEXT, or give the brokers' TLS port in kafka.bootstrap_servers"
        )
    if "ALERT" not in reason or reason in _THEIR_TROUBLE:
        return None
    if kafka.ssl_certificate_file is None:
        return (
            f"{address} asks for a client certificate; set kafka.ssl_certificate_file and "
            "kafka.ssl_key_file"
        )
    why = (
        "it is not signed by an authority that the brokers trust"
        if reason in _ASKS_FOR_ONE
        else f"the broker says: {reason.split('ALERT_')[-1].replace('_', ' ').lower()}"
    )
    return (
        f"{address} does not accept our certificate: {why}; give another in "
        f"kafka.ssl_certificate_file (now {kafka.ssl_certificate_file})"
    )


def _answers_without_tls(host: str, port: int) -> bool:
    """Whether a broker answers the question that every client begins with (ApiVersions)."""
    request = _API_VERSIONS.pack(_API_VERSIONS.size - 4, 18, 0, _CORRELATION_ID, -1)
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_S) as plain:
            plain.sendall(request)
            answer = plain.recv(8, socket.MSG_WAITALL)
    except OSError:
        return False
    return answer[4:] == _CORRELATION_ID.to_bytes(4, "big")


def _broker_words(exc: ssl.SSLCertVerificationError, kafka: KafkaSettings, address: str) -> str:
    if exc.verify_code in _WRONG_NAME:
        return (
            f"the certificate of {address} is for another host ({exc.verify_message}); give in "
            "kafka.bootstrap_servers a name that stands in it, or have it issued for this one"
        )
    if exc.verify_code in {_EXPIRED, _NOT_YET_VALID}:
        what = "has expired" if exc.verify_code == _EXPIRED else "is not valid yet"
        return (
            f"the certificate of {address} {what}: the broker needs a new one, or this machine's "
            "clock is wrong"
        )
    trusted = (
        f"kafka.ssl_ca_file {kafka.ssl_ca_file}"
        if kafka.ssl_ca_file
        else "the system's authorities (kafka.ssl_ca_file is not set)"
    )
    return (
        f"the certificate of {address} is not signed by an authority in {trusted} "
        f"({exc.verify_message}); set kafka.ssl_ca_file to the file of the one that signed it"
    )


def _addresses(servers: str) -> list[tuple[str, int]]:
    found = []
    for server in servers.split(","):
        host, _, port = server.strip().rpartition("://")[2].rpartition(":")
        if host and port.isdigit():
            found.append((host.strip("[]"), int(port)))
    return found

"""How the monitor gets in at the brokers: the settings of the ``kafka`` section, for Faust.

Decides what is translated and what is refused: Faust's client is another one than the scorers',
and knows none of its properties. Refuses to know what the brokers say to it.
"""

import ssl
from typing import Any

from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials

from stream_app.adapters.kafka.config import sasl_password
from stream_app.adapters.monitor.oauth_tokens import OAuthTokens
from stream_app.errors import ConfigError
from stream_app.settings import KafkaSettings

_WAYS_IN = ("ssl.", "sasl.", "https.", "enable.ssl.", "enable.sasl.")
"""Properties of librdkafka by which a scorer would get in, and that have no word in Faust."""

_SAFE = {
    "enable.ssl.certificate.verification",
    "ssl.endpoint.identification.algorithm",
    "enable.sasl.oauthbearer.unsecure.jwt",
}
"""They are only accepted with the value that is always so here."""


def broker_credentials(kafka: KafkaSettings) -> Any:
    """What Faust's ``broker_credentials`` wants; ``None``: brokers that let everyone in.

    Raises:
        ConfigError: these settings cannot be had with Faust, or a file cannot be read.
    """
    _refuse_what_faust_cannot(kafka)
    context = _context(kafka) if "SSL" in kafka.security_protocol else None
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=OAuthTokens(kafka), ssl_context=context)
    if kafka.sasl_mechanism:
        return SASLCredentials(
            mechanism=kafka.sasl_mechanism,
            username=kafka.sasl_username,
            password=sasl_password(kafka),
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)


def ignored_properties(kafka: KafkaSettings) -> list[str]:
    """Names in ``kafka.properties`` that do not reach Faust's client."""
    return sorted(kafka.properties)


def _refuse_what_faust_cannot(kafka: KafkaSettings) -> None:
    faults = [
        f"kafka.properties sets {name}, which the monitor's client (aiokafka) does not know; "
        "remove it, or run the monitor with settings of its own"
        for name in sorted(kafka.properties)
        if name.startswith(_WAYS_IN) and name not in _SAFE
    ]
    if faults:
        raise ConfigError("\n".join(faults))


def _context(kafka: KafkaSettings) -> ssl.SSLContext:
    """Names and certificates of brokers are checked; nothing turns that off."""
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(f"kafka.ssl_ca_file {kafka.ssl_ca_file}: {_why(exc)}") from exc
    if kafka.ssl_certificate_file is not None:
        password = kafka.ssl_key_password
        try:
            context.load_cert_chain(
                kafka.ssl_certificate_file,
                kafka.ssl_key_file,
                # A function: asked for nothing, the library would ask at the terminal.
                lambda: password.get_secret_value() if password is not None else "",
            )
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                f"kafka.ssl_certificate_file {kafka.ssl_certificate_file} and kafka.ssl_key_file "
                f"{kafka.ssl_key_file}: {_why(exc)}; is kafka.ssl_key_password right?"
            ) from exc
    return context


def _why(exc: OSError) -> str:
    return exc.strerror or type(exc).__name__

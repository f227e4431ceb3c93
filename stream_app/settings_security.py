"""Settings of security that do not go together, or that would give security away.

Decides what is refused before anything is connected. Each fault names its settings and the way
out, and never a secret's value.
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from stream_app.settings import KafkaSettings, RegistrySettings
    from stream_app.settings_monitor import MonitorSettings

_WITH_PASSWORD: Final = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

_OWN_SETTINGS: Final = {
    "security.protocol": "security_protocol",
    "ssl.ca.location": "ssl_ca_file",
    "ssl.ca.pem": "ssl_ca_file",
    "ssl.certificate.location": "ssl_certificate_file",
    "ssl.certificate.pem": "ssl_certificate_file",
    "ssl.key.location": "ssl_key_file",
    "ssl.key.pem": "ssl_key_file",
    "ssl.key.password": "ssl_key_password",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_username",
    "sasl.password": "sasl_password_file",
    "sasl.oauthbearer.token.endpoint.url": "oauth_token_url",
    "sasl.oauthbearer.client.id": "oauth_client_id",
    "sasl.oauthbearer.client.credentials.client.id": "oauth_client_id",
    "sasl.oauthbearer.client.secret": "oauth_client_secret_file",
    "sasl.oauthbearer.client.credentials.client.secret": "oauth_client_secret_file",
    "sasl.oauthbearer.scope": "oauth_scope",
    "https.ca.location": "oauth_ca_file",
}
"""Client properties that have settings of ours: these are masked, checked and read again."""

_SWITCHES: Final = {
    "enable.ssl.certificate.verification": (
        "true",
        "anybody could pose as the broker; remove it and set kafka.ssl_ca_file",
    ),
    "ssl.endpoint.identification.algorithm": (
        "https",
        "any certificate of the authority could pose as the broker; remove it and give in "
        "kafka.bootstrap_servers names that stand in the brokers' certificates",
    ),
    "enable.sasl.oauthbearer.unsecure.jwt": (
        "false",
        "anybody could make a token; remove it and set kafka.oauth_token_url",
    ),
}
"""Client properties that may only have the value by which they protect, and why."""


def security_faults(kafka: "KafkaSettings") -> list[str]:
    """All that is wrong with how a client would come in."""
    return [
        *_mechanism_faults(kafka),
        *_password_faults(kafka),
        *_oauth_faults(kafka),
        *_certificate_faults(kafka),
        *_property_faults(kafka),
    ]


def registry_faults(registry: "RegistrySettings") -> list[str]:
    """What would show the registry's password to whoever listens; user and password go together."""
    for url in registry.url.split(","):
        try:
            address = urlsplit(url.strip())
            readable = address.scheme == "http" and address.hostname not in _LOOPBACK
        except ValueError:
            return ["registry.url is no address; give https://host/path"]
        if readable and (registry.username or address.username or address.password):
            return [
                "registry.url sends the user and the password readable over http; use https, or "
                "remove registry.username"
            ]
    return []


def webhook_faults(monitor: "MonitorSettings") -> list[str]:
    """What is no address, or would show the token to whoever listens."""
    if monitor.webhook_url is None:
        if monitor.webhook_token_file is None:
            return []
        return ["monitor.webhook_token_file is of no use without monitor.webhook_url"]
    try:
        address = urlsplit(monitor.webhook_url.get_secret_value())
        named = address.scheme in {"http", "https"} and address.hostname
        readable = address.scheme == "http" and address.hostname not in _LOOPBACK
    except ValueError:
        named = readable = None
    if not named:
        return ["monitor.webhook_url is no address; give https://host/path"]
    if readable and (monitor.webhook_token_file or address.username or address.password):
        return [
            "monitor.webhook_url sends the token readable over http; use https, or remove "
            "monitor.webhook_token_file"
        ]
    return []


def _mechanism_faults(kafka: "KafkaSettings") -> list[str]:
    mechanism, protocol = kafka.sasl_mechanism, kafka.security_protocol
    sasl = protocol.startswith("SASL_")
    if sasl and not mechanism:
        return [f"kafka.security_protocol = {protocol} needs kafka.sasl_mechanism"]
    if mechanism and not sasl:
        return [
            f"kafka.sasl_mechanism = {mechanism} needs kafka.security_protocol = SASL_SSL, not "
            f"{protocol}"
        ]
    readable = {
        "PLAIN": "the password readable over SASL_PLAINTEXT; use kafka.security_protocol = "
        "SASL_SSL, or a SCRAM mechanism",
        "OAUTHBEARER": "the token readable over SASL_PLAINTEXT; use kafka.security_protocol = "
        "SASL_SSL",
    }
    if protocol == "SASL_PLAINTEXT" and mechanism in readable:
        return [f"kafka.sasl_mechanism = {mechanism} sends {readable[mechanism]}"]
    return []


def _password_faults(kafka: "KafkaSettings") -> list[str]:
    if kafka.sasl_mechanism not in _WITH_PASSWORD:
        return []
    if kafka.sasl_username and (kafka.sasl_password or kafka.sasl_password_file):
        return []
    return [
        f"kafka.sasl_mechanism = {kafka.sasl_mechanism} needs kafka.sasl_username and "
        "kafka.sasl_password_file (or kafka.sasl_password)"
    ]


def _oauth_faults(kafka: "KafkaSettings") -> list[str]:
    if kafka.sasl_mechanism != "OAUTHBEARER":
        return []
    faults = []
    secret = kafka.oauth_client_secret or kafka.oauth_client_secret_file
    if not (kafka.oauth_token_url and kafka.oauth_client_id and secret):
        faults.append(
            "kafka.sasl_mechanism = OAUTHBEARER needs kafka.oauth_token_url, kafka.oauth_client_id "
            "and kafka.oauth_client_secret_file (or kafka.oauth_client_secret)"
        )
    address = urlsplit(kafka.oauth_token_url)
    if kafka.oauth_token_url and address.scheme not in {"http", "https"}:
        faults.append("kafka.oauth_token_url is no address; give https://host/path")
    elif address.username or address.password:
        faults.append(
            "kafka.oauth_token_url holds a user or a password; give these in "
            "kafka.oauth_client_id and kafka.oauth_client_secret_file"
        )
    elif address.scheme == "http" and address.hostname not in _LOOPBACK:
        faults.append("kafka.oauth_token_url sends the secret readable over http; use https")
    return faults


def _certificate_faults(kafka: "KafkaSettings") -> list[str]:
    faults = []
    if bool(kafka.ssl_certificate_file) != bool(kafka.ssl_key_file):
        faults.append("kafka.ssl_certificate_file and kafka.ssl_key_file are needed together")
    unused = [
        f"kafka.{name}"
        for name in ("ssl_ca_file", "ssl_certificate_file", "ssl_key_file")
        if getattr(kafka, name) is not None and "SSL" not in kafka.security_protocol
    ]
    if unused:
        faults.append(
            f"{', '.join(unused)} would not be used with kafka.security_protocol = "
            f"{kafka.security_protocol}; set it to SSL or SASL_SSL"
        )
    return faults


def _property_faults(kafka: "KafkaSettings") -> list[str]:
    faults = [
        f"kafka.properties sets {key}, which has a setting of its own; use kafka.{setting}"
        for key, setting in _OWN_SETTINGS.items()
        if key in kafka.properties
    ]
    for key, (safe, why) in _SWITCHES.items():
        if kafka.properties.get(key, safe).strip().lower() != safe:
            faults.append(f"kafka.properties sets {key} to other than {safe}, so {why}")
    return faults

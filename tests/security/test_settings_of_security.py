"""Settings that would give security away, or do not go together: refused before connecting."""

import pytest

from stream_app.errors import ConfigError
from stream_app.settings import load_settings


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ('{"enable.ssl.certificate.verification": "false"}', "pose as the broker"),
        ('{"enable.ssl.certificate.verification": "0"}', "pose as the broker"),
        ('{"ssl.endpoint.identification.algorithm": "none"}', "pose as the broker"),
        ('{"enable.sasl.oauthbearer.unsecure.jwt": "true"}', "make a token"),
        ('{"sasl.password": "canary"}', "kafka.sasl_password_file"),
        ('{"ssl.key.pem": "canary"}', "kafka.ssl_key_file"),
        ('{"sasl.oauthbearer.client.secret": "canary"}', "kafka.oauth_client_secret_file"),
    ],
)
def test_what_would_give_security_away_is_refused_before_connecting(
    monkeypatch: pytest.MonkeyPatch, properties: str, words: str
) -> None:
    monkeypatch.setenv("STREAM_APP_KAFKA__PROPERTIES", properties)
    with pytest.raises(ConfigError, match=words) as refusal:
        load_settings()
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sasl_mechanism": "PLAIN", "security_protocol": "SASL_PLAINTEXT"}, "password readable"),
        ({"sasl_mechanism": "OAUTHBEARER", "security_protocol": "SASL_PLAINTEXT"}, "token read"),
        ({"sasl_mechanism": "OAUTHBEARER", "security_protocol": "SASL_SSL"}, "oauth_token_url"),
        (
            {
                "sasl_mechanism": "OAUTHBEARER",
                "security_protocol": "SASL_SSL",
                "oauth_token_url": "http://tokens.example/",
            },
            "use https",
        ),
        ({"sasl_mechanism": "SCRAM-SHA-512", "security_protocol": "SSL"}, "SASL_SSL, not SSL"),
        ({"sasl_mechanism": "SCRAM-SHA-512", "security_protocol": "SASL_SSL"}, "sasl_username"),
        ({"security_protocol": "SASL_SSL"}, "needs kafka.sasl_mechanism"),
        ({"ssl_ca_file": "/dev/null"}, "would not be used"),
        ({"ssl_key_file": "/dev/null", "security_protocol": "SSL"}, "needed together"),
    ],
)
def test_settings_of_security_that_do_not_go_together_are_refused(
    given: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load_settings(overrides={f"kafka.{name}": value for name, value in given.items()})


_USER = {"registry.username": "worker", "registry.password": "canary"}


@pytest.mark.parametrize(
    "given",
    [
        {"registry.url": "http://registry.example:8081", **_USER},
        {"registry.url": "https://one.example, http://two.example", **_USER},
        {"registry.url": "HTTP://REGISTRY.example", **_USER},
        {"registry.url": "http://worker:canary@registry.example"},
        {"registry.url": "http://127.0.0.1.example", **_USER},
    ],
)
def test_a_password_for_the_registry_is_not_sent_readable(given: dict[str, str]) -> None:
    with pytest.raises(
        ConfigError, match=r"registry\.url sends .* over http; use https"
    ) as refusal:
        load_settings(overrides=given)
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    "given",
    [
        {"registry.url": "https://registry.example", **_USER},
        {"registry.url": "http://127.0.0.1:8081,http://localhost,http://[::1]", **_USER},
        {"registry.url": "http://registry.example:8081"},
        _USER,
    ],
)
def test_a_registry_on_this_machine_or_without_a_password_may_be_asked_over_http(
    given: dict[str, str],
) -> None:
    assert load_settings(overrides=given).registry.url == given.get("registry.url", "")


def test_an_address_of_a_registry_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"registry\.url is no address"):
        load_settings(overrides={"registry.url": "http://[::1"})


@pytest.mark.parametrize(
    "given",
    [
        {"kafka.sasl_pasword": "canary"},
        {"registry.timeout_s": "canary"},
        {"kafka.sasl_mechanism": "canary"},
        {"kafka.sasl_password.nested": "canary"},
        {"registry": "canary"},
        {"registry.password": "canary", "kafka.security_protocol": "SASL_SSL"},
        {"registry.password": "canary", "registry.password_file": "no-such-file"},
    ],
)
def test_no_message_about_wrong_settings_quotes_a_value(given: dict[str, str]) -> None:
    """Not the error's own, and not that of the library behind it, which a traceback shows too."""
    with pytest.raises(ConfigError) as refusal:
        load_settings(overrides=given)
    assert refusal.value.__cause__ is not None
    for told in (str(refusal.value), str(refusal.value.__cause__)):
        assert told
        assert "canary" not in told

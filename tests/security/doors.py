"""One real broker with a door of each kind: TLS good and bad, client certificates, passwords.

Decides what the broker asks for at each door and who may do what behind it. Who comes in without
a name (the plain door, TLS without a client certificate) may do everything; ``worker`` only what
it is given.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream_app.adapters.local_kafka import Listener, LocalKafka
from tests.kafka_fixtures import RealKafka
from tests.security.certificates import Authority, Identity
from tests.security.plain_door import at_plain_door
from tests.security.token_server import (
    AUDIENCE,
    CLIENT_ID,
    ISSUER,
    SCOPE,
    TokenServer,
    token_server,
)
from tests.worker import Job, car_loan_job

PASSWORD = "the-right-one"
_SASL = {"SCRAM", "OAUTH"}
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass(frozen=True)
class Doors:
    """The broker and the files to come in with."""

    cluster: LocalKafka
    ours: Authority
    strangers: Authority
    worker: Identity
    tokens: TokenServer

    @property
    def kafka(self) -> RealKafka:
        """For those who use the plain door."""
        return RealKafka(self.cluster.bootstrap_servers, self.cluster)

    def plain(self, job: Job) -> Job:
        """The same job for those who come in without a name."""
        return at_plain_door(job, self.cluster.bootstrap_servers)

    def job(self, folder: Path, door: str, protocol: str = "classic", **overrides: str) -> Job:
        """A job whose workers use this door."""
        job = car_loan_job(self.kafka, folder, protocol=protocol)
        told = self.settings(door) | overrides
        more = {name.replace("__", "."): value for name, value in told.items()}
        return Job({**job.overrides, **more}, folder)

    def settings(self, door: str) -> dict[str, str]:
        """What a worker must be told to come in there, rightly."""
        told = {"kafka__bootstrap_servers": self.cluster.bootstrap(door)}
        if door == "GUARDED":
            return told | _scram("SASL_PLAINTEXT")
        told["kafka__ssl_ca_file"] = str(self.ours.certificate)
        if door == "OAUTH":
            return told | {
                "kafka__security_protocol": "SASL_SSL",
                "kafka__sasl_mechanism": "OAUTHBEARER",
                "kafka__oauth_token_url": self.tokens.url,
                "kafka__oauth_client_id": CLIENT_ID,
                "kafka__oauth_client_secret": self.tokens.secret,
                "kafka__oauth_scope": SCOPE,
            }
        if door == "SCRAM":
            return told | _scram("SASL_SSL")
        told["kafka__security_protocol"] = "SSL"
        if door == "MUTUAL":
            told["kafka__ssl_certificate_file"] = str(self.worker.certificate)
            told["kafka__ssl_key_file"] = str(self.worker.key)
        return told


def _scram(protocol: str) -> dict[str, str]:
    return {
        "kafka__security_protocol": protocol,
        "kafka__sasl_mechanism": "SCRAM-SHA-512",
        "kafka__sasl_username": "worker",
        "kafka__sasl_password": PASSWORD,
    }


def _oauth(keys: Path) -> dict[str, str]:
    prefix, package = "listener.name.oauth", "org.apache.kafka.common.security.oauthbearer"
    return {
        f"{prefix}.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{prefix}.oauthbearer.sasl.jaas.config": f"{package}.OAuthBearerLoginModule required;",
        f"{prefix}.oauthbearer.sasl.server.callback.handler.class": (
            f"{package}.OAuthBearerValidatorCallbackHandler"
        ),
        # A connection lives no longer than its token, unless it shows a new one.
        f"{prefix}.oauthbearer.connections.max.reauth.ms": "3600000",
        f"{prefix}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": keys.as_uri(),
        f"{prefix}.oauthbearer.sasl.oauthbearer.expected.audience": AUDIENCE,
        f"{prefix}.oauthbearer.sasl.oauthbearer.expected.issuer": ISSUER,
        f"{prefix}.oauthbearer.sasl.oauthbearer.clock.skew.seconds": "1",
    }


@contextmanager
def open_doors(folder: Path) -> Iterator[Doors]:
    """Start the broker; its folder holds every certificate."""
    ours, strangers = Authority(folder, "ours"), Authority(folder, "strangers")
    stores = {
        "TLS": ours.issue("broker"),
        "MUTUAL": ours.issue("broker-mutual"),
        "ELSEWHERE": ours.issue("broker-elsewhere", hosts=("kafka.elsewhere.example",)),
        "EXPIRED": ours.issue("broker", expired=True),
        "SCRAM": ours.issue("broker-scram"),
        "OAUTH": ours.issue("broker-oauth"),
    }
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:ANONYMOUS",
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
    }
    for door, identity in stores.items():
        prefix = f"listener.name.{door.lower()}.ssl"
        properties |= {
            f"{prefix}.keystore.type": "PEM",
            f"{prefix}.keystore.location": str(identity.both),
            f"{prefix}.truststore.type": "PEM",
            f"{prefix}.truststore.location": str(ours.certificate),
        }
    keys = folder / "keys.json"
    properties |= _oauth(keys)
    for door in ("scram", "guarded"):
        properties |= {
            f"listener.name.{door}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            f"listener.name.{door}.scram-sha-512.sasl.jaas.config": _SCRAM,
        }
    listeners = [
        *(Listener(door, security=f"{'SASL_' * (door in _SASL)}SSL") for door in stores),
        Listener("GUARDED", security="SASL_PLAINTEXT"),
    ]
    with token_server() as tokens:
        tokens.write_keys(keys)
        with LocalKafka(
            listeners=listeners,
            extra_properties=properties,
            format_arguments=("--add-scram", f"SCRAM-SHA-512=[name=worker,password={PASSWORD}]"),
            java_options=(f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}",),
            tests=True,
        ) as cluster:
            yield Doors(cluster, ours, strangers, ours.issue("worker"), tokens)

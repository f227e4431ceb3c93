"""The section ``kafka`` of the settings: the cluster, and how to be a member there."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from stream_app.settings_values import Positive, Section

AUTO_INSTANCE_ID = "auto"
"""Of ``kafka.group_instance_id``: as the transactional id, which no two live workers share."""


class KafkaSettings(Section):
    """The cluster and the consumer group."""

    bootstrap_servers: str = Field("", description="Brokers to begin with: `host:port,host:port`.")
    group: str = Field("stream-app", min_length=1, description="Consumer group.")
    group_protocol: Literal["classic", "consumer"] = Field(
        "classic",
        description="`classic` (cooperative-sticky) or `consumer` (KIP-848; the broker's own "
        "session time-out then decides how soon a dead member's partitions move).",
    )
    group_instance_id: str = Field(
        "",
        description="Static membership, only with `classic`: a worker that takes a dead one's "
        "place goes on at once, one that leaves for good is missed for `session_timeout_s`. "
        "`auto`: by host and slot; else a name for one worker.",
    )
    client: Literal["public", "native"] = Field(
        "public",
        description="`native` calls librdkafka directly, for less of the processor a record; where "
        "a gate fails at the start, `public` is used.",
    )
    session_timeout_s: Positive = Field(
        6.0,
        description="A member silent for this long loses its partitions (`classic`). Brokers "
        "refuse less than 6 s unless `group.min.session.timeout.ms` is lowered.",
    )
    max_poll_interval_s: Positive = Field(
        300.0, description="A member that does not fetch for this long loses its partitions."
    )
    transaction_timeout_s: Positive = Field(
        10.0, description="The broker undoes a dead worker's transaction after this long."
    )
    request_timeout_s: Positive = Field(
        10.0, description="Longest wait for an answer of a broker; at most the transaction's."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to brokers."
    )
    ssl_ca_file: Path | None = Field(None, description="PEM file of the authority to trust.")
    ssl_certificate_file: Path | None = Field(None, description="PEM file of our certificate.")
    ssl_key_file: Path | None = Field(None, description="PEM file of our private key.")
    ssl_key_password: SecretStr | None = Field(None, description="Password of the private key.")
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "", description="How to authenticate."
    )
    sasl_username: str = Field("", description="User name for PLAIN and SCRAM.")
    sasl_password: SecretStr | None = Field(None, description="Password for PLAIN and SCRAM.")
    sasl_password_file: Path | None = Field(None, description="File that holds the password.")
    oauth_token_url: str = Field(
        "", description="OAUTHBEARER: where tokens are asked for (client credentials grant)."
    )
    oauth_client_id: str = Field("", description="OAUTHBEARER: who asks.")
    oauth_client_secret: SecretStr | None = Field(None, description="OAUTHBEARER: its secret.")
    oauth_client_secret_file: Path | None = Field(None, description="File that holds the secret.")
    oauth_scope: str = Field("", description="OAUTHBEARER: what is asked for; may be empty.")
    oauth_ca_file: Path | None = Field(
        None, description="PEM file of the authority to trust at the token's address."
    )
    credentials_check_s: Positive = Field(
        10.0,
        description="How often the files named in this section are looked at; when one has "
        "changed, the clients are made anew between two transactions.",
    )
    topic_refresh_s: Positive = Field(
        30.0, description="How soon new partitions of the input topic are noticed."
    )
    properties: dict[str, str] = Field(
        default_factory=dict,
        description="Further librdkafka properties, for both clients; they cannot replace what "
        "the guarantees rest on.",
    )

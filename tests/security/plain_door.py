"""A job's settings for those who come in by the broker's plain door: the feed and the judges."""

from tests.worker import Job

_SECURITY = ("kafka.security_protocol", "kafka.ssl_", "kafka.sasl_", "kafka.oauth_")


def at_plain_door(job: Job, bootstrap_servers: str) -> Job:
    """The same job without names, passwords and certificates."""
    kept = {k: value for k, value in job.overrides.items() if not k.startswith(_SECURITY)}
    return Job({**kept, "kafka.bootstrap_servers": bootstrap_servers}, job.folder)

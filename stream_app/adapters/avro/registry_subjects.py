"""Output schemas and their subjects: registered beforehand, looked up when scoring starts.

Decides that a schema which a subject's readers could not read is never registered, and that
nothing is registered while scoring.
"""

from stream_app.adapters.avro.registry import Registry
from stream_app.errors import ConfigError, RetriableError, UnavailableError

_BACKWARD = "BACKWARD"
_UNCHECKED = frozenset({None, "NONE"})


def value_subject(topic: str) -> str:
    """The subject of a topic's values, as Confluent's default strategy names it."""
    return f"{topic}-value"


def ensure_subject(registry: Registry, subject: str, text: str, *, register: bool) -> int:
    """See that the schema ``text`` is a version of ``subject``; safe to repeat.

    Args:
        registry: Where.
        subject: Usually ``<topic>-value``.
        text: The schema's JSON.
        register: Whether to make it one, after a check for BACKWARD compatibility, or the
            subject's own level where that is stricter; else only look.

    Returns:
        The schema's id.

    Raises:
        ConfigError: it is none, or is not compatible with the versions that are there.
        UnavailableError: the registry does not answer.
    """
    try:
        found = registry.id_in_subject(subject, text)
        if found is not None:
            return found
        if not register:
            raise ConfigError(
                f"expected the output schema among the versions of subject {subject!r}, found it "
                "in none; register it with `stream-app topics create --register-schemas`"
            )
        return _register(registry, subject, text)
    except RetriableError as exc:
        raise UnavailableError(str(exc)) from exc


def lookup_registered_id(registry: Registry, subject: str, text: str) -> int:
    """The id to write before values of the schema ``text``; registers nothing.

    Raises:
        ConfigError: it is no version of ``subject``.
        UnavailableError: the registry does not answer.
    """
    return ensure_subject(registry, subject, text, register=False)


def _register(registry: Registry, subject: str, text: str) -> int:
    # Some registries start with no check at all. With a level set, the registry itself compares
    # and registers in one step, and refuses what does not fit.
    if registry.compatibility(subject) in _UNCHECKED:
        registry.set_compatibility(subject, _BACKWARD)
    registered = registry.register(subject, text)
    if registered is not None:
        return registered
    raise ConfigError(
        f"expected an output schema that readers of subject {subject!r} can also read old records "
        "with, found one that is not compatible with its latest version; give new fields "
        "defaults, or choose another output topic"
    )

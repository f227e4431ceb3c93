"""One client of the library: made from properties, with its callbacks, and ended.

Decides how what a callback raises gets out: it is kept, and raised by the call that served it.
Both clients build on this.
"""

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka.native.library import (
    CONF_OK,
    ERROR_CB,
    LOG_CB,
    CMetadata,
    Library,
)
from stream_app.adapters.kafka.native.values import (
    error_of,
    new_topic,
    take_error,
    take_metadata,
)

_ROOM = 512
"""Bytes for the words of a refusal."""

_LEVELS = {0: 50, 1: 50, 2: 50, 3: 40, 4: 30, 5: 20, 6: 20, 7: 10}
"""Syslog's levels as those of ``logging``."""

_INVALID = KafkaError._INVALID_ARG


class Kept:
    """What callbacks raised, until somebody asks; knows no client, so that none is kept by it."""

    def __init__(self) -> None:
        self._first: BaseException | None = None

    def keep(self, exc: BaseException) -> None:
        """Only the first counts."""
        self._first = self._first or exc

    def raise_it(self) -> None:
        """Raise it, once."""
        first, self._first = self._first, None
        try:
            if first is not None:
                raise first
        finally:
            # Its traceback refers to this frame, and to the client: they would keep each other.
            del first


class Handle:
    """A client; whatever is asked of a closed one raises RuntimeError."""

    def __init__(
        self,
        lib: Library,
        kind: int,
        properties: Mapping[str, Any],
        prepare: Callable[[int], None],
    ) -> None:
        """Make it.

        Args:
            lib: The library.
            kind: ``PRODUCER`` or ``CONSUMER``.
            properties: As confluent-kafka takes them; also ``error_cb`` and ``logger``.
            prepare: Is given the configuration, to set callbacks of its own.

        Raises:
            KafkaException: the library refuses them, or cannot start its threads.
        """
        self._lib = lib
        self.kept = Kept()
        given = dict(properties)
        on_error, logger = given.pop("error_cb", None), given.pop("logger", None)
        conf = lib.conf_new()
        # Referred to from here for as long as the library may call them.
        self._callbacks = [_error_callback(lib, on_error, self.kept)]
        lib.conf_set_error_cb(conf, self._callbacks[0])
        if logger is not None:
            given["log.queue"] = True
            self._callbacks.append(_log_callback(lib, logger, self.kept))
            lib.conf_set_log_cb(conf, self._callbacks[1])
        tokens = str(given.get("sasl.mechanism", "")).upper() == "OAUTHBEARER"
        if tokens:
            lib.conf_enable_sasl_queue(conf, 1)
        words = ctypes.create_string_buffer(_ROOM)
        for name, value in given.items():
            if lib.conf_set(conf, name.encode(), _text(value), words, _ROOM) != CONF_OK:
                lib.conf_destroy(conf)
                raise KafkaException(KafkaError(_INVALID, words.value.decode(errors="replace")))
        prepare(conf)
        made = lib.new(kind, conf, words, _ROOM)
        if not made:
            code = lib.last_error() or _INVALID
            lib.conf_destroy(conf)
            raise KafkaException(KafkaError(code, words.value.decode(errors="replace")))
        self._rk: int | None = made
        if logger is not None:
            lib.set_log_queue(made, None)
        if tokens:
            # Otherwise a token would come only while somebody polls.
            take_error(lib, lib.sasl_background_callbacks_enable(made))

    @property
    def rk(self) -> int:
        """The library's handle.

        Raises:
            RuntimeError: the client is closed.
        """
        if self._rk is None:
            raise RuntimeError("the client is closed")
        return self._rk

    @property
    def is_open(self) -> bool:
        """Whether it may be called."""
        return self._rk is not None

    def list_topics(self, topic: str, timeout: float) -> Any:
        """The cluster's answer about one topic.

        Raises:
            KafkaException: none came in time.
        """
        lib, rk = self._lib, self.rk
        found = ctypes.POINTER(CMetadata)()
        handle = new_topic(lib, rk, topic)
        try:
            code = lib.metadata(rk, 0, handle, ctypes.byref(found), milliseconds(timeout))
        finally:
            lib.topic_destroy(handle)
        if code:
            raise KafkaException(error_of(lib, code))
        return take_metadata(lib, found)

    def take(self) -> int | None:
        """The handle, for whoever ends it; from now on the client is closed."""
        rk, self._rk = self._rk, None
        return rk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; safe to call twice."""
        raise NotImplementedError


def milliseconds(seconds: float) -> int:
    """As the library takes times; a negative one waits for ever."""
    return -1 if seconds < 0 else round(seconds * 1000)


def _error_callback(lib: Library, on_error: Callable[[Any], None] | None, kept: Kept) -> Any:
    def called(rk: int, code: int, reason: bytes | None, _: int | None) -> None:
        try:
            if code == KafkaError._FATAL:
                words = ctypes.create_string_buffer(_ROOM)
                first = lib.fatal_error(rk, words, _ROOM)
                text = words.value.decode(errors="replace")
                kept.keep(KafkaException(error_of(lib, first, text, fatal=True)))
            elif on_error is not None:
                on_error(error_of(lib, code, (reason or b"").decode(errors="replace")))
        except BaseException as exc:  # noqa: BLE001  # from here it would be printed and lost
            kept.keep(exc)

    return ERROR_CB(called)


def _log_callback(lib: Library, logger: Any, kept: Kept) -> Any:
    def called(rk: int, level: int, facility: bytes, text: bytes) -> None:
        try:
            name = lib.name(rk).decode(errors="replace")
            words = [part.decode(errors="replace") for part in (facility, text)]
            logger.log(_LEVELS.get(level, 10), "%s [%s] %s", words[0], name, words[1])
        except BaseException as exc:  # noqa: BLE001  # likewise
            kept.keep(exc)

    return LOG_CB(called)


def _text(value: object) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()

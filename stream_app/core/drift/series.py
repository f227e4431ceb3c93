"""What is judged together: a stream's windows of one length, each beside those before it.

Decides how a series is named, in alerts and where windows are stored. Refuses to know what is in
a window.
"""

from dataclasses import dataclass

from stream_app.core.drift.partial import SEPARATOR, Stream


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """Windows of one length.

    Hours and days are series beside that of the windows: what is too small for windows of a
    hundred rows is seen in a day's.

    Attributes:
        stream: Whose.
        length_ms: Of each: the stream's own, or of a roll-up.
    """

    stream: Stream
    length_ms: int

    @property
    def name(self) -> str:
        """In one line: the key of the stream's records, and the length."""
        return f"{self.stream.to_key()}{SEPARATOR}{self.length_ms}"

    @property
    def is_roll_up(self) -> bool:
        """Whether its windows are sums of windows."""
        return self.length_ms != self.stream.window_ms

    @classmethod
    def named(cls, name: str) -> "Series":
        """The series with this name.

        Raises:
            ValueError: it is no name of one.
        """
        parts = name.split(SEPARATOR)
        if len(parts) != 6:
            raise ValueError(f"{name!r} is no series: six parts are needed, with {SEPARATOR}")
        *names, window_ms, length_ms = parts
        return cls(Stream(names[0], names[1], names[2], names[3], int(window_ms)), int(length_ms))

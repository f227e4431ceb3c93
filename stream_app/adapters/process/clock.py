"""The operating system's clocks: the only place of the path that reads them."""

import time


class SystemClock:
    """Fulfils ``ports.Clock``."""

    def now_s(self) -> float:
        """Monotonic seconds; the same scale in all processes of this machine."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

"""Re-read the topics and judge: the proof of "exactly once" that does not trust the scorer.

It shares no code with the path that it judges (no columns, framing, decoder, dead letters or
loop), so that a mistake there cannot hide itself here; a test walks its imports. It has been seen
to find a planted loss, a repeat, a swap, a torn commit and a stray record before it was believed.
"""

from stream_app.verify.judge import judge
from stream_app.verify.logs import InputLog, Kind, Offsets, Outcome, OutputLog
from stream_app.verify.report import Finding, Isolation, Promise, Report

__all__ = [
    "Finding",
    "InputLog",
    "Isolation",
    "Kind",
    "Offsets",
    "Outcome",
    "OutputLog",
    "Promise",
    "Report",
    "judge",
]

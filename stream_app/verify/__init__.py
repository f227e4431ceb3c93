"""Re-read the topics and judge: the proof of "exactly once" that does not trust the scorer.

It shares no code with the path that it judges (no columns, framing, decoder, dead letters or
loop), so that a mistake there cannot hide itself here; a test walks its imports. It has been seen
to find a planted loss, a repeat, a swap, a torn commit and a stray record before it was believed;
those are planted again with every run of the fault tests.

Where things are: ``logs.py`` holds positions, ``judge.py`` decides from them, ``report.py`` is the
verdict. ``schema.py``, ``avro.py``, ``contract.py``, ``features.py``, ``event.py`` and
``compare.py`` read an event and its contract once more and say what must have been predicted.
``partials.py`` adds up what scorers counted for drift, and ``drift.py`` holds it against the
outcomes of the very records that it covers.
"""

from stream_app.verify.judge import judge
from stream_app.verify.logs import InputLog, Kind, Offsets, Outcome, OutputLog
from stream_app.verify.report import Content, Drift, Finding, Isolation, Promise, Report

__all__ = [
    "Content",
    "Drift",
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

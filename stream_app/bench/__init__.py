"""``stream-app bench``: how fast this machine scores, beside yardsticks from the same run.

Decides what is compared with what, in which order, and what counts as a valid run. Every
contender is a process of its own; the worker among them is put together as ``stream-app score``
puts it together. Read ``run.py`` first.
"""

"""``stream-app demo``: the whole job on a small cluster, watched from outside, and judged.

Decides the story that a newcomer sees and what counts as its good end. It is a client of the
product like any other: workers are ordinary ``stream-app score`` processes, and the verdict is
the verifier's. Read ``run.py`` first.
"""

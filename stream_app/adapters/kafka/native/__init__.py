"""librdkafka called directly, so that no record becomes a Python object on its way in or out.

A binding of its public C interface by ctypes, on the library that confluent-kafka's wheel brings:
what both clients have in common (``library.py``, ``values.py``, ``handle.py``), the two clients
(``consumer.py``, ``producer.py``: they do what ``public_client.py`` does), the kernels that move
records (``kernels.py``), and the gates that say whether any of it may be used (``gates.py``).

Rules that keep it from crashing: a pointer never leaves this package; each client belongs to one
thread; what is closed is never called; a callback lets no exception out; every message taken is
released before the call that took it returns.
"""

from stream_app.adapters.process.kernel_cache import keep_kernels

# Before any of the package's kernels is imported.
keep_kernels()

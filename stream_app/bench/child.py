"""A child of the bench: reads one order, takes its cores, does it, answers.

    python -m stream_app.bench.child < order.json

Decides that the cores are taken before anything large is imported: libraries size their pools of
threads by the cores that they see then.
"""

import faulthandler
import os
import sys
from importlib import import_module

from stream_app.bench.orders import Order, answer_text, error_text
from stream_app.errors import StreamAppError


def main() -> int:
    """Do one order; returns the exit status."""
    faulthandler.enable()
    order = Order.of_text(sys.stdin.read())
    if order.cores and sys.platform == "linux":
        os.sched_setaffinity(0, order.cores)
    try:
        # Not before: it brings Kafka, numpy and ONNX Runtime.
        done = import_module("stream_app.bench.duties").do(order)
    except StreamAppError as exc:
        print(error_text(exc), flush=True)  # noqa: T201  # the answer
        return int(exc.exit_status)
    print(answer_text(done), flush=True)  # noqa: T201  # likewise
    return 0


if __name__ == "__main__":
    sys.exit(main())

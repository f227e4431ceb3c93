"""Becomes another program, on given cores and bound to its parent's life.

    python pinned.py 1234 0,1 -- java ...

Decides both before the program is there: a JVM, and libraries in Python, size their pools of
threads by the cores that they see at their start, and a peer that outlives a killed bench would
load the machine for whoever measures next. Linux; elsewhere it only becomes the program.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Does not return."""
    parent, cores, _, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            sys.exit("whoever started this has ended")
        if cores:
            os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()

"""Run by path in a bare interpreter: turn into a server that dies with the process that asked.

It decides how a server learns that its starter is gone, whatever the starter died of, SIGKILL
included. On Linux the kernel tells it (PR_SET_PDEATHSIG) and this process becomes the server. On
macOS, which has no such call, a forked watcher looks twice a second and then kills the server.
It imports nothing of this project, so that the interpreter starts in a few milliseconds.

    python -I -S launch.py STARTER_PID kernel|watch COMMAND...
"""

import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
WATCH_INTERVAL_S = 0.5


def main(arguments: list[str]) -> None:
    starter, mode, command = int(arguments[0]), arguments[1], arguments[2:]
    if mode == "kernel":
        die_with_parent()
        if os.getppid() != starter:
            sys.exit("the process that asked for this server has gone already")
    else:
        fork_watcher(starter)
    os.execv(command[0], command)  # noqa: S606  # becoming the server is the purpose


def die_with_parent() -> None:
    """Linux: SIGKILL for this process when the *thread* that started it ends; survives exec."""
    import ctypes  # noqa: PLC0415  # not needed where a watcher does the work

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")


def fork_watcher(starter: int) -> None:
    """Leave a child behind that kills this process (a server by then) when ``starter`` is gone."""
    server = os.getpid()
    if os.fork() != 0:
        return
    os.setsid()  # or a SIGSTOP for the server's group would stop its watcher too
    while os.getppid() == server:
        if not exists(starter):
            os.kill(server, signal.SIGKILL)
            break
        time.sleep(WATCH_INTERVAL_S)
    os._exit(0)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main(sys.argv[1:])

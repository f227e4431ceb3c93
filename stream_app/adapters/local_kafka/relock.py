"""Write the list of pinned files again, after a version in ``pins.py`` was changed.

    python -m stream_app.adapters.local_kafka.relock

It resolves the versions' dependencies with jgo, downloads every file and writes its SHA-256 down.
That is the moment of trust: look at the difference before it is committed. Nothing of the
product imports this.
"""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver
from jgo.parse import Coordinate

from stream_app.adapters.local_kafka.maven import fetch
from stream_app.adapters.local_kafka.pins import KAFKA_VERSION, REGISTRY_VERSION, Pin, sha256_of

SLF4J_1_BRIDGE_VERSION = "2.24.3"
"""Kafka logs through slf4j 1; log4j-slf4j2-impl would leave it silent."""
KAFKA = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}",
    f"org.apache.logging.log4j:log4j-slf4j-impl:{SLF4J_1_BRIDGE_VERSION}",
)
REGISTRY = ("io.apicurio", "apicurio-registry-app", REGISTRY_VERSION, "tar.gz", "all")


def resolved(folder: Path) -> list[Pin]:
    """Kafka's jars and all that they need at run time; not hashed yet."""
    context = MavenContext(resolver=PythonResolver(), repo_cache=folder)
    # The "!" takes each version as it is written; without it some come out wrong.
    asked = [context.create_dependency(Coordinate.parse(f"{each}!")) for each in KAFKA]
    inputs, needed = context.resolver.resolve(asked)
    return [
        Pin("", each.groupId, each.artifactId, each.version)
        for each in [*inputs, *needed]
        if each.scope in {None, "compile", "runtime"}
    ]


def write(name: str, about: str, pins: Iterable[Pin], folder: Path) -> None:
    lines = sorted((str(pin), sha256_of(fetch(pin, folder))) for pin in pins)
    text = "".join(f"{sha256}  {coordinate}\n" for coordinate, sha256 in lines)
    Path(__file__).with_name(name).write_text(f"# {about}; written by relock.py.\n{text}", "utf-8")
    sys.stdout.write(f"{name}: {len(lines)} files\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(
            f"kafka-{KAFKA_VERSION}.sha256",
            f"Apache Kafka {KAFKA_VERSION} and the libraries that it runs with",
            resolved(folder),
            folder,
        )
        write(
            f"registry-{REGISTRY_VERSION}.sha256",
            f"Apicurio Registry {REGISTRY_VERSION}, unpacked once",
            [Pin("", *REGISTRY)],
            folder,
        )


if __name__ == "__main__":
    main()

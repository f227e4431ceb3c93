"""Apache Kafka as a program of this machine: a Java, a class path, and perhaps a class archive.

It decides with which options Java is called. What the program is to do, the caller says.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from stream_app.adapters.local_kafka.cache import ensure_files
from stream_app.adapters.local_kafka.java import SMALL_SERVER, ClassArchive, Java, find_java
from stream_app.adapters.local_kafka.maven import fetch
from stream_app.adapters.local_kafka.pins import KAFKA_VERSION, kafka_pins
from stream_app.adapters.process.user_cache import Progress, cache_folder, silent


@dataclass(frozen=True, slots=True)
class KafkaProgram:
    """How to run a main class of Apache Kafka."""

    java: Java
    class_path: str
    archive: ClassArchive | None
    """Where the archive is or would be; ``None`` for a Java that cannot have one."""
    archive_options: tuple[str, ...]
    """How the archive is used; empty while there is none."""

    @classmethod
    def find(cls, progress: Progress = silent) -> Self:
        """Find a Java, and have every jar in the cache, checked.

        Raises:
            ConfigError: the extra ``local-kafka`` is not installed.
            UnavailableError: a jar could not be downloaded.
        """
        java = find_java()
        folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
        jars = ensure_files(kafka_pins(), folder, fetch, progress)
        archive = ClassArchive.of(java, folder.parent, folder.name)
        usable = archive is not None and archive.usable()
        return cls(
            java,
            os.pathsep.join(str(jar) for jar in jars),
            archive,
            archive.use_options if archive is not None and usable else (),
        )

    def without_archive(self) -> Self:
        return replace(self, archive_options=())

    def command(self, main_class: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """The command line; ``options`` are Java's and win over those given here."""
        return [
            str(self.java.program),
            "-Xms64m",
            *SMALL_SERVER,
            *self.archive_options,
            *options,
            *("-cp", self.class_path),
            main_class,
            *arguments,
        ]

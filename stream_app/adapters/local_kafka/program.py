"""Apache Kafka as a program of this machine: a Java, a class path, and perhaps a class archive.

It decides with which options Java is called. What the program is to do, the caller says.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from stream_app.adapters.local_kafka.cache import (
    Progress,
    cache_folder,
    ensure_files,
    exclusive,
    silent,
)
from stream_app.adapters.local_kafka.java import SMALL_SERVER, ClassArchive, Java, find_java
from stream_app.adapters.local_kafka.maven import fetch
from stream_app.adapters.local_kafka.pins import KAFKA_VERSION, kafka_pins


@dataclass(frozen=True, slots=True)
class KafkaProgram:
    """How to run a main class of Apache Kafka."""

    java: Java
    class_path: str
    archive: ClassArchive | None

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
        return cls(
            java,
            ":".join(str(jar) for jar in jars),
            ClassArchive.of(java, folder.parent, folder.name),
        )

    @property
    def uses_archive(self) -> bool:
        return self.archive is not None and self.archive.usable()

    def without_archive(self) -> Self:
        return replace(self, archive=None)

    def command(self, main_class: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """The command line; ``options`` are Java's and win over those given here."""
        archive = self.archive.options if self.archive is not None else ()
        return [
            str(self.java.program),
            "-Xms64m",
            *SMALL_SERVER,
            *archive,
            *options,
            *("-cp", self.class_path),
            main_class,
            *arguments,
        ]

    @contextlib.contextmanager
    def training(self) -> Iterator[Sequence[str]]:
        """Java options for the run that records the archive; none if there is nothing to record.

        What the run has written by the end of the block is taken.
        """
        if self.archive is None or self.archive.usable():
            yield ()
            return
        with exclusive(self.archive.path):
            if self.archive.usable():  # made by the process that was waited for
                yield ()
                return
            made = self.archive.path.with_suffix(".recording")
            made.unlink(missing_ok=True)
            yield (f"-XX:AOTCacheOutput={made}", "-Xlog:aot*=off")
            if Path(made).is_file():
                self.archive.adopt(made)

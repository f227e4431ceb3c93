"""What every act of a bench has in common: the cluster, the input, the children, the screen.

Decides how one contender is run once, and that its topics are read again and removed before the
next one starts.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from stream_app.adapters.bench.topics import read_content, value_bytes
from stream_app.adapters.verifier.records import PredictionReader
from stream_app.bench.checks import Outputs, Scores, count_faults, echo_faults
from stream_app.bench.children import Children
from stream_app.bench.clusters import Cluster
from stream_app.bench.cores import Cores
from stream_app.bench.figures import Figures, PartialBytes
from stream_app.bench.options import COUNTED, BenchOptions, Contender
from stream_app.bench.orders import Kind, Order
from stream_app.bench.screen import Screen
from stream_app.bench.workload import SAMPLE_ROWS, Workload
from stream_app.settings import Settings, load_settings

_START_S: Final = 120.0
_MODEL_S: Final = 3.0
_LEAST_PER_SECOND: Final = 1_000
"""Slower than this and a run is given up."""


@dataclass(frozen=True, slots=True)
class Stage:
    """See the module.

    Attributes:
        options: Of this bench.
        workload: What everybody reads.
        cluster: Which is up.
        children: All processes.
        cores: Who runs where.
        screen: Where it is seen.
        scores: Predictions to hold others against.
        faults: Found so far, one line each.
        partials: What telling of drift took, a line a run.
    """

    options: BenchOptions
    workload: Workload
    cluster: Cluster
    children: Children
    cores: Cores
    screen: Screen
    scores: Scores
    faults: list[str]
    partials: list[PartialBytes] = field(default_factory=list)

    def settings(self, overrides: dict[str, str]) -> Settings:
        """Those of one run."""
        return load_settings(self.workload.config, overrides)

    def order(self, kind: Kind, overrides: dict[str, str]) -> Order:
        """For a child that is measured."""
        config = self.workload.config
        return Order(
            kind=kind,
            cores=self.cores.measured,
            config="" if config is None else str(config.absolute()),
            overrides=overrides,
            records=self.workload.records,
            seconds=self.options.seconds,
            limit_s=_START_S + self.workload.records / _LEAST_PER_SECOND,
        )

    def carry(self, contender: Contender, turn: str, before: tuple[str, ...] = ()) -> Figures:
        """Have a contender carry the whole input, and look at what came out.

        Args:
            contender: Who; not the model alone.
            turn: Tells this run from the contender's others.
            before: A command to run it under.

        Raises:
            StreamAppError: it could not.
        """
        workload, cluster = self.workload, self.cluster
        overrides = workload.of_run(contender, turn)
        settings = self.settings(overrides)
        topics = [settings.predictions_topic, settings.dlq_topic, settings.partials_topic]
        cluster.make_topics(topics, workload.partitions)
        cluster.groups.append(settings.kafka.group)
        who = f"{contender}, run {turn}"
        answer = self.children.run(self.order(kind_of(contender), overrides), who, before)
        figures = Figures.of(answer)
        self._check(contender, who, settings, figures)
        self.note_partials(contender, settings, figures.records, figures.per_second)
        cluster.drop(topics)
        return figures

    def note_partials(
        self, contender: Contender, settings: Settings, events: int, per_second: float
    ) -> None:
        """Look how large the partials of a run of the product are, before they are dropped."""
        if contender.is_product and contender not in COUNTED:
            size = value_bytes(self.cluster.kafka, settings.partials_topic)
            if size:
                self.partials.append(PartialBytes(contender.value, per_second, size / events))

    def _check(self, contender: Contender, who: str, settings: Settings, figures: Figures) -> None:
        kafka, partitions = self.cluster.kafka, self.workload.partitions
        inputs = self.workload.content
        outputs = Outputs(
            read_content(kafka, settings.predictions_topic, partitions, SAMPLE_ROWS),
            read_content(kafka, settings.dlq_topic, partitions, 0).counts,
        )
        self.faults.extend(count_faults(who, inputs, outputs, figures))
        if contender.echoes:
            self.faults.extend(echo_faults(who, inputs, outputs.predictions))
        else:
            read = PredictionReader(settings).read
            self.faults.extend(self.scores.faults(who, inputs, outputs.predictions, read))

    def model_figures(self) -> Figures:
        """The model alone, on the measured core, at the batch size in effect."""
        settings = self.settings(dict(self.workload.overrides))
        order = replace(
            self.order(Kind.MODEL, dict(self.workload.overrides)),
            batches=(settings.batch.max_records,),
            threads=(settings.model.intra_op_threads,),
            seconds=min(_MODEL_S, self.options.seconds),
        )
        (point,) = points_of(self.children.run(order, "the model alone"))
        return Figures.of(point)


def kind_of(contender: Contender) -> Kind:
    """What a child must do to be this contender."""
    if contender.echoes:
        return Kind.ECHO
    return Kind.WORKER if contender.is_product else Kind.PLAIN_LOOP


def points_of(answer: object) -> list[dict[str, float]]:
    """Of the model's cost."""
    found: list[dict[str, float]] = answer["curve"]  # type: ignore[index]  # as `duties` made it
    return found

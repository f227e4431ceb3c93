"""``stream-app kafka``: a real Kafka to try things on, without Docker or Java on the machine."""

import time
from contextlib import ExitStack
from typing import Annotated

import typer

from stream_app.adapters.local_kafka import LocalKafka, LocalRegistry
from stream_app.adapters.process.signals import StopSignal
from stream_app.cli.output import console
from stream_app.errors import FatalError

app = typer.Typer(add_completion=False)

_LOOK_EVERY_S = 0.2


@app.command(
    epilog="Example: [bold]stream-app kafka[/bold], then paste the line that it prints into the "
    "terminals in which you try the other commands."
)
def kafka(
    brokers: Annotated[int, typer.Option(min=1, max=5, help="How many; three replicate.")] = 1,
    registry: Annotated[
        bool, typer.Option("--registry", help="A schema registry beside it (Apicurio).")
    ] = False,
) -> None:
    r"""Run an Apache Kafka on this machine until Ctrl-C; its data go with it.

    Needs the extra local-kafka: pip install 'stream-app\[local-kafka]'. The first start fetches
    Kafka's jars into the user's cache.
    """
    screen = console(stderr=True)
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal(lambda: None))
        cluster = stack.enter_context(LocalKafka(brokers, progress=screen.print))
        typer.echo(f"export STREAM_APP_KAFKA__BOOTSTRAP_SERVERS={cluster.bootstrap_servers}")
        if registry:
            server = stack.enter_context(LocalRegistry(progress=screen.print))
            typer.echo(f"export STREAM_APP_REGISTRY__URL={server.url}")
        screen.print("running; Ctrl-C ends it and removes its data")
        while not stop():
            time.sleep(_LOOK_EVERY_S)
            if not all(broker.alive for broker in cluster.brokers):
                raise FatalError("a broker ended by itself; `stream-app kafka` starts anew")

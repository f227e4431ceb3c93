"""A cluster that nobody has used yet: its coordinators are still being made when tools ask."""

import subprocess
import sys

from stream_app.adapters.local_kafka import LocalKafka


def test_offsets_of_a_group_can_be_asked_for_on_a_cluster_without_coordinators(
    kafka_installed: None,
) -> None:
    del kafka_installed
    # In a process of its own, since what went wrong was a null pointer in the client.
    with LocalKafka(tests=True) as cluster:
        cluster.create_topic("in", 2)
        bootstrap = f"kafka.bootstrap_servers={cluster.bootstrap_servers}"
        arguments = ["offsets", "show", "--json", "--set", bootstrap, "--set", "input.topic=in"]
        shown = subprocess.run(
            [sys.executable, "-m", "stream_app", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert shown.returncode == 0, shown.stderr
    assert "in" in shown.stdout

"""F41: the network to the schema registry swallows, crawls and trickles; the registry is well."""

import time
from urllib.parse import urlsplit

import pytest

from stream_app.resources import schema_path
from tests.fake_registry import fake_registry, found
from tests.fault.bench import Bench
from tests.fault.confluent_feed import confluent_feed
from tests.fault.proxy import HOST, Network
from tests.fault.proxy_rules import BlackHole, Delay, Throttle
from tests.kafka_fixtures import RealKafka

ID = 7
FIRED_S = 60.0


@pytest.mark.fault("F41")
def test_a_network_that_keeps_the_registry_away_costs_time_and_no_record(
    bench: Bench, kafka: RealKafka
) -> None:
    with fake_registry() as registry, Network(raw=True, seed=bench.seed) as network:
        registry.answers[f"GET /schemas/ids/{ID}"] = found(schema_path("event").read_text("utf-8"))
        network.connect(urlsplit(registry.url).port or 0)
        with bench.run(
            kafka,
            feed=confluent_feed(ID),
            input__framing="confluent",
            output__framing="single-object",
            registry__url=f"http://{HOST}:{network.ports[0]}",
            registry__timeout_s="2",
        ) as run:
            with run.fault("cold, and the network swallows everything"):
                hole = network.add(BlackHole())
                first = run.start()
                hole.wait_fired(FIRED_S)
                first.wait_for("paused")
                time.sleep(bench.chance.uniform(5, 30))  # the fault itself
                assert first.get("/livez")[0] == 200
                assert first.metric("stream_app_dead_letters_total") == 0
                network.heal()
            run.recovered(within_s=120)
            with run.fault("warm, and the network swallows everything"):
                network.add(BlackHole())
            run.recovered()
            network.heal()
            with run.fault("another worker starts, and the network trickles, late"):
                network.add(Delay(by_s=0.2, jitter_s=0.1))
                narrow = network.add(Throttle(bytes_per_s=bench.chance.uniform(200, 2_000)))
                second = run.start()
                narrow.wait_fired(FIRED_S)
            run.recovered(within_s=120)
            network.heal()
            run.scoring(within_s=120)
            assert (first.exit_status, second.exit_status) == (None, None)
            assert len(first.events("paused")) > 0

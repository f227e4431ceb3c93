"""docker-compose.yml against the Compose specification, and against the product.

No container engine runs here: a parser of the specification reads the file, and every command,
variable, port and path in it is looked up where the product declares it.
"""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer
import yaml
from compose_spec import PyCompose
from pydantic import BaseModel
from typer.core import TyperGroup

from stream_app.adapters.local_kafka.pins import KAFKA_VERSION, REGISTRY_VERSION
from stream_app.cli import app
from stream_app.settings import ENV_PREFIX, Settings, load_settings
from tests import dockerfile
from tests.compose import PATH, on_this_machine, ours, services, variables


def parse_command(arguments: list[str]) -> None:
    """Resolve a command line to its last option, as the product would, without running it."""
    command = typer.main.get_command(app)
    context = command.make_context("stream-app", list(arguments))
    while isinstance(command, TyperGroup):
        name, found, arguments = command.resolve_command(context, list(arguments))
        assert name is not None
        assert found is not None
        command = found
        context = command.make_context(name, list(arguments), parent=context)


def parse(text: str) -> None:
    """Validate against the Compose specification.

    Raises:
        ValueError: what is wrong, and at which key.
    """
    # The parser knows no merge keys (`<<`), which are YAML's: they are resolved before it.
    PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(text)))


def test_it_keeps_to_the_compose_specification() -> None:
    parse(PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("cap_drop:", "cap_dropp:", "cap_dropp"),
        ("stop_grace_period: 40s", "stop_grace_period: 40 parsecs", "scorer.stop_grace_period"),
        ("service_completed_successfully", "service_finished", "depends_on.topics.condition"),
        ("target: 9092", "target: ninety", r"kafka.ports\[0\]"),
        ("restart: unless-stopped", "restart: sometimes", "scorer.restart"),
        ("start_period: 30s", "start_periode: 30s", "kafka.healthcheck"),
        ("\nservices:", "\nvolums: {}\nservices:", "volums"),
    ],
)
def test_a_planted_fault_is_rejected(right: str, wrong: str, where: str) -> None:
    text = PATH.read_text(encoding="utf-8")
    assert right in text
    with pytest.raises(ValueError, match=where):
        parse(text.replace(right, wrong))


def test_it_has_kafka_a_registry_the_topics_and_two_scorers() -> None:
    assert services()["kafka"].image == f"apache/kafka:{KAFKA_VERSION}"
    assert services()["registry"].image == f"apicurio/apicurio-registry-mem:{REGISTRY_VERSION}"
    assert services()["topics"].command[:2] == ["topics", "create"]
    assert services()["scorer"].command[:1] == ["score"]
    assert services()["scorer"].deploy.replicas == 2


def test_every_command_is_one_of_the_product() -> None:
    commands = [each.command for each in ours().values()]
    assert all(commands)
    for name, each in ours().items():
        parse_command([on_this_machine(word, services()[name]) for word in each.command])
    parse_command(dockerfile.last("CMD").words())


def test_every_command_in_its_comments_is_one_of_the_product() -> None:
    text = PATH.read_text(encoding="utf-8")
    shown = re.findall(r"^#     docker compose run --rm (\w+)(.*)", text, re.MULTILINE)
    assert len(shown) >= 3
    for name, words in shown:
        assert name in ours()
        if words:
            parse_command(words.split())


@pytest.mark.parametrize("command", [["scores"], ["topics", "creat"], ["score", "--worker-s=2"]])
def test_a_command_that_does_not_exist_is_found(command: list[str]) -> None:
    with pytest.raises(Exception, match=r"No such (?:command|option)"):
        parse_command(command)


def test_every_variable_is_a_setting_and_its_value_is_valid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ours()
    for name in ours():
        settings = settings_of(name, monkeypatch)
        assert settings.input.topic
        assert settings.kafka.bootstrap_servers
        assert settings.registry.url


def test_a_variable_that_is_no_setting_is_found() -> None:
    assert is_setting("STREAM_APP_KAFKA__BOOTSTRAP_SERVERS")
    assert is_setting("STREAM_APP_DELIVERY")
    assert not is_setting("STREAM_APP_KAFKA__BOOTSTRAP")
    assert not is_setting("STREAM_APP_KAFKAS__GROUP")


def is_setting(variable: str) -> bool:
    model: type[BaseModel] | None = Settings
    for name in variable.removeprefix(ENV_PREFIX).lower().split("__"):
        if model is None or name not in model.model_fields:
            return False
        inner = model.model_fields[name].annotation
        model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
    return True


def settings_of(name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the product would read in this service's container."""
    given = variables(name)
    assert [key for key in given if not is_setting(key)] == []
    for key in [key for key in os.environ if key.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(key)
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    return load_settings()


def test_every_mounted_and_built_path_exists() -> None:
    mounts = [mount for each in services().values() for mount in each.volumes]
    assert mounts
    assert [m.source for m in mounts if not (PATH.parent / m.source).exists()] == []
    for each in ours().values():
        assert each.build is not None
        assert (PATH.parent / each.build.context / each.build.dockerfile) == dockerfile.PATH


def test_the_model_that_it_names_is_in_the_mounted_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = settings_of("scorer", monkeypatch).model
    assert [*(model.repository / model.name).glob("*/model.onnx")] != []


def test_published_ports_are_those_that_the_product_listens_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scorer = services()["scorer"]
    assert scorer.container_ports() == {settings_of("scorer", monkeypatch).http.port}
    assert [len(port.of_this_machine()) for port in scorer.ports] == [scorer.deploy.replicas]


def test_no_port_collides_or_is_open_to_other_machines() -> None:
    published = [port for each in services().values() for port in each.ports]
    taken = [number for port in published for number in port.of_this_machine()]
    assert len({*taken}) == len(taken) >= 4
    assert {port.host_ip for port in published} == {"127.0.0.1"}


def test_clients_on_this_machine_are_told_the_published_port() -> None:
    (port,) = services()["kafka"].ports
    advertised = str(services()["kafka"].environment["KAFKA_ADVERTISED_LISTENERS"])
    assert f"OUTSIDE://{port.host_ip}:{port.published}" in advertised.split(",")


def test_addresses_lead_to_services_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    advertised = str(services()["kafka"].environment["KAFKA_ADVERTISED_LISTENERS"])
    listeners = {urlsplit(each).netloc for each in advertised.split(",")}
    for name in ours():
        settings = settings_of(name, monkeypatch)
        assert settings.kafka.bootstrap_servers in listeners
        registry = urlsplit(settings.registry.url)
        assert registry.hostname == "registry"
        assert registry.port in services()["registry"].container_ports()


def test_a_worker_may_finish_before_it_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    grace_s = settings_of("scorer", monkeypatch).worker.grace_period_s
    assert int(services()["scorer"].stop_grace_period.removesuffix("s")) > grace_s


def test_our_services_run_without_root_and_write_to_tmp_only() -> None:
    assert ours()
    for each in ours().values():
        assert each.user == dockerfile.last("USER").text
        assert each.read_only
        assert each.tmpfs == ["/tmp"]
        assert each.cap_drop == ["ALL"]
        assert all(mount.read_only for mount in each.volumes)


def test_what_is_waited_for_can_happen() -> None:
    waits = [wait for each in services().values() for wait in each.depends_on.items()]
    assert len(waits) >= 3
    for name, dependency in waits:
        awaited = services()[name]
        if dependency.condition == "service_healthy":
            assert awaited.healthcheck is not None
            assert awaited.healthcheck.test
        else:
            assert dependency.condition == "service_completed_successfully"
            assert awaited.restart == "no"


def test_paths_of_the_container_are_found_on_this_machine() -> None:
    scorer = services()["scorer"]
    assert Path(on_this_machine("/models/car_loan", scorer)).parent.name == "models"
    assert on_this_machine("/modelsx", scorer) == "/modelsx"

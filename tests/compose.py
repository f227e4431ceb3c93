"""Reads docker-compose.yml far enough to hold it against the product.

Knows the keys that concern us and which path of a container is which path here; refuses to know
the Compose specification, which has a parser of its own.
"""

import os
from functools import cache

import yaml
from pydantic import BaseModel, Field

from stream_app.adapters.process.user_cache import CACHE_VARIABLE
from stream_app.settings import ENV_PREFIX
from tests import dockerfile

PATH = dockerfile.ROOT / "docker-compose.yml"
OURS = "stream-app:"


class Mount(BaseModel):
    type: str
    source: str
    target: str
    read_only: bool


class Port(BaseModel):
    target: int
    host_ip: str
    published: str

    def of_this_machine(self) -> range:
        first, _, last = self.published.partition("-")
        return range(int(first), int(last or first) + 1)


class Dependency(BaseModel):
    condition: str


class Build(BaseModel):
    context: str
    dockerfile: str


class Healthcheck(BaseModel):
    test: list[str] = []
    disable: bool = False


class Deploy(BaseModel):
    replicas: int = 1


class Service(BaseModel):
    """The part of a service that the tests hold against the product."""

    image: str
    build: Build | None = None
    command: list[str] = []
    user: str = ""
    read_only: bool = False
    tmpfs: list[str] = []
    cap_drop: list[str] = []
    volumes: list[Mount] = []
    environment: dict[str, str | int] = {}
    ports: list[Port] = []
    restart: str = "no"
    stop_grace_period: str = "10s"
    healthcheck: Healthcheck | None = None
    depends_on: dict[str, Dependency] = {}
    deploy: Deploy = Field(default_factory=Deploy)

    def container_ports(self) -> set[int]:
        return {port.target for port in self.ports}


class File(BaseModel):
    services: dict[str, Service]


@cache
def services() -> dict[str, Service]:
    return File.model_validate(yaml.safe_load(PATH.read_text(encoding="utf-8"))).services


def ours() -> dict[str, Service]:
    return {name: each for name, each in services().items() if each.image.startswith(OURS)}


def on_this_machine(path: str, service: Service) -> str:
    """A path of the container, as the path that is mounted there; other words as they are."""
    for mount in service.volumes:
        if path == mount.target or path.startswith(mount.target + "/"):
            return str(PATH.parent / mount.source) + path.removeprefix(mount.target)
    return path


def variables(name: str) -> dict[str, str]:
    """Settings in this service's container, with paths as they are on this machine."""
    service = services()[name]
    given = {**dockerfile.environment(), **service.environment}
    return {
        key: on_this_machine(str(value), service)
        for key, value in given.items()
        # Of the image's own folder for what it has compiled there is nothing on this machine.
        if key.startswith(ENV_PREFIX) and key != CACHE_VARIABLE
    }


def environment(name: str, **replaced: str) -> dict[str, str]:
    """This process's environment with that service's variables instead of our own."""
    foreign = {k: v for k, v in os.environ.items() if not k.startswith(ENV_PREFIX)}
    return {**foreign, **variables(name), **replaced}

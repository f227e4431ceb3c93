"""Certificates, authorities and passwords that are replaced while a worker scores: F45.

Decides that a worker takes the new ones by itself between two transactions, whatever else happens
to its files meanwhile, and that nothing is lost or answered twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.fault.bench import Bench, Run
from tests.fault.reread_feed import RereadFeed
from tests.security.certificates import Authority, Identity
from tests.security.doors import PASSWORD, Doors
from tests.security.under_load import NOTICED_S, scoring
from tests.worker import Worker, until

LOOK_S = "0.5"
REREAD: dict[str, Any] = {"feed": RereadFeed}
"""Where the broker is killed: nobody knows beforehand which events it had taken."""


@contextmanager
def trusted(doors: Doors, *authorities: Authority) -> Iterator[None]:
    """While it lasts the door of client certificates trusts these, and nobody else."""
    store = doors.ours.folder / ("-".join(each.name for each in authorities) + ".store.pem")
    store.write_bytes(b"".join(each.certificate.read_bytes() for each in authorities))
    set_store(doors, "truststore", store)
    try:
        yield
    finally:
        set_store(doors, "truststore", doors.ours.certificate)


@contextmanager
def shown_by(doors: Doors, authority: Authority) -> Iterator[None]:
    """While it lasts that door shows a certificate that this one signed."""
    store = authority.issue("broker-mutual", file_name=f"{authority.name}-mutual").both
    set_store(doors, "keystore", store)
    try:
        yield
    finally:
        set_store(doors, "keystore", doors.ours.issue("broker-mutual").both)


def set_store(doors: Doors, kind: str, store: Path) -> None:
    name = f"listener.name.mutual.ssl.{kind}.location"
    entry = ConfigEntry(name, str(store), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": doors.cluster.bootstrap_servers})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(20)


def set_password(doors: Doors, password: str) -> None:
    admin = AdminClient({"bootstrap.servers": doors.cluster.bootstrap_servers})
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion("worker", info, password.encode())
    for future in admin.alter_user_scram_credentials([change]).values():
        future.result(20)


class Files:
    """The certificate and key that a worker reads, apart from where they were made."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        folder.mkdir()
        self.now = Identity(folder / "worker.pem", folder / "worker.key")
        self.put_certificate(identity)
        self.put_key(identity)

    def put_certificate(self, identity: Identity) -> None:
        self.now.certificate.write_bytes(identity.certificate.read_bytes())

    def put_key(self, identity: Identity) -> None:
        self.now.key.write_bytes(identity.key.read_bytes())

    @property
    def settings(self) -> dict[str, str]:
        return {
            "kafka__ssl_certificate_file": str(self.now.certificate),
            "kafka__ssl_key_file": str(self.now.key),
            "kafka__credentials_check_s": LOOK_S,
        }


def goes_on(run: Run, worker: Worker) -> None:
    """The worker commits records that were sent after the fault, with both clients anew."""
    worker.wait_for("credentials_taken", NOTICED_S)
    run.recovered(within_s=NOTICED_S)
    worker.wait_ready()
    assert worker.metric("stream_app_credentials_refused") == 0
    assert run.alive() == [worker], "it was not started again: it went on"


def refused(worker: Worker, *words: str) -> bool:
    """Whether the log says that new files are refused, in these words."""
    said = [str(event.get("reason")) for event in worker.events("credentials_refused")]
    return any(all(word in reason for word in words) for reason in said)


@pytest.mark.fault("F45")
def test_a_certificate_that_the_broker_alone_accepts_is_taken_up(
    bench: Bench, doors: Doors, tmp_path: Path
) -> None:
    coming = Authority(doors.ours.folder, f"coming-{bench.variant}")
    files = Files(tmp_path / "files", doors.worker)
    with scoring(bench, doors, "MUTUAL", **files.settings) as (run, worker):
        # Whoever connects from now on needs a certificate of the new authority.
        with trusted(doors, coming):
            fresh = coming.issue("worker")
            with run.fault("a new certificate, then its key"):
                files.put_certificate(fresh)
            until("half a pair is refused", lambda: refused(worker, "ssl_key_file"), NOTICED_S)
            files.put_key(fresh)
            goes_on(run, worker)
            assert worker.metric("stream_app_transactions_total") > 0
            run.stop_load()
            worker.wait_ready()
        files.put_certificate(doors.worker)
        files.put_key(doors.worker)
        until("the old ones are taken", lambda: len(worker.events("credentials_taken")) == 2, 90)


@pytest.mark.fault("F45")
def test_a_broken_file_changes_nothing_but_the_log(
    bench: Bench, doors: Doors, tmp_path: Path
) -> None:
    files = Files(tmp_path / "files", doors.worker)
    stranger = doors.strangers.issue("worker", file_name=f"stranger-{bench.variant}")
    with scoring(bench, doors, "MUTUAL", **files.settings) as (run, worker):
        with run.fault("an empty certificate"):
            files.now.certificate.write_bytes(b"")
        until("it is refused", lambda: refused(worker, "ssl_certificate_file", "empty"), NOTICED_S)
        files.now.certificate.write_bytes(doors.worker.certificate.read_bytes()[:200])
        until("half a file is refused", lambda: refused(worker, "not a certificate"), NOTICED_S)
        files.put_certificate(stranger)
        files.put_key(stranger)
        until("a stranger's is refused", lambda: refused(worker, "not accept our"), NOTICED_S)
        assert worker.metric("stream_app_credentials_refused") == 1
        run.recovered(within_s=NOTICED_S)
        assert worker.events("credentials_taken") == []
        assert worker.get("/readyz")[0] == 200
        fresh = doors.ours.issue("worker", file_name=f"fresh-{bench.variant}")
        with run.fault("a good certificate at last"):
            files.put_key(fresh)
            files.put_certificate(fresh)
        goes_on(run, worker)


@pytest.mark.fault("F45")
def test_old_credentials_that_are_dead_already_are_replaced_in_the_middle_of_everything(
    bench: Bench, doors: Doors, tmp_path: Path
) -> None:
    """The broker forgets the old authority and drops every connection; files come later."""
    coming = Authority(doors.ours.folder, f"late-{bench.variant}")
    files = Files(tmp_path / "files", doors.worker)
    (broker,) = doors.cluster.brokers
    with scoring(bench, doors, "MUTUAL", **files.settings, **REREAD) as (run, worker):
        with trusted(doors, coming):
            with run.fault("every connection is cut, and the old certificate worth nothing"):
                broker.kill()
                broker.start()
            worker.wait_for("kafka_client_error", NOTICED_S)
            fresh = coming.issue("worker")
            files.put_key(fresh)
            files.put_certificate(fresh)
            goes_on(run, worker)
            run.stop_load()
        files.put_key(doors.worker)
        files.put_certificate(doors.worker)


@pytest.mark.fault("F45")
def test_a_new_authority_is_trusted_once_its_file_says_so(
    bench: Bench, doors: Doors, tmp_path: Path
) -> None:
    """The broker's certificate moves first; the worker knows nobody until the file follows."""
    coming = Authority(doors.ours.folder, f"above-{bench.variant}")
    trusts = tmp_path / "authority.pem"
    trusts.write_bytes(doors.ours.certificate.read_bytes())
    more = {"kafka__ssl_ca_file": str(trusts), "kafka__credentials_check_s": LOOK_S, **REREAD}
    (broker,) = doors.cluster.brokers
    with scoring(bench, doors, "MUTUAL", **more) as (run, worker):
        with shown_by(doors, coming):
            with run.fault("every connection is cut, and the broker is a stranger"):
                broker.kill()
                broker.start()
            worker.wait_for("kafka_client_error", NOTICED_S)
            trusts.write_bytes(doors.strangers.certificate.read_bytes())
            until("another's is refused", lambda: refused(worker, "kafka.ssl_ca_file"), NOTICED_S)
            trusts.write_bytes(coming.certificate.read_bytes())
            goes_on(run, worker)
            run.stop_load()
        trusts.write_bytes(doors.ours.certificate.read_bytes())


@pytest.mark.fault("F45")
def test_a_password_is_taken_up_once_the_broker_knows_it(
    bench: Bench, doors: Doors, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n", "utf-8")
    more = {"kafka__sasl_password_file": str(secret), "kafka__credentials_check_s": LOOK_S}
    with scoring(bench, doors, "SCRAM", **more) as (run, worker):
        with run.fault("a password that the broker does not know yet"):
            secret.write_text("canary-of-tomorrow\n", "utf-8")
        until("it is refused", lambda: refused(worker, "kafka.sasl_password_file"), NOTICED_S)
        run.recovered(within_s=NOTICED_S)
        assert worker.events("credentials_taken") == []
        try:
            with run.fault("the broker knows the new one alone"):
                set_password(doors, "canary-of-tomorrow")
            goes_on(run, worker)
        finally:
            set_password(doors, PASSWORD)
            secret.write_text(PASSWORD + "\n", "utf-8")
        until("the old one is taken", lambda: len(worker.events("credentials_taken")) == 2, 90)
        assert "canary" not in worker.log()
        assert PASSWORD not in worker.log()

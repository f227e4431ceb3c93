"""TLS with a real broker: who gets in, and what each who does not is told, before anything runs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.errors import ConfigError
from stream_app.settings import load_settings
from tests.car_loan import Feed, assert_exactly_once
from tests.security.check_command import check
from tests.security.doors import PASSWORD, Doors
from tests.security.rights import grant
from tests.worker import Job, Workers


@pytest.mark.parametrize("door", ["MUTUAL", "SCRAM"])
def test_a_worker_with_a_name_and_its_rights_scores_over_tls(
    doors: Doors, tmp_path: Path, door: str
) -> None:
    job = doors.job(tmp_path, door)
    grant(doors.cluster, job)
    feed = Feed(doors.plain(job))
    feed.send(1_000)
    with Workers(job) as workers:
        worker = workers.start()
        assert_exactly_once(feed)
        assert worker.stop() == 0


def test_the_principal_is_the_name_in_the_certificate(doors: Doors, tmp_path: Path) -> None:
    other = doors.ours.issue("somebody-else")
    job = doors.job(tmp_path, "MUTUAL")
    grant(doors.cluster, job)
    overrides = {
        **job.overrides,
        "kafka.ssl_certificate_file": str(other.certificate),
        "kafka.ssl_key_file": str(other.key),
    }
    status, text = check(Job(overrides, tmp_path))
    assert status == 78
    assert f"missing ACL: Read on Topic {job.settings.input.topic}" in text


def test_a_key_with_a_password_is_opened(doors: Doors, tmp_path: Path) -> None:
    locked = doors.ours.issue("worker", password="of-the-key", file_name="locked")
    settings = load_settings(
        overrides={
            **doors.job(tmp_path, "MUTUAL").overrides,
            "kafka.ssl_certificate_file": str(locked.certificate),
            "kafka.ssl_key_file": str(locked.key),
            "kafka.ssl_key_password": "of-the-key",
        }
    )
    assert KafkaAdmin(settings.kafka).partition_counts() is not None


Change = Callable[[Doors, Path], dict[str, str]]
"""What is set otherwise than a worker must; an empty value: not at all."""


def _wrong_authority(doors: Doors, folder: Path) -> dict[str, str]:
    return {"kafka.ssl_ca_file": str(doors.strangers.certificate)}


def _no_certificate(doors: Doors, folder: Path) -> dict[str, str]:
    return {"kafka.ssl_certificate_file": "", "kafka.ssl_key_file": ""}


def _strange_certificate(doors: Doors, folder: Path) -> dict[str, str]:
    return _certificate(doors.strangers.issue("worker").certificate)


def _expired_certificate(doors: Doors, folder: Path) -> dict[str, str]:
    return _certificate(doors.ours.issue("worker", expired=True).certificate)


def _certificate(path: Path) -> dict[str, str]:
    return {
        "kafka.ssl_certificate_file": str(path),
        "kafka.ssl_key_file": str(path.with_suffix(".key")),
    }


def _key_of_another(doors: Doors, folder: Path) -> dict[str, str]:
    return {"kafka.ssl_key_file": str(doors.strangers.issue("worker").key)}


def _no_pem(doors: Doors, folder: Path) -> dict[str, str]:
    empty = folder / "empty.pem"
    empty.touch()
    return {"kafka.ssl_ca_file": str(empty)}


def _nothing(doors: Doors, folder: Path) -> dict[str, str]:
    return {}


REFUSED: dict[str, tuple[str, Change, tuple[str, ...]]] = {
    "wrong authority": ("TLS", _wrong_authority, ("not signed by an authority", "ssl_ca_file")),
    "wrong host": ("ELSEWHERE", _nothing, ("for another host", "kafka.bootstrap_servers")),
    "expired": ("EXPIRED", _nothing, ("has expired", "the broker needs a new one")),
    "no client certificate": (
        "MUTUAL",
        _no_certificate,
        ("asks for a client certificate", "kafka.ssl_certificate_file"),
    ),
    "strange client certificate": (
        "MUTUAL",
        _strange_certificate,
        ("does not accept our certificate", "kafka.ssl_certificate_file"),
    ),
    "expired client certificate": (
        "MUTUAL",
        _expired_certificate,
        ("kafka.ssl_certificate_file", "has expired", "give one that is valid"),
    ),
    "key of another": ("MUTUAL", _key_of_another, ("kafka.ssl_key_file", "belong together")),
    "no PEM": ("TLS", _no_pem, ("kafka.ssl_ca_file", "holds no certificate")),
    "no TLS on our side": (
        "TLS",
        lambda doors, folder: {"kafka.security_protocol": "PLAINTEXT", "kafka.ssl_ca_file": ""},
        ("speaks TLS", "kafka.security_protocol", "SSL"),
    ),
    "no TLS on theirs": (
        "TLS",
        lambda doors, folder: {"kafka.bootstrap_servers": doors.cluster.bootstrap_servers},
        ("does not speak TLS", "kafka.security_protocol"),
    ),
    "wrong password": (
        "SCRAM",
        lambda doors, folder: {"kafka.sasl_password": "wrong-canary"},
        ("SASL authentication", "kafka.sasl_username, its password"),
    ),
    "unknown user": (
        "SCRAM",
        lambda doors, folder: {"kafka.sasl_username": "nobody"},
        ("SASL authentication", "kafka.sasl_username, its password"),
    ),
    "wrong authority behind a password": (
        "SCRAM",
        _wrong_authority,
        ("not signed by an authority", "kafka.ssl_ca_file"),
    ),
}
"""The door, what is wrong, and words that its message must have."""


def refused_job(doors: Doors, folder: Path, case: str) -> Job:
    door, change, _ = REFUSED[case]
    overrides = {**doors.job(folder, door).overrides, **change(doors, folder)}
    return Job({name: value for name, value in overrides.items() if value}, folder)


FIVE = (
    "wrong authority",
    "wrong host",
    "expired",
    "no client certificate",
    "expired client certificate",
)
"""Of these also what the program says, at its check and at a worker's start."""


@pytest.mark.parametrize("case", REFUSED)
def test_who_does_not_get_in_is_told_why(doors: Doors, tmp_path: Path, case: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        KafkaAdmin(refused_job(doors, tmp_path, case).settings.kafka).partition_counts()
    assert_told(str(refusal.value), case)


def test_check_says_why_it_does_not_get_in(doors: Doors, tmp_path: Path) -> None:
    cases = [*FIVE, "wrong password"]
    jobs = [refused_job(doors, tmp_path, case) for case in cases]
    with ThreadPoolExecutor(len(cases)) as pool:
        answers = list(pool.map(check, jobs))
    for case, (status, text) in zip(cases, answers, strict=True):
        assert status == 78, text
        assert_told(text, case)


def test_a_worker_that_does_not_get_in_ends_and_says_why(doors: Doors, tmp_path: Path) -> None:
    with ExitStack() as stack:
        started = {}
        for case in (*FIVE, "wrong password"):
            folder = tmp_path / case
            folder.mkdir()
            workers = stack.enter_context(Workers(refused_job(doors, folder, case)))
            started[case] = workers.start()
        for case, worker in started.items():
            assert worker.wait_exit(within_s=90) == 78
            assert_told(worker.log(), case)
            assert "Traceback" not in worker.log()


def assert_told(text: str, case: str) -> None:
    for word in REFUSED[case][2]:
        assert word in text
    for secret in (PASSWORD, "wrong-canary"):
        assert secret not in text


def test_the_five_faults_of_tls_have_words_of_their_own(doors: Doors, tmp_path: Path) -> None:
    told = set()
    for case in FIVE:
        with pytest.raises(ConfigError) as refusal:
            KafkaAdmin(refused_job(doors, tmp_path, case).settings.kafka).partition_counts()
        told.add(str(refusal.value).split(": ", 1)[1].partition(";")[0].split(" ", 4)[4])
    assert len(told) == 5

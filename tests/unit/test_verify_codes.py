"""Every fault of the product has its place in the verifier's own list, at its stage."""

import pytest

from stream_app.core.faults import Fault
from stream_app.verify.codes import NAMES, OF_ITS_TIME, PLACES, STAGES, Place
from stream_app.verify.compare import Answer
from stream_app.verify.death import Known, Ruling, rule
from stream_app.verify.refused import RefusedError

FAULTS = [fault for fault in Fault if fault is not Fault.NONE]
KNOWN = Known(on_cpu=True, limits_time=True)


def test_every_fault_has_its_place_and_its_stage() -> None:
    assert {fault.name: fault.stage.value for fault in FAULTS} == STAGES
    assert PLACES.keys() == STAGES.keys()
    assert all(PLACES.values())


def test_every_fault_has_its_number() -> None:
    assert {fault.value: fault.name for fault in FAULTS} == NAMES


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_found_again_where_it_belongs_is_right(fault: Fault) -> None:
    for place in PLACES[fault.name]:
        assert rule(fault.name, RefusedError("", place=place), KNOWN)[0] is Ruling.RIGHT


@pytest.mark.parametrize("fault", FAULTS)
def test_a_death_of_a_good_event_is_needless_unless_it_hung_on_its_time(fault: Fault) -> None:
    ruling, why = rule(fault.name, Answer("a", None, {}), KNOWN)
    unclear = bool(PLACES[fault.name] & OF_ITS_TIME)
    assert ruling is (Ruling.UNCLEAR if unclear else Ruling.NEEDLESS)
    assert fault.name in why


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", [Place.NULL, Place.FRAMING, Place.BYTES, Place.VALUES])
def test_an_event_does_not_die_behind_the_place_that_it_never_passed(
    fault: Fault, place: Place
) -> None:
    order = list(Place)
    ruling, _ = rule(fault.name, RefusedError("", place=place), KNOWN)
    if all(order.index(p) > order.index(place) for p in PLACES[fault.name]):
        assert ruling is Ruling.OTHER_CAUSE
    uncertain, _ = rule(fault.name, RefusedError("", certain=False, place=place), KNOWN)
    assert uncertain in {Ruling.RIGHT, Ruling.UNCLEAR}

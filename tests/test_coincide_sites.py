"""Places of the detectors."""

from itertools import combinations

import numpy as np
import pytest

from transforms.coincide import sites

PAIRS = list(combinations(sites.SITES, 2))


@pytest.mark.parametrize("ifo", sites.SITES)
def test_a_site_is_where_lal_has_it(ifo: str) -> None:
    lal = pytest.importorskip("lal")
    assert np.allclose(sites.SITES[ifo], lal.cached_detector_by_prefix[ifo].location, 0, 1e-3)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_travel_times_are_those_of_lal(one: str, other: str) -> None:
    lal = pytest.importorskip("lal")
    places = [lal.cached_detector_by_prefix[ifo].location for ifo in (one, other)]
    expected = np.linalg.norm(places[0] - places[1]) / lal.C_SI
    assert sites.travel_ns(one, other) == pytest.approx(1e9 * expected, abs=1)
    assert sites.travel_ns(one, other) == sites.travel_ns(other, one)


@pytest.mark.parametrize(
    ("one", "other", "milliseconds"),
    [("H1", "L1", 10.013), ("H1", "V1", 27.288), ("L1", "V1", 26.448), ("H1", "H1", 0)],
)
def test_travel_times_are_those_that_the_papers_round(
    one: str, other: str, milliseconds: float
) -> None:
    assert sites.travel_ns(one, other) / 1e6 == pytest.approx(milliseconds, abs=5e-4)


def test_no_travel_time_is_longer_than_the_longest() -> None:
    times = [sites.travel_ns(one, other) for one, other in PAIRS]
    assert max(times) == sites.LONGEST_TRAVEL_NS < 42_600_000  # the Earth's diameter


@pytest.mark.parametrize("ifo", ["G1", "X1", "", "h1"])
def test_a_detector_without_a_place_is_refused_by_name(ifo: str) -> None:
    assert not sites.known(ifo)
    with pytest.raises(ValueError, match=f"^{ifo} has no place"):
        sites.travel_ns("H1", ifo)

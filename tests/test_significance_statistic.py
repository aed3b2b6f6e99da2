"""The statistic tells signals from accidents, alike for one pair and for many, from one file."""

import json
import math
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from scipy.special import logsumexp

from models.ranking import fit
from models.ranking.fit import Examples, fitted_weights, learn, log_ratio
from transforms.coincide.features import Features
from transforms.significance import statistic
from transforms.significance.livetime import HOUR_NS
from transforms.significance.statistic import TERMS, Card, load
from transforms.significance.tables import Table
from transforms.significance.triggers import PLACES, RANK_EDGES, TriggerCounts, TriggerHour

CLASSES = ("blip", "cbc", "ccsn", "whistle")
CARD = Card(
    name="synthetic",
    command="pytest",
    signals="drawn",
    noise="drawn",
    signal_pairs=0,
    noise_pairs=0,
    seed=5,
    versions=("none 0",),
)


def power_law(rng, n, slope):
    return 5.5 * rng.uniform(size=n) ** (-1 / slope)


def sure_of(rng, classes):
    """Probabilities of a classifier that is mostly right."""
    raw = rng.exponential(0.2, (len(classes), len(CLASSES)))
    raw[np.arange(len(classes)), classes] += rng.exponential(3, len(classes))
    return raw / raw.sum(axis=1, keepdims=True)


def pairs(seed, n, alike):
    """Pairs of one source (True: all quantities alike), or of two accidents."""
    rng = np.random.default_rng(seed)
    wide = 0.2 if alike else 1.2
    ranks = power_law(rng, (2, n), 3.0 if alike else 2.2)
    if alike:
        ranks[1] = np.maximum(ranks[0] * np.exp(rng.normal(0, 0.3, n)), 5.5)
    kinds = rng.choice([1, 2] if alike else [0, 3], (2, n))
    if alike:
        kinds[1] = kinds[0]
    ratio = {name: rng.normal(0, wide, n) for name in ("frequency", "bandwidth", "duration", "q")}
    return Features(
        rank_first=ranks[0],
        rank_second=ranks[1],
        **ratio,
        amplitude=rng.normal(0, wide, n),
        mean_q=rng.uniform(4, 20, n),
        time=rng.exponential(0.005 if alike else 0.1, n),
        shorter=rng.exponential(0.1, n),
        overlap=rng.beta(5, 1, n) if alike else rng.uniform(0, 1, n),
        correlation=rng.choice([-1, 1], n) * (rng.beta(4, 2, n) if alike else rng.beta(2, 4, n)),
        delay_ns=rng.integers(-(10**7), 10**7, n),
        place_first=rng.integers(0, PLACES, n),
        place_second=rng.integers(0, PLACES, n),
        probabilities_first=sure_of(rng, kinds[0]),
        probabilities_second=sure_of(rng, kinds[1]),
    )


def hour_of(seed, n, number=0):
    rng = np.random.default_rng(seed)
    place, label = rng.integers(0, PLACES, n), rng.choice(CLASSES, n)
    return TriggerHour.of("H1:S", number, HOUR_NS, power_law(rng, n, 2.2), place, label)


def rows(some, chosen):
    return Features(**{name: column[chosen] for name, column in vars(some).items()})


def swapped(some):
    """The same pairs, the other detector first."""
    ratios = ("frequency", "bandwidth", "duration", "q", "amplitude")
    sides = ("rank", "place", "probabilities")
    turned = {f"{side}_first": getattr(some, f"{side}_second") for side in sides}
    turned |= {f"{side}_second": getattr(some, f"{side}_first") for side in sides}
    return replace(some, **{name: -getattr(some, name) for name in ratios}, **turned)


@pytest.fixture(scope="module")
def examples():
    past = TriggerCounts.of([hour_of(n, 300, n) for n in range(4)])
    signals, noise = pairs(1, 1500, True), pairs(2, 6000, False)
    return [Examples(signals=signals, noise=noise, first=past, second=past)]


@pytest.fixture(scope="module")
def learnt(examples):
    return learn(examples, CLASSES, CARD)


@pytest.fixture(scope="module")
def rates(learnt):
    return [
        learnt.rates(TriggerCounts.of([hour_of(30 + n, count)]))
        for n, count in enumerate((300, 90))
    ]


@pytest.fixture
def told(learnt):
    return json.loads(json.dumps(asdict(learnt)))


def written(tmp_path, contents):
    path = tmp_path / "statistic.json"
    path.write_text(contents if isinstance(contents, str) else json.dumps(contents))
    return path


def test_it_separates_what_it_has_not_seen(learnt, rates):
    signals, noise = pairs(11, 2000, True), pairs(12, 20_000, False)
    seen, accidents = (learnt.rank(one, CLASSES, *rates) for one in (signals, noise))
    for name, least in (("labelled", 0.95), ("unlabelled", 0.8)):
        above = np.sort(getattr(accidents, name))[-20]  # one in a thousand
        assert np.mean(getattr(seen, name) > above) > least, name
    weights = np.array([[*vars(one).values()] for one in (learnt.labelled, learnt.unlabelled)])
    assert np.isfinite(weights).all()
    assert learnt.labelled.labels > 0.1
    assert learnt.unlabelled.labels == 0
    assert (learnt.card.signal_pairs, learnt.card.noise_pairs) == (1500, 6000)


def test_learnt_again_it_is_the_same_bytes(tmp_path, examples, learnt):
    again = learn(examples, CLASSES, CARD)
    for name, one in (("a", learnt), ("b", again)):
        one.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert learnt.id == again.id


def test_weights_may_be_fitted_to_a_part(examples, learnt):
    some = learn(examples, CLASSES, CARD, most=2000)
    assert some.tables == learnt.tables
    assert some.id == learn(examples, CLASSES, CARD, most=2000).id != learnt.id
    assert some.labelled.correlation == pytest.approx(learnt.labelled.correlation, abs=0.3)


def test_several_pairs_of_detectors_are_learnt_together(examples, learnt):
    both = learn([*examples, *examples], CLASSES, CARD)
    assert both.card.signal_pairs == 3000
    # As many triggers in as long; what no bin had is half as frequent in twice the time.
    less = np.array(learnt.prior) - np.array(both.prior)
    assert np.all((less > -0.01) & (less < math.log(2) + 1e-5))


def test_a_pair_alone_ranks_as_among_others_bit_for_bit(learnt, rates):
    many = pairs(13, 501, False)
    among = learnt.rank(many, CLASSES, *rates)
    for chosen in (slice(7, 8), slice(500, 501), slice(100, 133), slice(None, None, -1)):
        alone = learnt.rank(rows(many, chosen), CLASSES, *rates)
        for name in ("labelled", "unlabelled"):
            assert getattr(alone, name).tobytes() == getattr(among, name)[chosen].tobytes()


def test_rank_is_the_weighted_sum_of_the_terms(learnt, rates):
    some = pairs(14, 50, True)
    terms, ranked = (getattr(learnt, name)(some, CLASSES, *rates) for name in ("terms", "rank"))
    assert set(terms) == set(TERMS)
    for name in ("labelled", "unlabelled"):
        weights = getattr(learnt, name)
        summed = sum(getattr(weights, term) * terms[term] for term in TERMS)
        np.testing.assert_allclose(getattr(ranked, name), summed, rtol=1e-12, atol=1e-12)


def test_the_order_of_detectors_does_not_matter(learnt, rates):
    some = pairs(15, 200, True)
    one = learnt.rank(some, CLASSES, *rates)
    other = learnt.rank(swapped(some), CLASSES, *rates[::-1])
    np.testing.assert_array_equal(one.unlabelled, other.unlabelled)
    np.testing.assert_allclose(one.labelled, other.labelled, atol=1e-9)


def test_no_pairs_have_no_rank(learnt, rates):
    none = learnt.rank(pairs(16, 0, False), CLASSES, *rates)
    assert none.labelled.shape == none.unlabelled.shape == (0,)


def test_classes_go_by_name(learnt, rates):
    some = pairs(17, 40, True)
    other = (2, 0, 3)  # a model with another order, which lacks one class
    turned = replace(
        some,
        probabilities_first=some.probabilities_first[:, other],
        probabilities_second=some.probabilities_second[:, other],
    )
    classes = tuple(CLASSES[at] for at in other)
    got = learnt.terms(turned, classes, *rates)["labels"]
    for n in range(40):
        logs = [
            math.log(np.clip(turned.probabilities_first[n, c], 0.01, 0.99))
            + math.log(np.clip(turned.probabilities_second[n, d], 0.01, 0.99))
            + learnt.labels[CLASSES.index(classes[c])][CLASSES.index(classes[d])]
            for c in range(3)
            for d in range(3)
        ]
        assert got[n] == pytest.approx(logsumexp(logs), abs=1e-9)


def test_without_classes_there_is_one_rank(learnt, rates):
    some = pairs(18, 9, True)
    none = np.zeros((9, 0))
    bare = replace(some, probabilities_first=none, probabilities_second=none)
    ranked = learnt.rank(bare, (), *rates)
    np.testing.assert_array_equal(ranked.labelled, ranked.unlabelled)
    np.testing.assert_array_equal(ranked.unlabelled, learnt.rank(some, CLASSES, *rates).unlabelled)


def test_a_class_that_is_not_known_is_refused_by_name(learnt, rates):
    learnt.check_classes(CLASSES[:2])
    with pytest.raises(ValueError, match="knows no class fast_glitch: make one for this model"):
        learnt.rank(pairs(19, 3, True), (*CLASSES[:3], "fast_glitch"), *rates)


def test_no_classifier_is_too_sure(learnt, rates):
    some = pairs(20, 2, True)
    said = np.eye(4)[[1, 1]]
    sure = replace(some, probabilities_first=said, probabilities_second=said)
    nearly = np.where(said > 0, 0.99, 0.01)
    less = replace(some, probabilities_first=nearly, probabilities_second=nearly)
    np.testing.assert_array_equal(
        *(learnt.rank(one, CLASSES, *rates).labelled for one in (sure, less))
    )


def test_what_is_not_a_number_gains_nothing(learnt, rates):
    some = pairs(21, 200, True)
    for name in ("correlation", "overlap", "frequency", "time", "amplitude", "rank_first"):
        hurt = replace(some, **{name: np.full(200, np.nan)})
        ranked = learnt.terms(hurt, CLASSES, *rates)
        plain = learnt.terms(some, CLASSES, *rates)
        table = {"rank_first": "ranks"}.get(name, name)
        assert np.all(ranked[table] <= plain[table])
        assert np.isfinite(ranked[table]).all()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_table_is_flat_beyond_its_grid(axes):
    rng = np.random.default_rng(6)
    edges = tuple(np.cumsum(rng.uniform(0.1, 1, size=4 + n)) for n in range(axes))
    values = rng.normal(size=tuple(len(axis) - 1 for axis in edges))
    table = Table.of(edges, values)
    points = rng.uniform(-1, 6, (axes, 300))
    got = table(*points)
    for n in range(300):
        near = [min(max(x, e[0]), e[-1] - 1e-9) for x, e in zip(points[:, n], edges, strict=True)]
        at = tuple(sum(x >= edge for edge in e) - 1 for x, e in zip(near, edges, strict=True))
        assert got[n] == values[at]
    assert table(*(axis[-1:] for axis in edges)) == values[(-1,) * axes]
    assert table(*np.full((axes, 1), np.inf)) == values[(-1,) * axes]
    assert table(*np.full((axes, 1), np.nan)) == values.min()


@pytest.mark.parametrize(
    ("edges", "values", "reason"),
    [
        ((), (), "edges must be of 1 to 3 quantities"),
        (((0.0, 1.0),) * 4, (1.0,), "edges must be of 1 to 3 quantities"),
        (((0.0,),), (), "2 or more"),
        (((0.0, 2.0, 1.0),), (1.0, 2.0), "rise"),
        (((0.0, 1.0, 1.0),), (1.0, 2.0), "rise"),
        (((0.0, math.nan, 1.0),), (1.0, 2.0), "rise"),
        (((0.0, math.inf),), (1.0,), "finite"),
        (((0.0, 1.0),), (math.nan,), "finite"),
        (((0.0, 1.0), (0.0, 1.0, 2.0)), (1.0,), "values must be 2, one for each cell, not 1"),
    ],
)
def test_tables_that_are_none_are_refused(edges, values, reason):
    with pytest.raises(ValueError, match=reason):
        Table(edges=edges, values=values)


def test_it_is_read_as_it_was_written(tmp_path, learnt, rates):
    path = tmp_path / "deep" / "statistic.json"
    learnt.save(path)
    again = load(path)
    assert again == learnt
    assert again.id == learnt.id
    assert path.stat().st_size < 200_000
    some = pairs(22, 30, True)
    for name in ("labelled", "unlabelled"):
        one, other = (getattr(x.rank(some, CLASSES, *rates), name) for x in (learnt, again))
        assert one.tobytes() == other.tobytes()


def test_the_id_is_that_of_what_ranks(learnt):
    assert replace(learnt, card=replace(learnt.card, name="other")).id == learnt.id
    heavier = replace(learnt.labelled, time=learnt.labelled.time + 1e-9)
    assert replace(learnt, labelled=heavier).id != learnt.id


def broken(told, path, value):
    *outer, last = path
    inner = told
    for key in outer:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return told


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("more",), 1, "unknown key more"),
        (("tables", "colour"), 1, "unknown key tables.colour"),
        (("labelled", "rates"), None, "missing keys: labelled.rates"),
        (("labelled", "rates"), math.nan, "labelled.rates must be a finite number"),
        (("labelled", "rates"), "1", "labelled.rates must be of type float"),
        (("unlabelled", "labels"), 0.5, "unlabelled must not have a weight of labels"),
        (("tables", "q", "values", 3), math.inf, "tables.q.values must be a finite number"),
        (("tables", "q", "values"), [1.0], "tables.q.values must be 19, one for each"),
        (("tables", "time", "edges", 1, 2), -5.0, "tables.time.edges must be 2 or more"),
        (("tables", "q"), {"edges": [[0, 1], [0, 1]], "values": [1]}, "q must be a table of 1 q"),
        (("labels",), [[0.0]], "labels must be 4 rows of 4"),
        (("labels", 1, 2), math.nan, "labels must be a finite number"),
        (("prior", 0), [0.0], "prior must be 24 rows of"),
        (("classes", 1), "blip", "classes must be names, each once"),
        (("version",), 2, "version must be 1, not 2"),
        (("card", "seed"), None, "missing keys: card.seed"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_one_line(tmp_path, told, path, value, reason):
    file = written(tmp_path, broken(told, path, value))
    with pytest.raises(ValueError) as refused:
        load(file)
    said = str(refused.value)
    assert said.startswith(f"{file}: ")
    assert reason in said
    assert "\n" not in said
    assert len(said) < 400


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\xff", "not JSON"),
        ('{"version": ' + "1" * 5000 + "}", "not JSON"),
        ('{"version": 1e999}', "version|missing"),
        ('{"version": true}', "version|missing"),
        ('{"card": {"name": "\\ud800"}}', "cannot be read|missing"),
        ('{"tables": ' + "[" * 900 + "]" * 900 + "}", "cannot be read|missing"),
        ("[]", "the file must hold keys and values"),
        ('{"version": 1, "version": 1}', "version stands twice"),
        (" " * (1 << 23), "larger than a statistic"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, text, reason):
    file = tmp_path / "statistic.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=reason) as refused:
        load(file)
    assert str(refused.value).startswith(f"{file}: ")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json: cannot be read"):
        load(tmp_path / "none.json")


def test_it_is_not_learnt_from_nothing_or_from_what_is_no_number(examples):
    (one,) = examples
    with pytest.raises(ValueError, match="needs pairs of signals and slid pairs"):
        learn([replace(one, noise=rows(one.noise, slice(0, 0)))], CLASSES, CARD)
    hurt = replace(one.signals, overlap=np.full(1500, np.nan))
    with pytest.raises(ValueError, match="overlap of the pairs must be finite"):
        learn([replace(one, signals=hurt)], CLASSES, CARD)


def test_log_ratio_of_equal_densities_is_nil():
    counts = np.random.default_rng(7).integers(0, 50, (9, 4))
    np.testing.assert_allclose(log_ratio(counts, counts, (1.0, 0.5)), 0, atol=1e-12)
    # Conditional: how often the second quantity occurs says nothing.
    often = np.full((9, 2), 1000) * [1, 50]
    np.testing.assert_allclose(log_ratio(often, often[:, ::-1], (1.0, 0.0)), 0, atol=1e-2)
    # And it is the ratio where there is much.
    one, other = np.array([3000, 3000, 3000, 3000]), np.array([6000, 6000, 3000, 3000])
    ratio = log_ratio(one, other, (0.0,))
    np.testing.assert_allclose(ratio, np.log(one / 12000) - np.log(other / 18000), atol=1e-3)


def test_what_two_terms_say_twice_counts_once():
    rng = np.random.default_rng(8)
    sides = []
    for mean, n in ((1.0, 4000), (-1.0, 30_000)):
        told = rng.normal(mean, np.sqrt(2), n)  # its own ln of the likelihoods' ratio
        sides.append({"ranks": told, "ratio": told, "q": rng.normal(0, 1, n)})
    twice = fitted_weights(*sides, ("ranks", "ratio"))
    assert twice.ranks + twice.ratio == pytest.approx(1, abs=0.1)
    assert twice.ranks == pytest.approx(twice.ratio, abs=1e-3)
    once = fitted_weights(*sides, ("ranks", "q"))
    assert once.ranks == pytest.approx(1, abs=0.1)
    assert once.q == pytest.approx(0, abs=0.1)
    assert once.labels == 0


def test_every_table_has_a_grid():
    assert {*fit.GRIDS, "ranks"} == {field.name for field in fields(statistic.Tables)}
    assert RANK_EDGES[0] <= 4

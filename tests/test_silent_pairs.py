"""What was once combined without a word, and was wrong: right types whose content belongs to something else."""

from dataclasses import replace

import numpy as np
import pytest

import dyce_search as ds


def in_ms(costs, per_exit=20.0):
    """Costs of the same exits, measured: heads are dearer than in multiply-adds."""
    whole = costs.baseline
    return ds.ExitCosts(
        backbone=7 * costs.backbone / whole, head=per_exit * costs.head / whole, position=costs.position, unit="ms",
        names=costs.names,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sets():
    """Disjoint halves of some records."""
    return ds.synthetic_records(3_000, positions=3, types=2).split(0.5, seed=0)


@pytest.fixture(scope="module")
def front(sets):
    return ds.search(sets[0], solver="exit_shares", scores="observed")


class TestCostsOfAnotherUnit:
    """Relative costs of multiply-adds and of milliseconds were shown under one name."""

    def test_they_are_not_set_side_by_side(self, sets, front, tmp_path):
        search, other = sets
        measured = replace(other, costs=in_ms(other.costs))
        held, elsewhere = front.evaluate(measured), ds.search(measured, solver="exit_shares", scores="observed")
        page = tmp_path / "page.html"
        for call in (
            lambda: front.plot(held_out=held),
            lambda: front.plot(others={"measured": elsewhere}),
            lambda: front.plot(others={"a rule": ds.oracle(measured)}),
            lambda: front.explore(page, held_out=measured),
            lambda: front.explore(page, others={"measured": elsewhere}),
            lambda: ds.report(front, measured, page, max_accuracy_drop=0.05),
            lambda: ds.optimism(front, measured),
            lambda: ds.compare(search, test=measured, solvers=["exit_shares"]),
            lambda: ds.marginal_value(search, held_out=measured),
        ):
            with pytest.raises(ds.CostsError, match=r"costs in the unit of .*'MACs', got 'ms': use the same costs="):
                call()
        assert not page.exists()

    def test_alone_they_are_measured(self, sets, front):
        measured = replace(sets[1], costs=in_ms(sets[1].costs))
        held = front.evaluate(measured)
        assert held.costs.unit == "ms"
        assert held.cost[-1] == pytest.approx(ds.evaluate(measured, front[-1].config).cost)

    def test_a_certificate_is_about_its_own(self, sets, front, tmp_path):
        search, other = sets
        limit = 0.9 * front.costs.baseline
        point = front.certify(other, max_accuracy_drop=0.1, max_cost=limit)
        assert point.certificate.unit == "MACs"
        point.save(tmp_path / "config.json")
        measured = replace(search.subset(np.arange(500)), costs=in_ms(search.costs))
        for one in (point, ds.CertifiedPoint.load(tmp_path / "config.json")):
            for call in (ds.check_certificate, ds.DriftMonitor):
                with pytest.raises(ds.CostsError, match="in the unit of the certificate, 'MACs', got 'ms'"):
                    call(one, measured)
        accurate = front.certify(other, max_accuracy_drop=0.1)
        assert ds.check_certificate(accurate, measured).limits[0].name == "max_accuracy_drop"  # whatever it costs
        with pytest.raises(ds.FrontError, match=r"had, 11.5 G MACs for the .* alone, got others, 7 ms for it: load"):
            front.certify(replace(other, costs=in_ms(other.costs)), max_cost=limit)

    def test_an_old_certificate_is_known_by_what_the_final_exit_cost(self, sets, front):
        search, other = sets
        point = front.certify(other, max_accuracy_drop=0.1, max_relative_cost=0.9)
        old = replace(point, certificate=replace(point.certificate, unit=None))
        with pytest.warns(UserWarning, match=r"the final exit alone costs 7 ms on these records, and cost 11,5\d\d,"):
            ds.check_certificate(old, replace(search.subset(np.arange(500)), costs=in_ms(search.costs)))

    def test_the_most_that_a_sample_can_cost(self):
        limit = ds.ExitCosts(backbone=[0, 300], head=[10, 0], position=[0, 1], unit="cents")
        costs = {"backbone": [[0, 0], [10, 30]], "head": [[1, 2], [0, 0]], "position": [0, 1]}
        with pytest.raises(ds.CostsError, match="most must be in the unit of the costs, 'tokens', got 'cents'"):
            ds.SampleCosts(**costs, unit="tokens", most=limit)
        assert ds.SampleCosts(**costs, unit="cents", most=limit).most == limit


class TestCostsMeasuredAnew:
    """In the same unit other numbers may be meant: said, but not refused."""

    def test_they_are_said(self, sets, front, tmp_path):
        search, other = sets
        dearer = replace(other, costs=replace(other.costs, head=3 * other.costs.head))
        for call in (
            lambda: front.explore(tmp_path / "page.html", held_out=dearer),
            lambda: ds.optimism(front, dearer),
            lambda: ds.compare(search, test=dearer, solvers=["exit_shares"], max_evaluations=50),
            lambda: ds.marginal_value(search, held_out=dearer),
        ):
            with pytest.warns(UserWarning, match=r"have other costs than (the front|records), .* measured anew"):
                call()

    def test_a_checked_limit_on_cost_too(self, sets, front):
        search, other = sets
        point = front.certify(other, max_accuracy_drop=0.1, max_cost=0.9 * front.costs.baseline)
        costs = replace(search.costs, backbone=1.1 * search.costs.backbone)
        later = replace(search.subset(np.arange(500)), costs=costs)
        with pytest.warns(UserWarning, match="when the limits on cost were certified"):
            checked = ds.check_certificate(point, later)
        assert checked.limits[1].measured == pytest.approx(ds.evaluate(later, point.config).cost)

    def test_names_are_no_costs(self, sets, front):
        """Exits without names of their own cost the same: a limit on cost was refused."""
        other = sets[1]
        nameless = replace(other, costs=replace(other.costs, names=()))
        named, plain = (front.certify(one, max_accuracy_drop=0.1, max_relative_cost=0.9) for one in (other, nameless))
        assert named.config == plain.config


class TestConfigurations:
    def test_of_another_front_are_not_its_delivery(self, sets, front):
        """As many points of another front were drawn as what this one delivers."""
        held = front.evaluate(sets[1])
        back = {name: getattr(held, name)[::-1] for name in ("candidate", "threshold", "accuracy", "cost")}
        with pytest.raises(ds.FrontError, match="held_out must have the configurations of this curve, got as many ot"):
            front.plot(held_out=replace(held, **back, disagreement=None, cost_tail=None))

    def test_of_another_network_are_not_named_in_a_picture(self, sets, front):
        other = ds.search(ds.synthetic_records(100, positions=2, types=1), solver="exit_shares")
        for name in ("selected", "certified"):
            with pytest.raises(ds.ConfigError, match="belongs to another network"):
                front.plot(**{name: replace(other[0], config=replace(other[0].config, layout=None))})
            with pytest.raises(ds.ConfigError, match="the configuration and this curve do not fit"):
                front.plot(**{name: other[0]})

    def test_fronts_of_different_scores_of_ones_own_do_not_merge(self, sets):
        search = sets[0]
        own = np.random.default_rng(0).random(search.score.shape, np.float32)
        one, other = (ds.search(search, solver="exit_shares", scores=scores) for scores in (own, 1 - own))
        with pytest.raises(ds.FrontError, match="got two kinds of own ones, under which single exits have other acc"):
            one.merge(other)
        assert len(one.merge(one)) == len(one)

    def test_measured_on_different_networks_are_not_joined(self, sets):
        other = ds.synthetic_records(50, positions=2, types=1)
        parts = [ds.evaluate_many(records, [ds.ExitConfig.none(p)]) for records, p in ((sets[0], 3), (other, 2))]
        with pytest.raises(ds.ConfigError, match=r"parts must be of the same records, got .* \[\(3,\), \(4,\)\]"):
            ds.BatchEvaluation.joined(parts)


class TestOrdersOfModels:
    """Thresholds were held against other models' confidences where models had no names of their own."""

    @pytest.fixture
    def cascade(self):
        rng = np.random.default_rng(0)
        right = rng.random((3, 400)) < np.array([[0.4], [0.6], [0.9]])
        confidence = right + rng.normal(0, [[0.3], [0.5], [0.4]], right.shape)
        return {"price": [1.0, 3.0, 9.0], "confidence": confidence, "score": right.astype(float)}

    def test_models_without_names(self, cascade):
        records = ds.ExitRecords.from_cascade(**cascade)
        order = ["model 1", "model 0", "model 2"]
        front = ds.search(ds.in_order(records, order), solver="exit_shares")
        config = front[-1].config
        assert ds.evaluate(ds.in_order(records, order), config).accuracy > 0
        where = r"models are model 1, model 0, model 2 for .*, type0, type0, final for the records; .*in_order\(records"
        for call in (lambda: ds.evaluate(records, config), lambda: front.evaluate(records)):
            with pytest.raises(ds.ConfigError, match=where):
                call()
        same = ds.search(ds.in_order(records, sorted(order)), solver="exit_shares")
        assert len(same.evaluate(records)) == len(same)

    def test_the_way_out_is_named(self, cascade):
        records = ds.ExitRecords.from_cascade(**cascade, names=["small", "medium", "large"])
        other = ds.in_order(records, ["medium", "small", "large"])
        for front in (ds.search(records, solver="exit_shares"), ds.search_orders(records, effort="fast")):
            with pytest.raises(ds.ConfigError, match=r"the same ones in another order: in_order\(records"):
                front.evaluate(other)

    def test_a_certificate_against_a_model_that_is_not_asked(self, tmp_path):
        """The drop below the large model was checked against the medium one, which happened to be the last asked."""
        rng = np.random.default_rng(1)
        right = rng.random((3, 2_000)) < np.array([[0.6], [0.8], [0.85]])
        records = ds.ExitRecords.from_cascade(
            price=[1.0, 3.0, 9.0], confidence=right + rng.normal(0, 0.4, right.shape), score=right.astype(float),
            names=["small", "medium", "large"],
        )  # fmt: skip
        search, calibration, later = records.split(0.4, 0.3, seed=0)
        front = ds.search_orders(search, effort="fast")
        point = front.certify(calibration, max_accuracy_drop=0.15, max_relative_cost=0.9)
        assert (point.config.layout.names[-1], point.certificate.baseline) == ("medium", "large")
        point.save(tmp_path / "config.json")
        loaded = ds.CertifiedPoint.load(tmp_path / "config.json")
        assert loaded.certificate == point.certificate
        own = ds.in_order(later, point.config.layout.names)
        with pytest.raises(ds.ConfigError, match=r"max_relative_cost of .* against the model 'large'"):
            ds.check_certificate(loaded, own)
        assert front.certify(later, max_accuracy_drop=0.15, max_relative_cost=0.9).certificate.baseline == "large"
        watched = ds.DriftMonitor(loaded, own).to_frame().set_index("kind")
        assert watched.high["cost"] == pytest.approx(0.9 * records.costs.baseline)
        absolute = front.certify(calibration, min_accuracy=0.6)
        asked = ds.in_order(later, absolute.config.layout.names)
        assert ds.check_certificate(absolute, asked).accuracy == ds.evaluate(asked, absolute.config).accuracy
        dear = front.certify(calibration, max_accuracy_drop=0.01)
        assert dear.certificate.baseline == (None if dear.config.layout.names[-1] == "large" else "large")


def test_a_certificate_of_groups_on_records_without(sets, front):
    """Frames of the same videos, certified as videos, were checked as independent ones without a word."""
    search, other = sets
    point = front.certify(replace(other, group=np.arange(other.n_samples) // 2), max_accuracy_drop=0.1)
    with pytest.warns(UserWarning, match="certificate is of samples in groups, these records have none"):
        ds.check_certificate(point, search.subset(np.arange(500)))


def test_fitted_temperatures_are_passed_as_numbers():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 50, 3)), rng.integers(0, 3, 50)
    costs = ds.ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
    with pytest.raises(ds.RecordsError, match=r"temperature must be numbers, got Temperatures: pass its \.temperature"):
        ds.ExitRecords.from_logits(logits, labels, costs=costs, temperature=ds.fit_temperatures(logits, labels))

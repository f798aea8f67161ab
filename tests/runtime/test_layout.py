"""What was promised is served: confidences mean the same to the records, the configuration and the model."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel, count_macs, record
from tests.runtime.networks import ResNet, fit, images, resnet_heads

N = 240
SCALES = (1.0, 4.0, 0.3, 2.0, 8.0, 0.5, 3.0)  # of each exit's logits: what temperatures are there to mend


def energy(probs):
    """A measure of one's own, for NumPy and torch alike."""
    return (probs * probs).sum(1)


@pytest.fixture(scope="module")
def network():
    """A backbone with heads of very different scales, inputs and labels."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    backbone = ResNet()
    heads = resnet_heads(backbone)
    fit(EarlyExitModel(backbone, heads))
    with torch.no_grad():
        every = [head for kinds in heads.values() for head in kinds.values()]
        for head, scale in zip(every, SCALES, strict=True):
            for parameter in list(head.parameters())[-2:]:  # of the last layer
                parameter.mul_(scale)
    return backbone, heads, *images(N, seed=3)


def build(network, **options):
    return EarlyExitModel(network[0], network[1], **options).eval()


@pytest.fixture(scope="module")
def built(network):
    """One model for the tests that take it in turns, built once for each measure; each configures it anew."""
    return cache(lambda measure: build(network, confidence=measure, temperature=1.7))


@pytest.fixture(scope="module")
def logits(network):
    with torch.no_grad():
        return build(network).all_logits(network[2])


@pytest.fixture(scope="module")
def costs(network):
    return count_macs(build(network), network[2][:1])


@pytest.fixture(scope="module")
def fitted(network, logits):
    """(E,) temperatures."""
    return ds.fit_temperatures(logits, network[3]).temperature


def served(model, inputs, batch_size=N):
    with torch.inference_mode():
        return torch.cat([model(batch).position for batch in inputs.split(batch_size)]).numpy()


def widest_gaps(records, rng):
    """A configuration with every exit that it draws at a threshold that no rounding error reaches."""
    candidate = rng.integers(-1, records.costs.n_candidates)
    exits, threshold = records.layout.exits(candidate), np.zeros(len(candidate))
    for p in np.flatnonzero(exits >= 0):
        levels = np.sort(records.confidence[exits[p]])[N // 8 : -N // 8].astype(np.float64)
        some = np.argsort(np.diff(levels))[-12:]  # of the widest gaps among the middle ones
        k = int(rng.choice(some))
        threshold[p] = (levels[k] + levels[k + 1]) / 2
    return ds.ExitConfig(candidate=candidate, threshold=threshold, layout=records.layout)


@pytest.mark.parametrize("batch_size", [1, 7, N])
@pytest.mark.parametrize("temperature", [None, 2.5, "fitted"])
@pytest.mark.parametrize("measure", ["max_prob", "margin", "entropy", energy])
def test_every_sample_leaves_where_it_was_promised_to(
    network, built, logits, costs, fitted, measure, temperature, batch_size
):
    """Records of logits, a model that was built for something else: the configuration says how to measure."""
    inputs, labels = network[2:]
    heat = fitted if temperature == "fitted" else temperature
    records = ds.ExitRecords.from_logits(
        logits, labels, costs=costs, confidence=measure, temperature=1.0 if heat is None else heat
    )
    model, rng = built(energy if callable(measure) else "max_prob"), np.random.default_rng(0)
    few = inputs if batch_size > 1 else inputs[:40]
    used = set()
    for _ in range(12):
        config = widest_gaps(records, rng)
        promised = ds.evaluate(records, config, per_sample=True).exit_position
        assert np.array_equal(records.costs.position[config.route(records.confidence)], promised)
        model.configure(config)
        position = served(model, few, batch_size)
        assert position.tolist() == promised[: len(few)].tolist()
        used |= set(position.tolist())
    assert len(used) > 2  # otherwise the comparison would say little


@pytest.mark.parametrize("temperature", [None, 2.5, [0.5, 1, 2, 3, 4, 5, 6, 7]])
@pytest.mark.parametrize("measure", ["max_prob", "margin", "entropy", energy])
def test_what_is_recorded_is_served(network, logits, costs, measure, temperature):
    inputs, labels = network[2:]
    model = build(network, confidence=measure, temperature=temperature)
    model.configure(ds.ExitConfig(candidate=[0] * 4, threshold=[0] * 4))  # in force or not, records are the model's
    records = record(model, [(inputs, labels)], costs=costs, n_samples=N)
    assert records.layout == model.layout
    expected = ds.ExitRecords.from_logits(
        logits,
        labels,
        costs=records.costs,
        confidence=measure,
        temperature=1.0 if temperature is None else temperature,
    )
    np.testing.assert_allclose(records.confidence, expected.confidence, atol=2e-6)
    front = ds.search(records, effort="fast")
    for k in (len(front) // 5, len(front) // 2, -1):
        model.configure(front[k])
        output = model(inputs)
        promised = ds.evaluate(records, front[k].config, per_sample=True).exit_position
        assert np.array_equal(output.position.numpy(), promised)
        taken = front[k].config.route(records.confidence)
        np.testing.assert_allclose(output.confidence, records.confidence[taken, np.arange(N)], atol=1e-6)


class TestSilentBefore:
    def test_fitted_temperatures(self, network, logits, costs, fitted):
        """Promised to leave early and served were far apart: the model knew nothing of the temperatures."""
        inputs, labels = network[2:]
        records = ds.ExitRecords.from_logits(logits, labels, costs=costs, temperature=fitted)
        point = ds.search(records).select(max_accuracy_drop=0.02)
        model = build(network)
        model.configure(point)
        early = np.mean(served(model, inputs) < 4)
        promised = 1 - ds.evaluate(records, point.config).exit_share[-1]
        assert early == promised > 0.3
        bare = ds.ExitConfig(candidate=point.config.candidate, threshold=point.config.threshold)
        model.configure(bare)
        assert np.mean(served(model, inputs) < 4) != promised  # as it was

    def test_entropy_on_a_model_of_probabilities(self, network, logits, costs):
        inputs, labels = network[2:]
        records = ds.ExitRecords.from_logits(logits, labels, costs=costs, confidence="entropy")
        point = ds.search(records).select(max_accuracy_drop=0.02)
        model = build(network, confidence="max_prob")
        model.configure(point)
        assert np.mean(served(model, inputs) < 4) == 1 - ds.evaluate(records, point.config).exit_share[-1]

    def test_a_measure_that_the_model_lacks(self, network, logits, costs):
        records = ds.ExitRecords.from_logits(logits, network[3], costs=costs, confidence=energy)
        front, model = ds.search(records, effort="fast"), build(network)
        typo = ds.search(replace(records, measure="maxprob"), solver="exit_shares")
        with pytest.raises(ds.ConfigError, match=r"'maxprob', which the model cannot measure \(is it 'max_prob'\?\)"):
            model.configure(typo[0])
        words = (
            "'energy', which the model cannot measure: it has max_prob, margin, entropy; build it with EarlyExitModel"
        )
        for refuse in (model.configure, model.load_front):
            with pytest.raises(ds.ConfigError, match=words):
                refuse(front[0] if refuse == model.configure else front)
        assert model.config is model.front is None
        build(network, confidence=energy).load_front(front)

    def test_a_front_of_other_names(self, network, logits, costs):
        records = ds.ExitRecords.from_logits(logits, network[3], costs=costs)
        names = (*(f"other.{name}" for name in costs.names[:-1]), "final")
        front = ds.search(replace(records, costs=replace(costs, names=names)), effort="fast")
        model = build(network)
        for refuse in (model.configure, model.load_front):
            with pytest.raises(
                ds.ConfigError, match=r"exit 0 is called '.*' by the .*, 'other\..*' by|exit 0 is called"
            ):
                refuse(front[0] if refuse == model.configure else front)
        with pytest.raises(ds.ConfigError, match="exit 0 is called"):
            record(model, [(network[2], network[3])], costs=front.costs, n_samples=N)
        bare = ds.ExitCosts(backbone=costs.backbone, head=costs.head, position=costs.position)
        assert record(model, [(network[2], network[3])], costs=bare, n_samples=N).layout == model.layout
        types = tuple(name.rpartition("/")[2] for name in costs.names)  # as DyCE's files have them
        model.load_front(ds.search(replace(records, costs=replace(costs, names=types)), effort="fast"))


def test_bare_numbers_are_measured_as_the_model_does(network, costs):
    model = build(network, confidence="margin", temperature=3.0)
    records = record(model, [(network[2], network[3])], costs=costs, n_samples=N)
    known = widest_gaps(records, np.random.default_rng(1))
    model.configure(ds.ExitConfig(candidate=known.candidate, threshold=known.threshold))
    assert served(model, network[2]).tolist() == ds.evaluate(records, known, per_sample=True).exit_position.tolist()


def test_bad_temperatures(network):
    with pytest.raises(ds.ModelError, match="temperature must be one number > 0, or one for each of the 8 exits"):
        build(network, temperature=[1, 2])

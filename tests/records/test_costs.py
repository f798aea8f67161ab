"""Costs: what is accepted, what is refused, and DyCE's JSON."""

import json

import numpy as np
import pytest

import dyce_search as ds

GOOD = {"backbone": [1.0, 2.0, 4.0], "head": [0.5, 0.25, 0.5, 0.0], "position": [0, 0, 1, 2]}


def test_derived_figures(costs):
    assert (costs.n_positions, costs.n_exits, costs.baseline) == (2, 4, 4.0)
    assert costs.first.tolist() == [0, 2, 3]
    assert costs.n_candidates.tolist() == [2, 1]
    assert costs.alone.tolist() == [1.5, 1.25, 2.5, 4.0]
    assert costs.names == ("type0", "type1", "type0", "final")


def test_a_head_on_the_final_exit_is_part_of_the_baseline():
    assert ds.ExitCosts(backbone=[1, 4], head=[0, 2], position=[0, 1]).baseline == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": [1, 4, 2]}, "cumulative and never fall, got 4 at position 1 and 2 at 2: pass np.cumsum"),
        ({"backbone": [-1, 2, 4]}, "backbone must be finite and >= 0, got -1.0 at index 0"),
        ({"backbone": [1, 2, np.inf]}, "backbone must be finite and >= 0, got inf at index 2"),
        ({"backbone": [1, np.nan, 2]}, "backbone must be finite and >= 0, got nan at index 1"),
        ({"backbone": [1]}, r"backbone must have P\+1 >= 2 entries"),
        ({"backbone": []}, r"backbone must have P\+1 >= 2 entries"),
        ({"backbone": 4.0}, r"backbone must have 1 axes, got 0 \(shape \(\)\)"),
        ({"backbone": [[1, 2, 4]]}, "backbone must have 1 axes, got 2"),
        ({"backbone": [1, 2, 3, 4]}, "position must rise from 0 to P = 3 without gaps"),
        ({"backbone": [0, 0, 0]}, "the whole model must cost more than 0"),
        ({"backbone": ["1", "2", "4"]}, "backbone must be numeric"),
        ({"backbone": [[1], [2, 3]]}, "backbone must be a rectangular array of numbers"),
        ({"backbone": None}, "backbone must be a rectangular array of numbers"),
        ({"head": [0.5, -0.25, 0.5, 0]}, "head must be finite and >= 0, got -0.25 at index 1"),
        ({"head": [0.5, 0.5, 0]}, "position must have one entry per candidate, 3 as head has, got 4"),
        ({"position": [0, 1, 0, 2]}, "position must rise from 0 to P = 2"),
        ({"position": [0, 0, 0, 2]}, "position must rise from 0 to P = 2 without gaps"),
        ({"position": [0, 1, 2, 2]}, "position must name the final exit, P = 2, exactly once"),
        ({"position": [0, 0, 1, 1.5]}, "position must hold whole numbers, got 1.5"),
        ({"position": [0, 0, 1, np.nan]}, "position must hold whole numbers, got nan"),
        ({"names": ["a", "b"]}, "names must have one entry per candidate, 4, got 2"),
        ({"names": "abcd"}, "names must be a sequence of strings"),
        ({"names": 4}, "names must be a sequence of strings"),
    ],
)
def test_bad_costs_are_refused(change, message):
    with pytest.raises(ds.CostsError, match=message):
        ds.ExitCosts(**{**GOOD, **change})


def test_arrays_are_frozen_copies():
    backbone = np.array(GOOD["backbone"])
    costs = ds.ExitCosts(**{**GOOD, "backbone": backbone})
    backbone[0] = 99
    assert costs.backbone[0] == 1
    for array in (costs.backbone, costs.head, costs.position):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_equality_and_hash():
    one, same = ds.ExitCosts(**GOOD), ds.ExitCosts(**GOOD)
    assert one == same
    assert hash(one) == hash(same)
    assert one != ds.ExitCosts(**GOOD, unit="ms")
    assert one != ds.ExitCosts(**{**GOOD, "head": [0.5, 0.25, 0.5, 0.125]})
    assert one != "costs"


def test_dictionary_and_file_round_trip_exactly(tmp_path):
    costs = ds.ExitCosts(backbone=[0.1, 1 / 3, 1e100], head=[5e-324, 0, 0.7, 0], position=[0, 0, 1, 2], unit="µJ")
    assert ds.ExitCosts.from_dict(json.loads(json.dumps(costs.to_dict()))) == costs
    costs.save(tmp_path / "costs.json")
    assert ds.ExitCosts.load(tmp_path / "costs.json") == costs


def test_a_person_may_write_costs_without_unit_and_names(tmp_path):
    (tmp_path / "costs.json").write_text('{"backbone": [1, 2], "head": [0.5, 0], "position": [0, 1]}')
    costs = ds.ExitCosts.load(tmp_path / "costs.json")
    assert costs == ds.ExitCosts(backbone=[1, 2], head=[0.5, 0], position=[0, 1])
    with pytest.raises(ds.FileFormatError, match="costs is damaged: Object missing required field `head`"):
        ds.ExitCosts.from_dict({"position": [0, 1], "backbone": [1, 2]})


def dyce_json(tmp_path, **change):
    content = {
        "head": [{"name": "small", "macs": [1, 2, 0]}, {"name": "large", "macs": [10, 20, 0]}],
        "backbone": {"name": "net", "macs": [100, 200, 400], "ori_macs": 400},
        **change,
    }
    path = tmp_path / "macs.json"
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return path


def test_dyce_costs_are_position_major(tmp_path):
    costs = ds.ExitCosts.load(dyce_json(tmp_path))
    assert costs.backbone.tolist() == [100, 200, 400]
    assert costs.head.tolist() == [1, 10, 2, 20, 0]
    assert costs.position.tolist() == [0, 0, 1, 1, 2]
    assert costs.names == ("small", "large", "small", "large", "final")


def test_shared_costs_count_once(tmp_path):
    costs = ds.ExitCosts.load(dyce_json(tmp_path, shared={"macs": [5, 7, 9]}))
    assert costs.backbone.tolist() == [105, 207, 409]
    assert costs.head.tolist() == [1, 10, 2, 20, 0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"head": None}, ds.FileFormatError, "missing required field `head`"),
        ({"backbone": None}, ds.FileFormatError, "missing required field `backbone`"),
        ({"backbone": {"name": "net"}}, ds.FileFormatError, r"missing required field `macs` - at `\$.backbone`"),
        ({"head": []}, ds.FileFormatError, r"Expected `array` of length >= 1 - at `\$.head`, got \[\]"),
        ({"head": [{"name": "x"}]}, ds.FileFormatError, r"missing required field `macs` - at `\$.head\[0\]`"),
        ({"head": [3]}, ds.FileFormatError, r"Expected `object`, got `int` - at `\$.head\[0\]`"),
        ({"head": [{"macs": [1, 2]}]}, ds.CostsError, "macs of head 0 must have 3 entries as the backbone has"),
        ({"head": [{"macs": [1, 2, 3]}]}, ds.CostsError, "macs of head 0 must end with 0 for the final exit, got .3"),
        ({"shared": {"macs": [1]}}, ds.CostsError, "shared macs must have 3 entries, got 1"),
        ({"shared": 5}, ds.FileFormatError, r"Expected `object`, got `int` - at `\$.shared`"),
        ({"backbone": {"macs": [3, 2, 1]}}, ds.CostsError, r"macs\.json: backbone must be cumulative and never fall"),
    ],
)
def test_bad_dyce_costs_are_refused(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        ds.ExitCosts.load(dyce_json(tmp_path, **change))

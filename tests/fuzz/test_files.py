"""Damaged and hostile files of every format: an error of this library that names the file, or what the file says.

40,000 cases by `make fuzz`, a twentieth of them in every run of the tests. A case that fails says how to make it again.
"""

import copy
import gzip
import io
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.json_files import content_digest, of_type
from dyce_search.records.costs_file import CostsFile
from dyce_search.serving.bundle_file import BundleFile, read_manifest
from tests.fuzz.cases import ASKED
from tests.fuzz.mutations import damaged, damaged_arrays, damaged_bytes, generator, has_twice, text_of

CASES = int(ASKED or 2000)  # of all kinds together

NULL = {"name", "temperature", "layout", "measure", "disagreement", "cost_tail", "seed", "n_groups", "share", "most"}
NULL |= {"costs", "file"}  # keys that may be null, or not there

LAYOUT = ds.ExitLayout(
    position=[0, 0, 1, 2], names=["a/x", "a/y", "b/x", "final"], measure="max_prob", temperature=[1, 1.5, 2, 1]
)
COSTS = ds.ExitCosts(backbone=[1, 2, 4], head=[0.5, 0.25, 0.5, 0], position=[0, 0, 1, 2], names=LAYOUT.names)


def example_records():
    rng = np.random.default_rng(0)
    return ds.ExitRecords(
        confidence=rng.random((4, 30), np.float32),
        score=rng.integers(0, 2, (4, 30)),
        costs=COSTS,
        label=rng.integers(0, 3, 30),
        prediction=rng.integers(0, 3, (4, 30)),
        group=rng.integers(0, 9, 30),
        measure="max_prob",
        temperature=LAYOUT.temperature,
    )


def example_front():
    choices = itertools.product((-1, 0, 1), (-1, 0), (0.2, 0.7))
    configs = [ds.ExitConfig(candidate=[a, b], threshold=[level, 0.5]) for a, b, level in choices]
    configs.append(ds.ExitConfig(candidate=[0, -1], threshold=[-np.inf, 0]))
    return ds.ParetoFront.from_configs(example_records(), configs)


def example_point():
    from dyce_search.certify.certificate import Certificate, CertifiedLimit

    limits = (
        CertifiedLimit(name="max_accuracy_drop", limit=0.05, measured=0.01, bound=0.04, p_value=0.01, method="exact"),
        CertifiedLimit(
            name="max_sample_cost", limit=4.0, measured=0.0, bound=0.01, p_value=0.02, method="exact", share=0.05
        ),
    )
    certificate = Certificate(
        limits=limits,
        confidence=0.95,
        n_samples=500,
        n_groups=20,
        n_tested=3,
        records_digest="a" * 64,
        search_digest="b" * 64,
    )
    config = ds.ExitConfig(candidate=[1, -1], threshold=[0.9, 0], layout=LAYOUT)
    return ds.CertifiedPoint(
        config=config, accuracy=0.9, cost=2.5, relative_cost=0.625, accuracy_drop=0.01, certificate=certificate
    )


def front_1():
    content = front_2()
    for key in ("confidence", "cost_tail_shares"):
        del content[key]
    for point in content["points"]:
        del point["cost_tail"]
    return {**content, "version": 1}


def front_2():
    from dyce_search.front.file import front_content

    return json.loads(json.dumps(front_content(example_front())))


def manifest():
    value = {"name": "x", "value": "input.x", "dtype": "float32", "shape": ["batch", 4]}
    file = {"name": "stage0.onnx", "sha256": "0" * 64}
    return {
        "format": "dyce_search.bundle",
        "version": 1,
        "layout": LAYOUT.to_dict(),
        "precision": "float",
        "largest_difference": 1e-7,
        "made_with": {"torch": "2.9"},
        "costs": COSTS.to_dict(),
        "inputs": [value],
        "sizes": [{"value": "size0", "input": "x", "axis": 1}],
        "axes": {"input.x": 0, "size0": None, "s0": 0, "s1": 0, "s2": 0},
        "final": "s2",
        "stages": [
            {"file": file, "inputs": ["input.x"], "outputs": ["s0"]},
            {"file": {**file, "name": "stage1.onnx"}, "inputs": ["s0"], "outputs": ["s1"]},
            {"file": None, "inputs": ["s1"], "outputs": ["s2"]},
        ],
        "heads": [{"file": {**file, "name": f"head{e}.onnx"}, "inputs": [f"s{e // 2}"]} for e in range(3)],
        "configs": {"fast": example_point().config.to_dict(), "sure": example_point().to_dict()},
    }


CONFIG_1 = {"format": "dyce_search.config", "version": 1, "candidate": [-1, 0, 2], "threshold": [0.0, 0.9, "-inf"]}
MACS = {
    "head": [{"name": "small", "macs": [1, 2, 0]}, {"name": "large", "macs": [10, 20, 0]}],
    "backbone": {"name": "net", "macs": [100, 200, 400], "ori_macs": 400},
    "shared": {"macs": [5, 7, 9]},
}
HEADER = {
    "format": "dyce_search.records",
    "version": 2,
    "unit": "ms",
    "names": list(LAYOUT.names),
    "measure": "max_prob",
    "temperature": [1.0, 1.5, 2.0, 1.0],
    "source": "somewhere",
}
ROWS = [
    {"query": n, "model": model, "score": (n + cost) % 2 // 1, "confidence": n / 9, "cost": cost, "group": f"g{n}"}
    for n in range(4)
    for model, cost in (("a", 1.0), ("b", 3.0), ("c", 9.5))
]
ARENA = [
    {
        "global_index": n,
        "llm_selected": model,
        "confidence": 0.5,
        "evaluation_result": {"score": 1.0, "inference_cost": cost},
    }
    for n in range(3)
    for model, cost in (("a", 0.1), ("b", 0.2))
]


def kept(found, content, where="$"):
    """Whatever the content of a file says is what was read, but for what may be left out."""
    if isinstance(content, dict):
        assert isinstance(found, dict), where
        for key, entry in content.items():
            if entry is None and key in NULL:
                continue
            if key == "fingerprint" or (key == "cost_tail" and found.get(key, 0) is None):
                continue  # what older releases wrote, and tails of other shares
            assert key in found, f"{where}.{key}"
            kept(found[key], entry, f"{where}.{key}")
    elif isinstance(content, list) and where.endswith(("temperature",)) and found is None:
        assert all(value == 1 for value in content), where
    elif isinstance(content, list) and where.endswith(("cost_tail_shares",)):
        assert all(isinstance(value, int | float) for value in content)
    elif isinstance(content, list):
        assert isinstance(found, list), where
        assert len(found) == len(content) or (where.endswith("names") and not content), where
        for k, entry in enumerate(content):
            kept(found[k], entry, f"{where}[{k}]")
    elif "threshold" in where and not isinstance(content, str):
        assert not isinstance(content, bool | None), where
        with np.errstate(over="ignore"):
            assert np.float32(content) == np.float32(found), where
    else:
        assert isinstance(content, bool) == isinstance(found, bool), where
        assert content == found, where


class Json:
    """A kind of JSON file: what a good one holds, how it is read, and what was read as plain values."""

    def __init__(self, good, load, plain=None, name="file.json", sign=None, write=None):
        self.good, self.load, self.plain, self.name = good, load, plain, name
        self.sign, self.write = sign, write

    def make(self, folder, rng):
        content = damaged(self.good, rng)
        if self.sign is not None:
            content = self.sign(content)
        text = text_of(content)
        path = folder / self.name
        data = text.encode(errors="surrogatepass")
        if rng.random() < 0.1:
            data = damaged_bytes(data, rng)
            content = None
        (self.write or Path.write_bytes)(path, data)
        return path, content, text

    def check(self, path, content, text):
        found = self.load(path)
        if content is None:
            return
        assert not has_twice(content), "a key that is there twice was read"
        if self.plain is not None:
            kept(json.loads(json.dumps(self.plain(found))), json.loads(text))


def lines_of(rows):
    return "\n".join(map(text_of, rows)).encode(errors="surrogatepass")


class Log(Json):
    """A log of a cascade: JSON lines, also by gzip, or a list."""

    def make(self, folder, rng):
        rows = damaged(self.good, rng)
        rows = rows if isinstance(rows, list) else [rows]
        how = rng.randrange(4)
        data = text_of(rows).encode(errors="surrogatepass") if how == 0 else lines_of(rows)
        data = damaged_bytes(data, rng) if rng.random() < 0.1 else data
        data = gzip.compress(data) if how == 1 else data
        data = damaged_bytes(data, rng) if how == 1 and rng.random() < 0.3 else data
        path = folder / ("log.json" if how == 0 else "log.jsonl.gz" if how == 1 else "log.jsonl")
        path.write_bytes(data)
        return path, None, ""


def with_header(path, data):
    """Records whose header is this JSON."""
    stream = io.BytesIO()
    records = example_records()
    arrays = {name: getattr(records, name) for name in ("confidence", "score")}
    costs = {name: getattr(COSTS, name) for name in ("backbone", "head", "position")}
    np.savez(stream, header=np.frombuffer(data, np.uint8), **arrays, **costs)
    path.write_bytes(stream.getvalue())


def header_of(records):
    return {**HEADER, "unit": records.costs.unit, "names": list(records.layout.names), "source": records.source} | {
        "measure": records.measure,
        "temperature": None if records.temperature is None else records.temperature.tolist(),
    }


def signed(content):
    """The manifest with its digest, so that nothing else gives the damage away."""
    try:
        plain = json.loads(text_of(content), parse_constant=lambda name: 0)
        return {**content, "digest": content_digest(plain)}
    except (ValueError, TypeError, AttributeError):
        return {**content, "digest": "0"} if isinstance(content, dict) else content


class Bytes:
    """Records in an archive, in memory or left in their file: damaged bytes."""

    def __init__(self, data, name, load):
        self.data, self.name, self.load = data, name, load

    def make(self, folder, rng):
        path = folder / self.name
        path.write_bytes(damaged_bytes(self.data(), rng))
        return path, None, ""

    def check(self, path, content, text):
        self.load(path)


class Arrays:
    """Records in an archive: arrays of another type or shape, or with other values."""

    def __init__(self, good, load):
        self.good, self.load = good, load

    def make(self, folder, rng):
        arrays, path = damaged_arrays(self.good(), rng), folder / "records.npz"
        np.savez(path, **arrays)
        return path, arrays, ""

    def check(self, path, content, text):
        records = self.load(path)
        found = {"confidence": records.confidence, "score": records.score, "label": records.label}
        found |= {"prediction": records.prediction, "group": records.group}
        for name, value in found.items():
            if name in content and value is not None:
                given = content[name] if name != "label" else content[name].reshape(-1)
                assert given.dtype.kind in ("biuUS" if name == "group" else "biuf"), (name, given.dtype)
                assert given.shape == value.shape, name
                with np.errstate(all="ignore"):
                    assert np.array_equal(given.astype(value.dtype), value), name


def own_arrays():
    records = example_records()
    names = ("confidence", "score", "label", "prediction", "group")
    costs = {name: getattr(COSTS, name) for name in ("backbone", "head", "position")}
    header = np.frombuffer(json.dumps(HEADER).encode(), np.uint8)
    return {"header": header, **costs, **{name: getattr(records, name) for name in names}}


def sample_arrays():
    rng = np.random.default_rng(1)
    backbone = np.cumsum(rng.integers(1, 4, (3, 30)), axis=0).astype(np.float32)
    head = rng.integers(0, 3, (4, 30)).astype(np.float32)
    costs = ds.SampleCosts(backbone=backbone, head=head, position=COSTS.position)
    mean = {name: getattr(costs.mean, name) for name in ("backbone", "head")}
    most = {f"most_{name}": getattr(costs.most, name) for name in ("backbone", "head")}
    return {**own_arrays(), **mean, **most, "sample_backbone": backbone, "sample_head": head}


def dyce_arrays():
    rng = np.random.default_rng(2)
    confidence = -np.sort(-rng.random((4, 30, 2)).astype(np.float32), axis=2)
    label, predictions = rng.integers(0, 3, (30, 1)), rng.integers(0, 3, (4, 30, 2))
    return {"label": label.astype(np.int16), "preds": predictions.astype(np.int16), "confs": confidence}


def packed(arrays, write=np.savez):
    stream = io.BytesIO()
    write(stream, **arrays())
    return stream.getvalue()


def load_stored(path):
    return ds.load_records(path, in_memory=False).load()


def load_dyce(path):
    return ds.load_records(path, costs=COSTS)


def read_folder(path):
    found = read_manifest(path.parent)
    for name, entry in found.configs.items():
        kind = ds.CertifiedPoint if "certificate" in entry else ds.ExitConfig
        kind.from_dict(entry, f"{path}, configuration {name!r},")
    return found


def plain_front(front):
    from dyce_search.front.file import front_content

    return front_content(front)


def plain_front_1(front):
    return {**plain_front(front), "version": 1}


def plain_config_1(config):
    threshold = [str(value) if np.isinf(value) else float(value) for value in config.threshold]
    return {**CONFIG_1, "candidate": config.candidate.tolist(), "threshold": threshold}


def plain_manifest(found):
    import msgspec

    return msgspec.to_builtins(found)


def plain_point(point):
    return point.to_dict()


def plain_costs(costs):
    return costs.to_dict()


KINDS = {
    "front": Json(front_2(), ds.ParetoFront.load, plain_front),
    "front of version 1": Json(front_1(), ds.ParetoFront.load, plain_front_1),
    "configuration": Json(
        json.loads(json.dumps(example_point().config.to_dict())), ds.ExitConfig.load, ds.ExitConfig.to_dict
    ),
    "configuration of version 1": Json(CONFIG_1, ds.ExitConfig.load, plain_config_1),
    "certified point": Json(json.loads(json.dumps(example_point().to_dict())), ds.CertifiedPoint.load, plain_point),
    "costs": Json(COSTS.to_dict(), ds.ExitCosts.load, plain_costs),
    "MACs": Json(MACS, ds.ExitCosts.load),
    "manifest": Json(manifest(), read_folder, plain_manifest, name="manifest.json", sign=signed),
    "header of records": Json(HEADER, ds.load_records, header_of, name="records.npz", write=with_header),
    "log": Log(ROWS, ds.load_cascade),
    "log of RouterArena": Log(ARENA, ds.load_cascade),
    "arrays": Arrays(own_arrays, ds.load_records),
    "arrays in their file": Arrays(own_arrays, load_stored),
    "arrays of sample costs": Arrays(sample_arrays, ds.load_records),
    "arrays of DyCE": Arrays(dyce_arrays, load_dyce),
    "bytes of records": Bytes(lambda: packed(own_arrays), "records.npz", ds.load_records),
    "bytes of packed records": Bytes(lambda: packed(own_arrays, np.savez_compressed), "records.npz", ds.load_records),
    "bytes of stored records": Bytes(lambda: packed(own_arrays), "records.npz", load_stored),
    "bytes of DyCE's records": Bytes(lambda: packed(dyce_arrays), "records.npz", load_dyce),
}


def run(kind, number, folder):
    """One case: whether the file was refused."""
    path, content, text = KINDS[kind].make(folder, generator(kind, number))
    try:
        KINDS[kind].check(path, content, text)
    except ds.DyceError as refused:
        said = str(refused)
        assert path.name in said, f"the message does not name the file: {said}"
        assert len(said) < 1500, "the message is too long"
        said.encode()
        return True
    return False


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_is_a_raw_error_or_passes_in_silence(kind, tmp_path):
    refused = 0
    cases = max(1, round(CASES / len(KINDS)))
    for number in range(cases):
        try:
            refused += run(kind, number, tmp_path)
        except Exception as raw:
            again = f"tests.fuzz.test_files.run({kind!r}, {number}, folder)"
            raise AssertionError(f"case {number} of {kind!r}, again by {again}: {type(raw).__name__}: {raw}") from raw
    assert refused > cases / 4


def test_good_files_are_read(tmp_path):
    """What is damaged above is good to begin with."""
    for kind in KINDS.values():
        if isinstance(kind, Log):
            assert kind.load(kind.good).n_samples >= 3
        elif isinstance(kind, Json):
            content = copy.deepcopy(kind.good)
            content = kind.sign(content) if kind.sign else content
            text = json.dumps(content)
            (kind.write or Path.write_bytes)(tmp_path / kind.name, text.encode())
            kind.check(tmp_path / kind.name, content, text)
    assert of_type(COSTS.to_dict(), CostsFile, "costs").unit == "MACs"
    assert set(manifest()) | {"digest"} == set(BundleFile.__struct_fields__)
    assert re.fullmatch("[0-9a-f]{64}", content_digest(manifest()))

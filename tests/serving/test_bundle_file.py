"""What is refused of a bundle, by name; and what stands in it."""

import json
import re

import pytest

import dyce_search as ds
from dyce_search.errors import FileFormatError, ModelError
from dyce_search.json_files import content_digest
from dyce_search.serving import StagedModel


def rewrite(folder, change, *, sign=True):
    """Changes the manifest, with a digest that fits if asked."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    if sign:
        content["digest"] = content_digest(content)
    path.write_text(json.dumps(content))


def refused(folder, said):
    with pytest.raises(FileFormatError, match=re.escape(said)):
        StagedModel(folder)


@pytest.mark.parametrize("name", ["stage1.onnx", "head2.onnx"])
def test_a_changed_byte(copied, name):
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    refused(copied, f"{copied / name} was changed since it was written")


def test_a_changed_threshold(copied):
    def change(content):
        content["configs"]["point2"]["exits"][0]["threshold"] = 0.125

    rewrite(copied, change, sign=False)
    refused(copied, f"{copied / 'manifest.json'} was changed since it was written")


def test_a_manifest_that_is_only_laid_out_anew(copied):
    rewrite(copied, lambda content: None, sign=False)
    StagedModel(copied)


@pytest.mark.parametrize("name", ["stage0.onnx", "head0.onnx"])
def test_a_missing_file(copied, name):
    (copied / name).unlink()
    refused(copied, f"cannot read {copied / name}, which the bundle needs: No such file")


def test_a_missing_manifest(copied, tmp_path):
    (copied / "manifest.json").unlink()
    refused(copied, f"{copied / 'manifest.json'} is missing: {copied} is no bundle")
    refused(tmp_path / "nothing", "is missing")
    with pytest.raises(FileFormatError, match=re.escape("folder must be a str or a pathlib.Path, got int")):
        StagedModel(3)


@pytest.mark.parametrize(
    "name", ["../copy2/stage0.onnx", "/etc/passwd", "..", "sub/stage0.onnx", "C:stage0", "a\\b", ""]
)
def test_a_path_that_climbs_out(copied, name):
    rewrite(copied, lambda content: content["stages"][0]["file"].update(name=name))
    refused(copied, f"names the file {name!r}, which is not a plain name")


def test_another_version_or_format(copied):
    rewrite(copied, lambda content: content.update(version=2))
    refused(copied, f"{copied / 'manifest.json'} has format version 2, this release reads 1")
    rewrite(copied, lambda content: content.update(format="dyce_search.front"))
    refused(copied, "is not a dyce_search.bundle file")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(more=1), "is damaged: Object contains unknown field `more`"),
        (lambda c: c.pop("axes"), "is damaged: Object missing required field `axes`"),
        (lambda c: c["heads"].pop(), "is damaged: it has 3 stages and 2 heads, its layout 4 exits"),
        (lambda c: c["stages"][1].update(inputs=["nobody"]), "is damaged: nothing gives the value 'nobody'"),
        (lambda c: c.update(final="nobody"), "is damaged: nothing gives the value 'nobody'"),
        (lambda c: c["stages"][0].update(file=c["stages"][1]["file"]), "stage1.onnx takes"),
    ],
)
def test_a_manifest_that_contradicts_itself(copied, change, said):
    rewrite(copied, change)
    refused(copied, said)


def test_no_onnx(copied):
    import hashlib

    (copied / "stage0.onnx").write_bytes(b"no ONNX")
    rewrite(copied, lambda c: c["stages"][0]["file"].update(sha256=hashlib.sha256(b"no ONNX").hexdigest()))
    refused(copied, "ONNX Runtime cannot load stage0.onnx")


def test_options_that_are_refused(cnn):
    with pytest.raises(ModelError, match="threads must be a whole number >= 1"):
        StagedModel(cnn.folder, threads=0)
    with pytest.raises(ModelError, match="threads must be a whole number from 1 to 4,096, got 18446744073709551616"):
        StagedModel(cnn.folder, threads=2**64)
    with pytest.raises(ModelError, match="no provider 'Abacus'"):
        StagedModel(cnn.folder, providers=["Abacus"])
    with pytest.raises(ModelError, match="providers must be a sequence of strings, got str"):
        StagedModel(cnn.folder, providers="CPUExecutionProvider")
    with pytest.raises(ModelError, match="measures must be a Mapping, got list"):
        StagedModel(cnn.folder, measures=["energy"])
    with pytest.raises(ModelError, match=r"measures\['energy'\] must be a function, got 1"):
        StagedModel(cnn.folder, measures={"energy": 1})


def test_what_a_bundle_holds(cnn):
    served = StagedModel(cnn.folder)
    assert served.layout == cnn.model.layout
    assert served.costs == cnn.records.costs
    assert served.configs == cnn.configs
    assert all(served.configs[name].layout == config.layout for name, config in cnn.configs.items())
    files = sorted(path.name for path in cnn.folder.iterdir())
    assert files == [*(f"head{e}.onnx" for e in range(3)), "manifest.json", *(f"stage{p}.onnx" for p in range(3))]
    assert all(b".py" not in path.read_bytes() for path in cnn.folder.iterdir())  # no paths of this machine


def test_a_certified_point_keeps_its_certificate(cnn, tmp_path):
    from dyce_search.runtime import export_onnx
    from tests.runtime.networks import images

    front = ds.search(cnn.records, seed=0)
    calibration = StagedModel(cnn.folder).record([images(3000, seed=77)])
    point = front.certify(calibration, max_accuracy_drop=0.2)
    export_onnx(cnn.model, tmp_path / "certified", configs={"sure": point}, example=images(4)[0])
    served = StagedModel(tmp_path / "certified")
    kept = served.configs["sure"]
    assert isinstance(kept, ds.CertifiedPoint)
    assert kept == ds.CertifiedPoint.from_dict(point.to_dict())
    assert kept.certificate.limits == point.certificate.limits
    served.configure("sure")
    assert served.config == point.config

"""The page of the file formats, held against the types by which files are read."""

import json
import re
import types
import typing
from pathlib import Path

import msgspec
import pytest

from dyce_search.evaluation.config_file import ConfigFile, ConfigFile1
from dyce_search.front.file import FrontFile
from dyce_search.records.costs_file import CostsFile
from dyce_search.records.macs_file import MacsFile
from dyce_search.records.npz_header import Header
from dyce_search.serving.bundle_file import BundleFile

PAGE = (Path(__file__).parents[2] / "docs" / "file-formats.md").read_text(encoding="utf-8")
SECTIONS = {"## ".join(part.split("\n", 1)[:1]): part for part in re.split(r"^## ", PAGE, flags=re.M)}
FORMATS = {
    "Front": FrontFile,
    "Configuration": ConfigFile,
    "Versions": ConfigFile1,
    "Costs": CostsFile,
    "DyCE's records and costs": MacsFile,
    "Records": Header,
    "Bundle": BundleFile,
}
ELSEWHERE = {  # said in a section of its own, which links to it
    "Front": {"backbone", "head", "unit", "names"},
    "Versions": {"calibration", "certificate", "format", "version"},
    "Bundle": {"backbone", "head", "unit", "names", "position", "measure", "temperature"},
}


def structures(kind):
    """The structures in a type, and in their fields."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for hint in typing.get_type_hints(kind).values():
            yield from structures(hint)
    elif isinstance(kind, types.GenericAlias | types.UnionType) or typing.get_origin(kind) is not None:
        for part in typing.get_args(kind):
            yield from structures(part)


@pytest.mark.parametrize("section", FORMATS)
def test_every_key_is_on_the_page(section):
    entries = {name for kind in structures(FORMATS[section]) for name in kind.__struct_fields__}
    elsewhere = {"format", "version", "calibration", "certificate"} if section == "Versions" else set()
    if section == "Versions":  # of the older version only what differs
        entries &= {"candidate", "threshold"}
    said = set(re.findall(r"[`\"](\w+)[`\"]", SECTIONS[section]))
    assert entries - ELSEWHERE.get(section, set()) - elsewhere <= said


def test_the_examples_are_of_their_types():
    blocks = re.findall(r"^```json\n(.*?)^```", PAGE, flags=re.M | re.S)
    kinds = {"backbone": {True: MacsFile, False: CostsFile}}
    read = []
    for block in blocks:
        content = json.loads(block)
        kind = kinds["backbone"]["ori_macs" in block] if "backbone" in content else ConfigFile
        read.append(type(msgspec.convert(content, kind)))
    assert read == [MacsFile, CostsFile, ConfigFile]

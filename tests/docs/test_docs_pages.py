"""The pages in docs/ and CONTRIBUTING.md: what they show runs, and what they list is all there is."""

import inspect
import json
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import dyce_search as ds
from dyce_search.cli import parser
from dyce_search.search import SOLVERS, find_solver

ROOT = Path(__file__).parents[2]
PAGES = {
    str(page.relative_to(ROOT)): page for page in [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
}


def blocks(page, language):
    """Source and number of the first line of each block in a language."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [(match[1], text.count("\n", 0, match.start(1))) for match in found]


def snippets(language):
    return [name for name, page in PAGES.items() if blocks(page, language)]


def of_libraries(source):
    """The libraries of models that a snippet needs."""
    return re.findall(r"^(?:from|import) (timm|torchvision|transformers)\b", source, re.MULTILINE)


def marked(name):
    """A page, with a mark where a snippet needs such a library."""
    needed = any(of_libraries(source) for source, _ in blocks(PAGES[name], "python"))
    return pytest.param(name, marks=pytest.mark.models if needed else ())


@pytest.mark.parametrize("name", [marked(name) for name in snippets("python")])
def test_snippets_run(name, tmp_path, monkeypatch):
    """One after the other, in an empty folder."""
    parts = blocks(PAGES[name], "python")
    if any("torch" in source for source, _ in parts):
        pytest.importorskip("torch").set_num_threads(1)
    if any("export_onnx" in source for source, _ in parts):
        pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'dyce_search[onnx]'")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "snippets"}
    missing = {library for source, _ in parts for library in lacking(source)}
    for source, line in parts:
        if not lacking(source):
            exec(compile("\n" * line + source, PAGES[name], "exec"), names)
    if missing:
        pytest.skip(f"the other snippets ran; not installed: {', '.join(sorted(missing))} (the extra 'models')")


def lacking(source):
    """Libraries of models that a snippet needs and that are not installed."""
    found = of_libraries(source)
    if found and find_spec("torchvision"):
        import_module("tests.runtime.kinds").import_torchvision()
    return [library for library in found if find_spec(library) is None]


def test_snippets_are_read_without_scrolling():
    lines = {
        line
        for name in snippets("python")
        for source, _ in blocks(PAGES[name], "python")
        for line in source.split("\n")
    }
    assert [line for line in lines if len(line) > 88] == []


@pytest.mark.parametrize("name", snippets("json"))
def test_files_that_are_shown_load(name, tmp_path):
    shown = [source for source, _ in blocks(PAGES[name], "json")]
    for number, source in enumerate(shown):
        content = json.loads(source)
        path = tmp_path / f"{number}.json"
        path.write_text(source, encoding="utf-8")
        if content.get("format") == "dyce_search.config":
            assert ds.ExitConfig.load(path).to_dict() == content
        else:
            assert ds.ExitCosts.load(path).n_positions == 2


def test_reference_has_every_public_name_once():
    pytest.importorskip("torch")  # for the names of the runtime
    shown = re.findall(
        r"^::: (\S+)$", "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md")), re.M
    )
    assert len(set(shown)) == len(shown)
    found = [reached(path) for path in shown]
    public = [(ds, name) for name in ds.__all__]
    runtime = import_module("dyce_search.runtime")
    serving = import_module("dyce_search.serving")
    public += [(room, name) for room in (runtime, serving) for name in room.__all__]
    errors = {name for name, value in vars(import_module("dyce_search.errors")).items() if inspect.isclass(value)}
    missing = [name for room, name in public if not any(getattr(room, name) is one for one in found)]
    assert sorted(set(missing) - errors) == []


def reached(path):
    """What a dotted path leads to."""
    module, _, name = path.rpartition(".")
    try:
        return import_module(path)
    except ModuleNotFoundError:
        return getattr(import_module(module), name)


def test_every_solver_is_described_with_its_options():
    text = (ROOT / "docs" / "guides" / "choosing-a-solver.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| [")]
    described = {}
    for row in rows:
        for solver in re.findall(r"\[`(\w+)`\]", row[1]):
            described[solver] = re.findall(r"`(\w+)`", row[4])
    described |= {name: described["nsga2"] for name, options in described.items() if options == ["nsga2"]}
    for name in SOLVERS:
        options = list(inspect.signature(find_solver(name)).parameters)[1:]
        assert sorted(described.pop(name)) == sorted(options), name
    assert not described


def test_every_command_is_described():
    text = (ROOT / "docs" / "guides" / "command-line.md").read_text(encoding="utf-8")
    (commands,) = (action.choices for action in parser()._actions if isinstance(action.choices, dict))
    assert re.findall(r"^\| `(\w+)` \|", text, re.M) != []
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == set(commands)
    for line in re.findall(r"^\$ dyce-search ([^#|\n]*)", text, re.M):
        parser().parse_args(line.split())

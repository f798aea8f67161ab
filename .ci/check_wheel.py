"""Checks a built wheel: size, version, that links of its README work anywhere, that its data and pages are there."""

import re
import subprocess
import sys
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path

LARGEST = 5_000_000  # bytes
PROGRAM = """
import dyce_search as ds
ds.search(ds.load_example("test"), solver="exit_shares").explore("explorer.html")
print(ds.__version__, *(ds.load_example(part).n_samples for part in ("search", "test")), ds.__file__)
"""


def main(path: str) -> None:
    """Fails at the first thing that is wrong."""
    size = Path(path).stat().st_size
    assert size <= LARGEST, f"{path} has {size:,} bytes, more than {LARGEST:,}"
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as folder:
        wheel.extractall(folder)
        (metadata,) = (wheel.read(name) for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=True
        )  # where the program runs comes first on its path
        version, *samples, file = done.stdout.split()
        assert Path(folder).resolve() in Path(file).resolve().parents, f"not the wheel's package but {file} was loaded"
    said = message_from_bytes(metadata)
    assert said["Version"] == version, f"the wheel says {said['Version']}, the package {version}"
    assert samples == ["15000", "10000"], f"the example data have {samples} samples"
    links = re.findall(r"\]\(([^)]+)\)", metadata.decode())
    relative = [link for link in links if not link.startswith(("https://", "#"))]
    assert links, "the README is not in the wheel's metadata"
    assert not relative, f"links that lead nowhere on a package index: {relative}"
    print(f"{Path(path).name}: {size / 1e6:.2f} MB, {len(links)} links")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Files: atomic writes, and files from elsewhere that are damaged or hostile."""

import json
import os
import pickle
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.files import write_atomically, write_folder
from dyce_search.json_files import read_json, write_json
from tests.traps import Trap
from tests.windows import CAN_BE_PLAYED, play_windows

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('a[]{}",: \n'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('b[{",'), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_json_round_trips_whatever_is_in_the_strings(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "file.json"
    try:
        write_json(path, content)
    except UnicodeEncodeError:  # half a surrogate pair is no text
        return
    assert read_json(path) == content


class TestWriting:
    def test_an_interrupted_write_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "config.json"
        path.write_text("old")

        def interrupted(stream):
            stream.write(b"half a fi")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_atomically(path, interrupted)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_killed_process_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "config.json"
        path.write_text("old")
        code = (
            "import os, sys; from dyce_search.files import write_atomically; "
            "write_atomically(sys.argv[1], lambda s: (s.write(b'half'), s.flush(), os._exit(9)))"
        )
        assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
        assert path.read_text() == "old"

    @pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that is open")
    def test_a_reader_of_the_old_file_keeps_it(self, tmp_path):
        path = tmp_path / "config.json"
        path.write_text("old")
        with open(path) as reader:
            write_atomically(path, lambda stream: stream.write(b"new"))
            assert (reader.read(), path.read_text()) == ("old", "new")

    def test_a_full_disk_is_an_error_of_ours(self, tmp_path):
        def full(stream):
            raise OSError(28, "No space left on device")

        with pytest.raises(ds.FileFormatError, match=r"cannot write .*: No space left on device"):
            write_atomically(tmp_path / "config.json", full)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("what", ["records", "config", "front"])
    def test_a_folder_that_does_not_exist_is_named(self, what, records, tmp_path):
        thing = {
            "records": records,
            "config": ds.ExitConfig.none(2),
            "front": ds.ParetoFront.from_configs(records, [ds.ExitConfig.none(2)]),
        }[what]
        with pytest.raises(ds.FileFormatError, match=r"cannot write .*nowhere.*: No such file or directory"):
            thing.save(tmp_path / "nowhere" / "file")

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
    def test_files_are_as_public_as_the_user_wants(self, tmp_path, monkeypatch):
        before = os.umask(0o027)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(os, "umask", None)  # other threads create files meanwhile: theirs are not to be others'
                ds.ExitConfig.none(2).save(tmp_path / "config.json")
        finally:
            os.umask(before)
        assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o640


def kept_by(path):
    """Mode, owner and group of a file."""
    found = path.stat()
    return found.st_mode & 0o7777, found.st_uid, found.st_gid


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither modes nor these links")
class TestWhatIsThere:
    """A file that is there keeps what the user gave it."""

    def test_a_private_file_stays_private_all_the_time(self, tmp_path):
        path, seen = tmp_path / "config.json", []
        path.write_text("old")
        path.chmod(0o600)

        def write(stream):
            seen.extend(kept_by(file)[0] for file in tmp_path.iterdir() if file != path)
            stream.write(b"new")

        write_atomically(path, write)
        assert (seen, kept_by(path)[0], path.read_text()) == ([0o600], 0o600, "new")

    def test_a_public_file_stays_public(self, tmp_path):
        path = tmp_path / "config.json"
        path.write_text("old")
        path.chmod(0o664)
        before = os.umask(0o077)
        try:
            ds.ExitConfig.none(2).save(path)
        finally:
            os.umask(before)
        assert kept_by(path)[0] == 0o664

    @pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root gives files away")
    def test_a_file_keeps_its_owner(self, tmp_path):
        path = tmp_path / "config.json"
        path.write_text("old")
        os.chown(path, 12345, 23456)
        ds.ExitConfig.none(2).save(path)
        assert kept_by(path)[1:] == (12345, 23456)

    def test_an_owner_that_cannot_be_kept_is_no_error(self, tmp_path, monkeypatch):
        path = tmp_path / "config.json"
        path.write_text("old")

        def refuse(*arguments):
            raise PermissionError(1, "Operation not permitted")

        real = os.stat
        monkeypatch.setattr(os, "chown", refuse)
        monkeypatch.setattr(os, "stat", lambda file, **how: Owned(real(file, **how), file == path))
        ds.ExitConfig.none(2).save(path)
        monkeypatch.undo()
        assert ds.ExitConfig.load(path).n_positions == 2

    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "place").mkdir()
        target, link = tmp_path / "place" / "real.json", tmp_path / "link.json"
        target.write_text("old")
        link.symlink_to(target)
        ds.ExitConfig.none(3).save(link)
        assert link.is_symlink()
        assert ds.ExitConfig.load(target).n_positions == 3
        assert sorted(file.name for file in tmp_path.rglob("*")) == ["link.json", "place", "real.json"]
        target.unlink()
        ds.ExitConfig.none(2).save(link)  # to nowhere, so far
        assert ds.ExitConfig.load(target).n_positions == 2

    def test_a_pipe_is_written_to(self, tmp_path):
        path = tmp_path / "pipe"
        os.mkfifo(path)
        reader = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE)
        ds.ExitConfig.none(2).save(path)
        assert json.loads(reader.communicate()[0])["n_positions"] == 2
        ds.ExitConfig.none(2).save(os.devnull)
        assert not os.path.isfile(os.devnull)

    def test_a_write_protected_file_stays_as_it_is(self, tmp_path, monkeypatch):
        path = tmp_path / "config.json"
        path.write_text("old")
        monkeypatch.setattr(os, "access", lambda file, how: False)  # root may write everything
        with pytest.raises(ds.FileFormatError, match=r"cannot write .*config.json: it is write-protected"):
            ds.ExitConfig.none(2).save(path)
        assert path.read_text() == "old"


class Owned:
    """What `os.stat` says, with another owner for one file."""

    def __init__(self, found, other):
        self.found, self.st_uid = found, found.st_uid + other

    def __getattr__(self, name):
        return getattr(self.found, name)


KILLED = """
import os, sys
from dyce_search.files import write_atomically
write_atomically(sys.argv[1], lambda stream: (stream.write(b"half"), stream.flush(), os._exit(9)))
"""
WAITING = """
import sys
from dyce_search.files import write_atomically
def write(stream):
    print("begun", flush=True)
    sys.stdin.readline()
    stream.write(b"theirs")
write_atomically(sys.argv[1], write)
"""


HALF_AN_EXPORT = """
import os, sys
from dyce_search.files import write_folder
def fill(place):
    (place / "a").write_text("a")
    if len(sys.argv) == 2:
        os._exit(9)
    print("begun", flush=True)
    sys.stdin.readline()
write_folder(sys.argv[1], fill, replaces=lambda place: True)
"""


@pytest.fixture(params=["as it is", "as on Windows"])
def system(request, monkeypatch):
    """What a script begins with: the system as it is, or one that is Windows in what files do."""
    if request.param == "as it is":
        return ""
    if not CAN_BE_PLAYED:
        pytest.skip("which files are open is read from /proc")
    play_windows(monkeypatch.setattr)
    return "from tests.windows import play_windows; play_windows()\n"


def started(code, *arguments):
    """A process that has begun to write, and waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    return process


class TestLeftBehind:
    """What killed processes left is removed, what others are writing is not."""

    def test_by_a_killed_save(self, system, tmp_path):
        path = tmp_path / "records.npz"
        for _ in range(2):
            assert subprocess.run([sys.executable, "-c", system + KILLED, str(path)], check=False).returncode == 9
        assert len(list(tmp_path.glob(".records.npz.*.tmp"))) == 1  # the second one removed that of the first
        (tmp_path / ".records.npz.tmp").write_text("another's")
        (tmp_path / ".other.npz.0123456789abcdef.tmp").write_text("of another file")
        write_atomically(path, lambda stream: stream.write(b"whole"))
        names = [".other.npz.0123456789abcdef.tmp", ".records.npz.tmp", "records.npz"]
        assert sorted(file.name for file in tmp_path.iterdir()) == names

    def test_another_process_that_is_writing_goes_on(self, system, tmp_path):
        path = tmp_path / "records.npz"
        other = started(system + WAITING, path)
        write_atomically(path, lambda stream: stream.write(b"ours"))
        assert len(list(tmp_path.glob(".records.npz.*.tmp"))) == 1
        assert path.read_text() == "ours"
        other.communicate("\n")
        assert (other.returncode, path.read_text()) == (0, "theirs")
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
    def test_a_file_that_was_taken_for_abandoned_is_made_anew(self, tmp_path, monkeypatch):
        import fcntl

        real, removed = fcntl.flock, []

        def remove_first(handle, how):
            if not removed:
                removed.extend(tmp_path.glob(".config.json.*.tmp"))
                removed[0].unlink()
            real(handle, how)

        monkeypatch.setattr(fcntl, "flock", remove_first)
        ds.ExitConfig.none(2).save(tmp_path / "config.json")
        assert removed
        assert [file.name for file in tmp_path.iterdir()] == ["config.json"]

    def test_nothing_is_left_by_a_save_that_fails(self, system, tmp_path):
        def fails(stream):
            assert list(tmp_path.glob(".config.json.*.tmp"))
            raise OSError(28, "No space left on device")

        with pytest.raises(ds.FileFormatError, match="No space left"):
            write_atomically(tmp_path / "config.json", fails)
        ds.ExitConfig.none(2).save(tmp_path / "config.json")
        ds.ExitConfig.none(3).save(tmp_path / "config.json")
        assert [file.name for file in tmp_path.iterdir()] == ["config.json"]

    def test_what_was_closed_and_not_yet_renamed_is_in_use(self, system, tmp_path, monkeypatch):
        """On Windows nothing holds the file itself in that moment."""
        path, rename = tmp_path / "config.json", os.replace

        def meanwhile(source, target):
            with monkeypatch.context() as patch:
                patch.setattr(os, "replace", rename)
                ds.ExitConfig.none(3).save(path)  # sweeps
            rename(source, target)

        monkeypatch.setattr(os, "replace", meanwhile)
        ds.ExitConfig.none(2).save(path)
        assert ds.ExitConfig.load(path).n_positions == 2
        assert [file.name for file in tmp_path.iterdir()] == ["config.json"]

    def test_of_an_export(self, system, tmp_path):
        folder = tmp_path / "bundle"
        killed = subprocess.run([sys.executable, "-c", system + HALF_AN_EXPORT, str(folder)], check=False)
        assert (killed.returncode, len(list(tmp_path.glob(".bundle.*.tmp")))) == (9, 1)
        other = started(system + HALF_AN_EXPORT, folder, "wait")
        write_folder(folder, lambda place: (place / "b").write_text("b"), replaces=lambda place: True)
        assert len(list(tmp_path.glob(".bundle.*.tmp"))) == 1  # the other's
        (folder / "b").unlink()
        other.communicate("\n")
        assert (other.returncode, [file.name for file in folder.iterdir()]) == (0, ["a"])
        assert list(tmp_path.iterdir()) == [folder]

    def test_by_a_killed_export(self, system, tmp_path):
        folder = tmp_path / "bundle"
        for ending in ("tmp", "old"):
            (tmp_path / f".bundle.0123456789abcdef.{ending}").mkdir()
            (tmp_path / f".bundle.0123456789abcdef.{ending}" / "a").write_text("a")
        write_folder(folder, lambda place: (place / "b").write_text("b"), replaces=lambda place: True)
        assert [file.name for file in tmp_path.iterdir()] == ["bundle"]
        write_folder(folder, lambda place: (place / "c").write_text("c"), replaces=lambda place: True, overwrite=True)
        assert [file.name for file in folder.iterdir()] == ["c"]
        assert [file.name for file in tmp_path.iterdir()] == ["bundle"]

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no names so long")
    def test_a_long_name(self, tmp_path):
        path = tmp_path / ("n" * 255)
        write_atomically(path, lambda stream: stream.write(b"whole"))
        assert path.read_text() == "whole"


class OfBytes:
    """A path of bytes, as the system has it."""

    def __fspath__(self):
        return b"records.npz"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (1, "must be a str or a pathlib.Path, got int"),
        (b"a.npz", "must be a str or a pathlib.Path, got bytes"),
        (OfBytes(), "must be a str or a pathlib.Path, got OfBytes"),
        ("a\0.npz", "must not have NUL in it"),
        ("\ud800.npz", "half a surrogate pair is none"),
    ],
)
def test_what_is_no_path_is_refused_everywhere(path, message, records, tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = tmp_path_factory.mktemp("good") / "records.npz"
    records.save(good)
    front = ds.ParetoFront.from_configs(records, [ds.ExitConfig.none(2)])
    for call in (
        ds.load_records, ds.ParetoFront.load, ds.ExitConfig.load, ds.ExitCosts.load, ds.CertifiedPoint.load,
        ds.OrderedFront.load, records.save, front.save, records.costs.save, ds.ExitConfig.none(2).save,
        lambda place: ds.load_records(good, costs=place), lambda place: ds.report(front, records, place),
    ):  # fmt: skip
        with pytest.raises(ds.FileFormatError, match=message):
            call(path)
    if not isinstance(path, (int, bytes)):
        with pytest.raises(ds.DyceError):
            ds.load_cascade(path)
    os.fstat(1)  # standard output is still open
    assert not list(tmp_path.iterdir())


class TestHostileRecords:
    def write_dyce(self, path, **change):
        arrays = {
            "label": np.zeros((5, 1), np.int16),
            "preds": np.zeros((4, 5, 2), np.int16),
            "confs": np.full((4, 5, 2), 0.5, np.float32),
        }
        np.savez(path, **{**arrays, **change})

    def test_the_trap_works(self, tmp_path):
        pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
        assert (tmp_path / "sprung").exists()

    def test_a_pickled_array_is_refused_and_never_executed(self, tmp_path, costs):
        path, folder = tmp_path / "evil.npz", tmp_path / "sprung"
        self.write_dyce(path, confs=np.array([Trap(folder)], object))
        with pytest.raises(ds.FileFormatError, match="pickles can run code and are never loaded"):
            ds.load_records(path, costs=costs)
        assert not folder.exists()

    def test_a_pickled_meta_info_is_left_alone(self, tmp_path, costs):
        path, folder = tmp_path / "meta.npz", tmp_path / "sprung"
        self.write_dyce(path, meta_info=np.array(Trap(folder), object))
        assert ds.load_records(path, costs=costs).n_samples == 5
        assert not folder.exists()

    def test_a_pickle_named_npz_is_refused_and_never_executed(self, tmp_path, costs):
        path, folder = tmp_path / "evil.npz", tmp_path / "sprung"
        path.write_bytes(pickle.dumps(Trap(folder)))
        with pytest.raises(ds.FileFormatError, match="pickles can run code and are never loaded"):
            ds.load_records(path, costs=costs)
        assert not folder.exists()

    def test_a_pickled_array_in_our_own_format_is_refused(self, tmp_path, records):
        records.save(tmp_path / "good.npz")
        with np.load(tmp_path / "good.npz") as archive:
            arrays = dict(archive)
        folder = tmp_path / "sprung"
        np.savez(tmp_path / "evil.npz", **{**arrays, "group": np.array([Trap(folder)], object)})
        with pytest.raises(ds.FileFormatError, match="never loaded"):
            ds.load_records(tmp_path / "evil.npz")
        assert not folder.exists()

    @pytest.mark.parametrize("kept", [0, 10, 100, 0.5, 0.9, 0.999])
    def test_a_truncated_file_is_refused(self, tmp_path, records, kept):
        path = tmp_path / "records.npz"
        records.save(path)
        content = path.read_bytes()
        path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
        with pytest.raises(ds.FileFormatError, match=r"records\.npz"):
            ds.load_records(path)

    def test_damage_is_found_or_does_no_harm(self, tmp_path, records):
        path, rng = tmp_path / "records.npz", random.Random(0)
        refused = 0
        records.save(path)
        content = path.read_bytes()
        for _ in range(300):
            damaged = bytearray(content)
            for _ in range(rng.choice([1, 1, 4, 40])):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            path.write_bytes(damaged)
            try:
                assert ds.load_records(path).n_samples == 40
            except ds.DyceError:
                refused += 1
        assert refused > 250

    def test_a_single_array_is_no_record(self, tmp_path):
        np.save(tmp_path / "array.npy", np.zeros(3))
        with pytest.raises(ds.FileFormatError, match="holds a single array"):
            ds.load_records(tmp_path / "array.npy")

    def test_other_files_are_named(self, tmp_path):
        with pytest.raises(ds.FileFormatError, match=r"cannot read .*none\.npz: No such file or directory"):
            ds.load_records(tmp_path / "none.npz")
        with pytest.raises(ds.FileFormatError, match=r"cannot read .*(directory|denied)"):
            ds.load_records(tmp_path)
        np.savez(tmp_path / "other.npz", x=np.zeros(3))
        with pytest.raises(ds.FileFormatError, match=r"is in no known format.*it has x"):
            ds.load_records(tmp_path / "other.npz")
        with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
            archive.writestr("header.npy", "not an array")
        with pytest.raises(ds.FileFormatError, match=r"zip\.npz"):
            ds.load_records(tmp_path / "zip.npz")


class TestHostileJson:
    @pytest.mark.parametrize("text", ["", "{", "[1, 2", '{"a": NaN}', '{"a": Infinity}', "\x00", "[" * 100_000])
    def test_what_is_no_json_is_refused(self, tmp_path, text):
        path = tmp_path / "front.json"
        path.write_text(text)
        for load in (ds.ParetoFront.load, ds.ExitConfig.load, ds.ExitCosts.load):
            with pytest.raises(ds.FileFormatError, match=r"front\.json is not valid JSON"):
                load(path)

    def test_what_is_no_text_is_refused(self, tmp_path):
        (tmp_path / "front.json").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ds.FileFormatError, match="is not valid JSON"):
            ds.ParetoFront.load(tmp_path / "front.json")

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(ds.FileFormatError, match=r"cannot read .*none\.json: No such file or directory"):
            ds.ExitConfig.load(tmp_path / "none.json")

    def test_no_damage_to_a_front_escapes_as_a_raw_error(self, tmp_path, records):
        path = tmp_path / "front.json"
        configs = [ds.ExitConfig(candidate=[k, 0], threshold=[0.5, 0.25]) for k in (0, 1)]
        ds.ParetoFront.from_configs(records, configs).save(path)
        content = json.loads(path.read_text())
        refused = 0
        for place in list(places(content)):
            for junk in (None, "x", -7, 1e9, [], {}, [[1], 2], True):
                path.write_text(json.dumps(replaced(content, place, junk)))
                try:
                    assert len(ds.ParetoFront.load(path)) >= 1
                except ds.DyceError:
                    refused += 1
        assert refused > 200


def places(content, here=()):
    """The path to every entry of a JSON document."""
    yield here
    if isinstance(content, dict | list):
        for key in content if isinstance(content, dict) else range(len(content)):
            yield from places(content[key], (*here, key))


def replaced(content, place, value):
    """A copy of a JSON document with one entry replaced."""
    if not place:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[place[0]] = replaced(content[place[0]], place[1:], value)
    return copy


def test_the_package_has_no_other_way_to_read_a_pickle():
    for file in Path(ds.__file__).parent.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "import pickle" not in text, file
        assert "allow_pickle=True" not in text, file

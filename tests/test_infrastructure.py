"""Core services: checkpoints that survive damage, memory that is counted, provenance that can be compared."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core import citations, compilation_cache, files, memory, provenance, threads
from scalebridge.core.callable_module import make_callable
from scalebridge.core.checkpoint import DirectoryStore, NullStore
from scalebridge.core.errors import InputError, OutputError, ResourceError


def test_a_store_returns_what_it_was_given(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "checkpoint")
    given_arrays = {"u": np.arange(6.0).reshape(2, 3), "steps": np.array(7)}
    store.put("load xx/level 0", given_arrays)
    found = DirectoryStore(tmp_path / "checkpoint").get("load xx/level 0")
    assert found is not None
    assert sorted(found) == ["steps", "u"]
    np.testing.assert_array_equal(found["u"], given_arrays["u"])
    assert store.get("another key") is None


def test_keys_with_the_same_letters_stay_apart(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("a/b", {"x": np.array(1)})
    store.put("a?b", {"x": np.array(2)})
    first, second = store.get("a/b"), store.get("a?b")
    assert first is not None
    assert second is not None
    assert (int(first["x"]), int(second["x"])) == (1, 2)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text"])
def test_a_damaged_entry_is_computed_again_with_a_note(tmp_path: Path, damage: str) -> None:
    store = DirectoryStore(tmp_path)
    store.put("u", {"u": np.random.default_rng(0).standard_normal(500)})
    path = store.path_of("u")
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        "truncate": content[:middle],
        "flip": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        "empty": b"",
        "text": b"not an archive",
    }[damage]
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match="computed again"):
        assert store.get("u") is None


def test_a_store_that_failed_to_write_keeps_the_old_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path)
    store.put("u", {"u": np.array(1.0)})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        store.put("u", {"u": np.array(2.0)})
    monkeypatch.undo()
    found = store.get("u")
    assert found is not None
    assert float(found["u"]) == 1.0
    assert [p.suffix for p in tmp_path.iterdir()] == [".npz"], "a temporary file was left behind"


def test_a_store_below_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file, not a folder"):
        DirectoryStore(tmp_path / "file" / "checkpoint")


def test_the_null_store_remembers_nothing() -> None:
    store = NullStore()
    store.put("u", {"u": np.array(1.0)})
    assert store.get("u") is None


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    files.write_text(path, "old")

    def interrupted() -> None:
        with files.replacing(path) as stream:
            stream.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_memory_is_counted() -> None:
    # In a process of its own: here, memory freed by earlier tests may be handed back at the same moment.
    counted = """
import numpy as np
from scalebridge.core import memory
before = memory.resident_bytes()
block = np.ones(5_000_000)
after = memory.resident_bytes()
print(after - before, memory.peak_resident_bytes() - after)
"""
    run = subprocess.run([sys.executable, "-c", counted], capture_output=True, text=True, check=True)
    growth, above = map(int, run.stdout.split())
    assert growth > 0.9 * 40_000_000
    assert above >= -4096
    available = memory.available_bytes()
    assert available is not None
    assert available > 0


@pytest.mark.parametrize(
    ("given", "count"), [("3", 3), ("2,1", 2), ("0", 7), ("", 7), ("many", 7), (None, 7)]
)
def test_threads_are_those_the_environment_allows(
    given: str | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    if given is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert threads.thread_count() == count


def test_a_container_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("600000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 100000\n")
    assert memory._cgroup_available(tmp_path) == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._cgroup_available(tmp_path) is None


def test_what_does_not_fit_is_refused_with_the_estimate() -> None:
    memory.check_fits(1, "Almost nothing")
    with pytest.raises(ResourceError, match=r"The image needs about 1 EB"):
        memory.check_fits(1e18, "The image")


@given(st.floats(0, 1e21))
def test_bytes_in_words_keep_three_digits(count: float) -> None:
    number, unit = memory.format_bytes(count).split()
    scale = 1000.0 ** memory._UNITS.index(unit)
    assert float(number) * scale == pytest.approx(count, rel=6e-3, abs=0.5)


def test_provenance_names_versions_and_hashes_without_paths(tmp_path: Path) -> None:
    image = tmp_path / "secret-folder" / "image.raw"
    image.parent.mkdir()
    image.write_bytes(b"voxels")
    record = provenance.collect({"image": image}, {"physics": "conduction"})
    assert record["inputs"]["image"] == {
        "name": "image.raw",
        "sha256": provenance.file_sha256(image),
    }
    assert record["versions"]["numpy"] == np.__version__
    assert record["time_utc"].endswith("+00:00")
    assert "secret-folder" not in repr(record)


def test_the_hash_of_a_stack_sees_content_names_and_order(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"1")
    (tmp_path / "b.tif").write_bytes(b"2")
    first = provenance.file_sha256(tmp_path)
    (tmp_path / "a.tif").write_bytes(b"2")
    (tmp_path / "b.tif").write_bytes(b"1")
    swapped = provenance.file_sha256(tmp_path)
    (tmp_path / "a.tif").write_bytes(b"21")
    (tmp_path / "b.tif").write_bytes(b"")
    assert len({first, swapped, provenance.file_sha256(tmp_path)}) == 3, "the files ran together"


def test_bibliography_entries_are_parsed_and_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
    @article{someone1962, author = {Some {O}ne and Any Body}, title = "A title, with comma",
      journal = {J. Tests}, volume = 12, year = {1962}, doi = {10.1000/1}}
    @book{other2000, title={B}, year=2000}
    """
    entries = citations.parse_bibliography(text)
    assert sorted(entries) == ["other2000", "someone1962"]
    assert entries["other2000"] == {"type": "book", "title": "B", "year": "2000"}
    monkeypatch.setattr(citations, "bibliography", lambda: entries)
    assert citations.citation("someone1962") == (
        "Some One; Any Body. A title, with comma. J. Tests 12. 1962. https://doi.org/10.1000/1"
    )
    with pytest.raises(InputError, match="nobody1900"):
        citations.citation("nobody1900")


def test_every_entry_of_our_bibliography_can_be_printed() -> None:
    for key in citations.bibliography():
        line = citations.citation(key)
        assert any(c.isdigit() for c in line), f"{key} has no year"


def test_keys_in_docstrings_exist_in_the_bibliography() -> None:
    source = Path(citations.__file__).resolve().parent.parent
    known = set(citations.bibliography())
    key = r"[a-z_]+(?:19|20)\d\d[a-z]?"
    cited = {
        (path.name, name)
        for path in source.rglob("*.py")
        for group in re.findall(rf"\[({key}(?:[;,] *{key})*)\]", path.read_text(encoding="utf-8"))
        for name in re.split(r"[;,] *", group)
    }
    assert len(cited) > 20, "the pattern finds no keys any more"
    missing = sorted(pair for pair in cited if pair[1] not in known)
    assert not missing, f"cited but not in references.bib: {missing}"


def _modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_oldest_compiled_programs_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation_cache, "_MAX_BYTES", 250)
    for age, name in enumerate(["newest", "middle", "oldest"]):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    compilation_cache._prune(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["middle", "newest"]


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = _modules_after("import scalebridge")
    assert not loaded & {"jax", "scipy", "numpy", "matplotlib", "pydantic", "h5py", "tifffile", "cyclopts"}


def test_a_module_can_stand_for_its_function() -> None:
    name = "pretend.double"
    module = types.ModuleType(name)
    module.double = lambda x: 2 * x  # type: ignore[attr-defined]
    sys.modules[name] = module
    try:
        make_callable(name)
        assert module(21) == 42  # type: ignore[operator]
    finally:
        del sys.modules[name]


def test_the_main_verb_is_callable_however_its_folder_was_imported() -> None:
    code = (
        "import scalebridge.homogenize.result\n"
        "from scalebridge import homogenize\n"
        "assert callable(homogenize)\n"
        "import scalebridge.homogenize.bounds as bounds; assert bounds.__name__.endswith('bounds')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_pinned_versions_cover_what_is_declared() -> None:
    root = Path(__file__).resolve().parent.parent
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line) for line in pins)
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in pins}
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=!~ ]", text)[0].lower().replace("_", "-") for text in declared}
    assert not names - pinned, "declared in pyproject.toml and not pinned in constraints.txt"


def test_the_version_is_the_same_everywhere() -> None:
    import scalebridge

    root = Path(__file__).resolve().parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["version"] == scalebridge.__version__
    assert f"version: {scalebridge.__version__}\n" in (root / "CITATION.cff").read_text()
    assert f"## {scalebridge.__version__}" in (root / "CHANGELOG.md").read_text()


def test_the_public_names_exist() -> None:
    import scalebridge

    assert "homogenize" in dir(scalebridge)
    for name in scalebridge.__all__:
        assert getattr(scalebridge, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'homogenise'"):
        scalebridge.homogenise  # noqa: B018


def test_compiled_programs_are_kept_only_when_asked(tmp_path: Path) -> None:
    # In processes of their own: the setting holds for a whole process.
    code = """
import sys, scalebridge
assert "jax" not in sys.modules
import jax, jax.numpy as jnp
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((3, 3)))  # before it is asked for: not kept
folder = scalebridge.enable_compilation_cache(*sys.argv[1:])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: jnp.cos(x) @ x)(jnp.ones((3, 3)))
print(folder)
"""
    home = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home"), "JAX_ENABLE_COMPILATION_CACHE": "true"}
    home.pop("JAX_COMPILATION_CACHE_DIR", None)
    for arguments, expected in (
        ([], tmp_path / "home" / "scalebridge" / "xla"),
        ([str(tmp_path / "own")], tmp_path / "own"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=home, timeout=120
        )
        assert done.stdout.strip() == str(expected), done.stderr
        assert any(expected.iterdir())


def test_a_cache_that_was_asked_for_by_name_must_be_possible(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file, not a folder"):
        compilation_cache.enable_compilation_cache(tmp_path / "file" / "cache")


def test_checking_a_folder_leaves_no_trace(tmp_path: Path) -> None:
    files.check_folder(tmp_path / "new" / "deep", needed_bytes=1000)
    files.check_file(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="are free"):
        files.check_folder(tmp_path, needed_bytes=10**18)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="--force"):
        files.check_file(tmp_path / "file")
    files.check_file(tmp_path / "file", force=True)
    with pytest.raises(OutputError, match="it is a folder"):
        files.check_file(tmp_path, force=True)

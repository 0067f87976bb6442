"""The content-addressed store: identity of keys, many writers at once, kills and damage."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core.content_store import ContentStore, Entry, content_key
from scalebridge.core.errors import OutputError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN, PLAIN)
def test_keys_agree_exactly_when_contents_do(a, b):
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert (content_key(value=a) == content_key(value=b)) == same


def test_keys_see_names_types_shapes_and_every_byte():
    base = np.arange(6, dtype=np.float64)
    keys = [
        content_key(a=base), content_key(b=base), content_key(a=base.reshape(2, 3)),
        content_key(a=base.astype(np.float32)), content_key(a=np.nextafter(base, 9)), content_key(a=list(base)),
        content_key(a=1), content_key(a=1.0), content_key(a=True), content_key(a="1"), content_key(a=[1]),
        content_key(a={"list": [1]}), content_key(a=["list", 1]), content_key(a=np.zeros(0)), content_key(a=None),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert content_key(a=1, b=2) == content_key(b=2, a=1)
    assert content_key(a=np.arange(12).reshape(3, 4).T) == content_key(
        a=np.arange(12).reshape(3, 4).T.copy(order="C")
    )


def test_what_has_no_identity_is_refused():
    with pytest.raises(TypeError, match="object"):
        content_key(a=object())
    with pytest.raises(TypeError, match="text"):
        content_key(a={1: 2})


def test_entries_come_back_as_they_were(tmp_path):
    store = ContentStore(tmp_path / "store")
    arrays = {
        "tensor": np.random.default_rng(0).normal(size=(6, 6)),
        "none": np.zeros((0, 3)),
        "n": np.int64(3),
    }
    store.put("k1", arrays, {"seconds": 0.25, "words": ["a", "ü"]})
    again = ContentStore(tmp_path / "store").get("k1")
    assert again is not None
    for name, array in arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
        assert again.arrays[name].dtype == np.asarray(array).dtype
    assert again.metadata == {"seconds": 0.25, "words": ["a", "ü"]}
    assert store.get("k2") is None
    assert "k1" in store
    assert "k2" not in store
    assert store.statistics().entries == 1


def test_the_first_writer_of_a_key_wins(tmp_path):
    store = ContentStore(tmp_path)
    store.put("k", {"a": np.array(1.0)}, {})
    store.put("k", {"a": np.array(2.0)}, {})
    assert store.get("k").arrays["a"] == 1.0


def _write(folder, worker, count):
    store = ContentStore(folder)
    for n in range(count):
        store.put_many(
            [
                Entry(f"{worker}-{n}", {"a": np.full(3, n)}, {"n": n}),
                Entry(f"shared-{n}", {"a": np.full(2, n)}, {}),
            ]
        )


def test_several_processes_write_at_once_without_loss(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(tmp_path, w, 15)) for w in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    store = ContentStore(tmp_path)
    assert len(store.keys()) == 3 * 15 + 15
    for w in range(3):
        for n in range(15):
            np.testing.assert_array_equal(store.get(f"{w}-{n}").arrays["a"], np.full(3, n))


WRITER = """
import sys
import numpy as np
from scalebridge.core.content_store import ContentStore
store = ContentStore(sys.argv[1])
n = 0
while True:
    store.put(str(n), {"a": np.full(2000, n)}, {})
    print(n, flush=True)
    n += 1
"""


def test_a_writer_killed_at_any_moment_loses_nothing_it_has_confirmed(tmp_path):
    for round_ in range(3):
        folder = tmp_path / str(round_)
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        confirmed = -1
        for line in writer.stdout:
            confirmed = int(line)
            if confirmed >= 3:
                break
        time.sleep(0.003 * round_)
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        store = ContentStore(folder)
        for n in range(confirmed + 1):
            np.testing.assert_array_equal(store.get(str(n)).arrays["a"], np.full(2000, n))
        store.recover()
        store.put("after", {"a": np.zeros(1)}, {})
        assert store.get("after") is not None


def test_a_damaged_payload_is_reported_and_written_again(tmp_path):
    store = ContentStore(tmp_path)
    store.put("k", {"a": np.arange(1000.0)}, {})
    (payload,) = (tmp_path / "payload").glob("*.h5")
    data = bytearray(payload.read_bytes())
    middle = data.find(np.float64(500.0).tobytes())
    data[middle] ^= 1
    payload.write_bytes(bytes(data))
    with pytest.warns(UserWarning, match="computed again"):
        assert store.get("k") is None
    store.put("k", {"a": np.arange(1000.0)}, {})
    np.testing.assert_array_equal(store.get("k").arrays["a"], np.arange(1000.0))
    payload.write_bytes(b"")
    assert store.get("k") is not None  # the fresh copy is the one in use


def test_a_lost_index_is_made_again_from_the_payload(tmp_path):
    store = ContentStore(tmp_path)
    store.put_many([Entry("a", {"x": np.arange(3)}, {"m": 1}), Entry("b", {}, {})])
    for file in tmp_path.glob("index.sqlite*"):
        file.unlink()
    fresh = ContentStore(tmp_path)
    assert fresh.keys() == []
    assert fresh.recover() == 2
    assert fresh.get("a").metadata == {"m": 1}
    assert fresh.recover() == 0


def test_an_index_that_is_no_database_is_named(tmp_path):
    (tmp_path / "index.sqlite").write_text("no database, but long enough to be taken for one " * 30)
    with pytest.raises(OutputError, match="recover"):
        ContentStore(tmp_path)


def test_a_store_under_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Cannot write"):
        ContentStore(tmp_path / "file" / "store")

"""Damaged files: whatever is done to their bytes, there comes an image or one of the package's errors, soon.

Files are damaged in a fixed, reproducible way: bits flipped, parts cut off, doubled or overwritten, digits of
the header exchanged. A failure prints the name of the sample and the number of the damage.
"""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from image_files import SAMPLES, Sample, sample_bytes
from scalebridge.core.errors import ScalebridgeError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure import read_image

MUTATIONS = 160
SECONDS_PER_FILE = 2.0


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    data = bytearray(content)
    head = min(len(data), 700)  # headers are at the beginning, and damage there is the interesting one
    for _ in range(int(random.integers(1, 4))):
        limit = max(1, min(len(data), head if random.random() < 0.7 else len(data)))
        at = int(random.integers(0, limit))
        kind = int(random.integers(0, 7))
        if kind == 0:
            data[at] ^= 1 << int(random.integers(0, 8))
        elif kind == 1:
            data[at] = int(random.integers(0, 256))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + int(random.integers(1, 40))]
        elif kind == 4:
            data[at:at] = data[at : at + int(random.integers(1, 40))]
        elif kind == 5:
            words = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"]
            data[at : at + 4] = random.choice(words)
        else:
            digits = [i for i in range(head) if i < len(data) and chr(data[i]).isdigit()]
            if digits:
                place = int(random.choice(digits))
                data[place : place + 1] = random.choice([b"9", b"0", b"-1", b"99999999", b"1e9", b"x", b""])
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_damaged_files(sample: Sample, tmp_path: Path) -> None:
    content = sample_bytes(sample, tmp_path)
    path = tmp_path / f"damaged{sample.suffix}"
    random = np.random.default_rng([ord(c) for c in sample.name])
    outcomes = {"image": 0, "error": 0}
    for number in range(MUTATIONS):
        path.write_bytes(damaged(content, random))
        begin = time.perf_counter()
        try:
            image = read_image(path, dataset=sample.dataset, raw=sample.raw)
        except ScalebridgeError as error:
            message = str(error)
            assert "Type-check" not in message, f"{sample.name}, damage {number}: {message}"
            assert 10 < len(message) < 700, f"{sample.name}, damage {number}: {message}"
            outcomes["error"] += 1
        except Exception as error:
            pytest.fail(f"{sample.name}, damage {number}: {error!r}")
        else:
            assert isinstance(image, PhaseImage)
            outcomes["image"] += 1
        assert time.perf_counter() - begin < SECONDS_PER_FILE, f"{sample.name}, damage {number} took too long"
    assert outcomes["error"] > MUTATIONS // 8, "the damage does nothing: this test cannot fail"


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A small file with a huge promise: the header is believed only as far as the bytes allow."""
    path = tmp_path / "bomb.npz"
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (30000, 30000, 30000), }".ljust(117) + "\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.npy", b"\x93NUMPY\x01\x00v\x00" + header.encode() + bytes(10_000_000))
    with pytest.raises(ScalebridgeError, match="truncated"):
        read_image(path)


def test_xml_entities_do_not_explode(tmp_path: Path) -> None:
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(12)
    )
    path = tmp_path / "bomb.vti"
    path.write_text(f'<?xml version="1.0"?><!DOCTYPE x [{entities}]><VTKFile type="&l;">&l;</VTKFile>')
    begin = time.perf_counter()
    with pytest.raises(ScalebridgeError):
        read_image(path)
    assert time.perf_counter() - begin < SECONDS_PER_FILE

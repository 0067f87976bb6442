"""What the tests of `scalebridge rve` share: laws, a generator with all it needs, an image to cut windows from."""

from __future__ import annotations

import numpy as np

from scalebridge.microstructure.generators import Checkerboard

LAWS = ["--physics", "conduction", "--phase", "0:k=1 W/(m K)", "--phase", "1:k=10 W/(m K)"]
BOARD = ["checkerboard", "--tile", "2", "--random", "--dimensions", "2", *LAWS, "--workers", "1"]


def random_image(shape: tuple[int, ...] = (24, 16)) -> str:
    labels = Checkerboard(shape, 2, random=True).realize(5).image.labels
    np.save("image.npy", labels)
    return "image.npy"

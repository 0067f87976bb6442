"""Shared fixtures: strict numerics in tests only, and the reference images where they are available."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
from hypothesis import HealthCheck, settings

from shape_checks import checked

# Workers that share a cache of compiled programs could read what another is still writing.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"

# Shapes and types of every annotated function are checked in tests; users do not pay for it.
jaxtyping.jaxtyped = checked
jaxtyping.install_import_hook("scalebridge", "beartype.beartype")

settings.register_profile(
    "scalebridge",
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.load_profile("scalebridge")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module", autouse=True)
def _few_compiled_programs() -> Iterator[None]:
    """Every compiled program maps memory of its own, and the kernel allows a process 65530 pieces: beyond, XLA dies."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 20_000:
        import jax

        jax.clear_caches()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of reference images, or a skip with the reason."""
    path = Path(os.environ.get("SCALEBRIDGE_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
    if not path.is_dir():
        pytest.skip(f"reference images not found at {path} (set SCALEBRIDGE_DATA)")
    return path

"""`scalebridge doctor`: is this installation, on this machine, able to give right answers?"""

from __future__ import annotations

from typing import Any

from scalebridge.cli.options import Flag


def doctor(*, json: Flag = False) -> int:
    """Show devices, precision, memory and versions, and run a numerical self-test of about ten seconds.

    Parameters
    ----------
    json: bool
        Print one JSON object and nothing else.
    """
    import json as json_module
    import time

    from scalebridge.core import memory, provenance
    from scalebridge.core.compilation_cache import enable_compilation_cache
    from scalebridge.homogenize.json_record import plain

    cache = enable_compilation_cache()
    import jax
    import numpy as np

    with jax.enable_x64(True):
        eps = float(np.finfo(jax.numpy.ones(1, "float64").dtype).eps)
    available = memory.available_bytes()
    record: dict[str, Any] = {
        "devices": provenance.device_names(),
        "float64": eps < 1e-15,
        "memory_bytes": available,
        "compilation_cache": cache is not None,
        "versions": provenance.versions(),
        "tests": [],
    }
    if not json:
        print(f"devices    {', '.join(record['devices'])}")
        print(
            f"precision  float64 {'available' if record['float64'] else 'NOT AVAILABLE'} (epsilon {eps:.1e})"
        )
        print(f"memory     {'unknown' if available is None else memory.format_bytes(available)} available")
        print(f"cache      {'kept between runs' if cache else 'none: no writable folder'}")
        print("versions   " + ", ".join(f"{name} {version}" for name, version in record["versions"].items()))
        print("self-test", flush=True)
    start = time.perf_counter()
    from scalebridge.cli.self_test import self_tests

    for name, test in self_tests():
        error, tolerance = test()
        passed = bool(error <= tolerance)  # a NaN does not pass
        record["tests"].append({"name": name, "error": error, "tolerance": tolerance, "passed": passed})
        if not json:
            print(
                f"  {'ok  ' if passed else 'FAIL'} {name}: {error:.1e} (at most {tolerance:.0e})", flush=True
            )
    record["seconds"] = time.perf_counter() - start
    healthy = record["float64"] and all(test["passed"] for test in record["tests"])
    record["healthy"] = healthy
    if json:
        print(json_module.dumps(plain(record), allow_nan=False))
    else:
        print(f"{'All is well' if healthy else 'Something is wrong'} ({record['seconds']:.1f} s).")
    return 0 if healthy else 1

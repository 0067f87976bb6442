"""What all linear, history-free laws share: flux = tangent : drive, no state, no error of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.law import Response


def checked_drive(drive: Any, components: tuple[int, ...], what: str) -> np.ndarray:
    """The drive as floats (n, m), m one of `components`; LawError names what was expected."""
    drive = np.asarray(drive, float)
    if drive.ndim != 2 or drive.shape[1] not in components:
        expected = " or ".join(f"(n, {m})" for m in components)
        raise LawError(f"Expected {what} of shape {expected}, got {drive.shape}.")
    return drive


def linear_response(tangent: np.ndarray, drive: np.ndarray, state: Any, want: tuple[str, ...]) -> Response:
    """flux[n] = tangent drive[n]; the tangent is one matrix seen n times, without a copy."""
    n = len(drive)
    return Response(
        flux=drive @ tangent.T if "flux" in want else None,
        tangent=np.broadcast_to(tangent, (n, *tangent.shape)) if "tangent" in want else None,
        state=state,
        status=np.zeros(n, int),
        error=np.zeros(n),
        cost=np.ones(n),
    )

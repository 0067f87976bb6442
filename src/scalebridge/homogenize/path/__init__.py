"""Loading paths: how does a microstructure answer that yields, flows, stretches or breaks along the way?

Takes: a PhaseImage, a law per label, the legs of a path.   Gives: PathResult (curve, tangents, energies, averages,
local fields, error budget of every increment).
Open first: driver.py, then result.py.
"""

from scalebridge.homogenize.path.driver import follow_path
from scalebridge.homogenize.path.result import Moments, PathFields, PathIncrement, PathResult

__all__ = ["Moments", "PathFields", "PathIncrement", "PathResult", "follow_path"]

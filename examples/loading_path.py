r"""A composite beyond its elastic limit: balls of ceramic in a metal, pulled by one percent and let go.

Shows the curve, the consistent tangent at its end, where the work went, the plastic strain that stays, and a page for
the browser. The same on the command line: `scalebridge path`, see docs/loading-paths.md.
"""

from scalebridge import enable_compilation_cache
from scalebridge.cell.nonlinear.loading import leg_of
from scalebridge.homogenize.path import Moments, follow_path
from scalebridge.material import SMALL_STRAIN
from scalebridge.material.laws.catalogue import law_from_words
from scalebridge.microstructure import generate
from scalebridge.report.path import write_path_report, write_path_results

enable_compilation_cache()
image = generate.sphere_array(8, radius=0.35)
laws = {
    0: law_from_words("j2", {"E": "70 GPa", "nu": 0.3, "yield_stress": "100 MPa", "hardening": "1 GPa"}),
    1: law_from_words("linear", {"E": "400 GPa", "nu": 0.2}),
}
pull = leg_of(SMALL_STRAIN, 3, {"xx": 0.01}, rest_free=True, increments=10)
release = leg_of(SMALL_STRAIN, 3, {}, {"xx": 0.0}, rest_free=True, increments=4)
result = follow_path(image, laws, [pull, release], fields_at=Moments.END_OF_LEGS)
print(result)

last = result.increments[-1]
print("strain that stays", last.drive[0])
print("tangent xx,xx [GPa]", last.tangent[0, 0] / 1e9)
print("largest accumulated plastic strain", result.fields[last.number].internal["accumulated"].max())
assert 0.008 < last.drive[0] < 0.009
assert abs(last.stored + last.dissipated - last.work) < 0.1 * last.work

if __name__ == "__main__":
    from pathlib import Path

    write_path_results(result, Path("composite-path"))
    print("written", write_path_report(result, Path("composite-path") / "report.html"))

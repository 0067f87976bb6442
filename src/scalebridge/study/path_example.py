"""The commented study of a loading path that `scalebridge init path` writes."""

from __future__ import annotations

PATH_EXAMPLE = """\
# A loading path: which image, which laws, where the cell goes, what is kept. Run it with
#   scalebridge run path.toml             (--dry-run first shows the plan, the memory and the time)
# Every key can be overridden:  scalebridge run path.toml --set leg.1.steps=40 --set law.0.E=72GPa
# Lines that start with "#" are comments; the keys in them show what else can be said.

[image]
path = "composite.tif"       # as in a study of an effective law; relative to this file
spacing = "1 um"
# threshold = [90]           # a grey image: labels 0 (below 90) and 1
# crop = "0:64,0:64,0:64"
# coarsen = 2

# One block per label. Numbers are SI; text may carry a unit.
[[law]]
label = 0
name = "matrix"
law = "j2"                   # a law of the catalogue, "void", "my_law.py:make", or the name of an entry point
parameters = { E = "70 GPa", nu = 0.3, yield_stress = "100 MPa", hardening = "1 GPa" }

# orientations = "turns.npy"   # crystals: one rotation per voxel, shape (3, 3, nx, ny, nz); makes a label of each grain

[[law]]
label = 1
name = "pores"
law = "void"

[path]
condition = "periodic"       # "periodic", "kubc" or "subc"
tangent = "legs"             # consistent macroscopic tangent: at the ends of the "legs", "all", "last" or "none"
fields = "legs"              # local fields: "none", "last", "legs", "all" or numbers of increments: [3, 7, 20]
# integration = "one"        # points per voxel: "one" (periodic only), "eight" or "mean-dilatation"
# plane = "strain"           # 2-D images: "strain" or "stress"
# residual = 1e-9            # out-of-balance stress at which an increment is solved
# resolution = true          # also on the image coarsened by two: the resolution term of the error budget
# accuracy = 0.05            # relative error to reach, all terms together

# The legs, one after the other. Components: xx or e_xx (strain) and s_xx (stress); at finite strain F_xx, P_xx and
# s_xx (Cauchy stress); in transport x and q_x. Values at the end of the leg.
[[leg]]
components = { xx = "1 %" }
rest = "free"                # the others: "free" of stress, or "held" undeformed
steps = 20
time = "1 s"

[[leg]]                      # and back to no stress
components = { s_xx = "0 MPa" }
rest = "free"
steps = 5

[output]
folder = "path-results"      # relative to this file; left out: print only
"""

"""The commented study file that `scalebridge init` writes."""

from __future__ import annotations

EXAMPLE = """\
# A study: which image, which laws, under which condition, how accurate. Run it with
#   scalebridge run study.toml            (--dry-run first shows the plan, the memory and the time)
# Every key can be overridden:  scalebridge run study.toml --set accuracy.target=0.02 --set phase.1.k=2.5
# Lines that start with "#" are comments; the keys in them show what else can be said.

[image]
path = "rock.tif"            # TIFF (or a folder of slices), RAW, NPY/NPZ, HDF5, VTI, NRRD, MetaImage;
                             # relative to this file
# dataset = "/volume"        # HDF5 only: where in the file the image is
# axes = "zyx"               # the stored order of the axes, where it is not the convention of the format
spacing = "5.345 um"         # voxel edge; one per axis in the order x, y, z: ["1 um", "1 um", "2 um"]
# threshold = [90, 140]      # a grey image: labels 0 (below 90), 1 (90 to below 140), 2 (140 and above)
# otsu = 2                   # or: this many labels, thresholds found by Otsu's method
# crop = "0:200,0:200,:"     # voxels kept along x, y, z
# relabel = { 3 = 0, 4 = 0 } # labels 3 and 4 become 0
# keep_largest = { label = 0, others = 1 }   # of label 0 only the largest connected part; the others become 1
# coarsen = 2                # 2 x 2 x 2 voxels become one (majority)
# mirror = ["x", "y", "z"]   # make the image periodic by mirroring
# raw = { shape = [400, 400, 400], dtype = "uint8", offset = 0, order = "zyx" }   # headerless files only

[physics]
kind = "conduction"          # "conduction", "elasticity" or "thermoelasticity"
# plane = "strain"           # elasticity of 2-D images: "strain" or "stress"

# One block per label. Numbers are SI; text may carry a unit and an uncertainty (one standard deviation).
#   conduction:        k | kx, ky, kz | k_axial, k_radial
#   elasticity:        E, nu | K, G | C11, C12, C44 | ...
#   thermoelasticity:  as elasticity, and alpha

[[phase]]
label = 0
name = "pore water"
properties = { k = "0.60 W/(m K)" }

[[phase]]
label = 1
name = "quartz"
properties = { k = "7.7+-0.3 W/(m K)" }
# rotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]   # from the axes of the phase to x, y, z (anisotropic phases)
# orientations = "rotations.npy"                 # one rotation per voxel, shape (3, 3, nx, ny, nz)

[boundary]
condition = "periodic"       # "periodic", "kubc", "subc" or "faces"
# axis = "x"                 # faces: from which face to the opposite one
# platens = "clamped"        # faces, elasticity: "clamped" or "smooth"
# sides = "free"             # faces, elasticity: "free" or "symmetric"
# compare = ["kubc", "subc"] # also solve under these: gives the boundary term of the error budget

[accuracy]
target = 0.01                # relative error to reach, all terms of the budget together
# residual = 1e-6            # or: a fixed tolerance of the solver
# subvolumes = "auto"        # also solve windows of the image, for the statistical term of the error budget;
                             # or their edges in voxels: [64, 48, 32]

[output]
folder = "results"           # relative to this file; left out: print only
fields = false               # true: also fields.vti, for ParaView
"""

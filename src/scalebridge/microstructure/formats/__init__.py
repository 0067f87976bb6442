"""Image formats: how does the array lie in the file?

Takes: a path.   Gives: StoredImage (shape, type, axis order, spacing; the voxels on demand).
May import: core.   Open first: stored.py. A new format is one file here and one entry in ALL_FORMATS.
"""

from scalebridge.microstructure.formats.hdf5 import Hdf5
from scalebridge.microstructure.formats.metaimage import MetaImage
from scalebridge.microstructure.formats.npy import Npy, Npz
from scalebridge.microstructure.formats.nrrd import Nrrd
from scalebridge.microstructure.formats.raw import Raw
from scalebridge.microstructure.formats.stored import AbstractImageFormat, ReadRequest, StoredImage
from scalebridge.microstructure.formats.tiff import Tiff
from scalebridge.microstructure.formats.vti import Vti

ALL_FORMATS: tuple[AbstractImageFormat, ...] = (
    Tiff(), Npy(), Npz(), Hdf5(), Vti(), Nrrd(), MetaImage(), Raw(),
)  # fmt: skip

__all__ = ["ALL_FORMATS", "AbstractImageFormat", "ReadRequest", "StoredImage"]

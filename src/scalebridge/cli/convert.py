"""`scalebridge convert`: an image from one format to another, edited on the way if asked."""

from __future__ import annotations

from scalebridge.cli.options import Flag, ImageOptions

_DEFAULT_IMAGE = ImageOptions()


def convert(
    image: str, target: str, /, *, reading: ImageOptions = _DEFAULT_IMAGE, force: Flag = False
) -> int:
    """Convert an image of labels: the ending of TARGET says the format.

    Parameters
    ----------
    image: str
        The image: TIFF (or a folder of slices), RAW, NPY/NPZ, HDF5 (file.h5:/path), VTI, NRRD, MetaImage.
    target: str
        Where to write it: .tif, .vti, .h5 or .npy.
    force: bool
        Overwrite a file of that name.
    """
    import math
    from pathlib import Path

    from scalebridge.cli.wrapping import wrapped
    from scalebridge.microstructure.write import check_target, write_image
    from scalebridge.study.disk import planned_shape
    from scalebridge.study.images import prepare_image
    from scalebridge.study.parse import image_section

    section = image_section(reading.section(image))
    check_target(target, force=force)  # before a large image is read
    check_target(target, force=force, voxels=math.prod(planned_shape(section, Path())))
    labelled = prepare_image(section, Path())
    write_image(labelled, target)
    print(wrapped("\n".join(f"-  {step}" for step in labelled.history)))
    print(f"Written {target}.")
    return 0

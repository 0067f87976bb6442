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
    from pathlib import Path

    from scalebridge.core.errors import OutputError
    from scalebridge.microstructure.write import write_image
    from scalebridge.study.images import prepare_image
    from scalebridge.study.parse import image_section

    path = Path(target)
    if path.exists() and not force:
        raise OutputError(f"{path} exists already. Choose another name, or overwrite with --force.")
    section = image_section(reading.section(image))
    labelled = prepare_image(section, Path())
    write_image(labelled, path)
    for step in labelled.history:
        print(f"- {step}")
    print(f"Written {path}.")
    return 0

"""scalebridge: from a microstructure image to an effective law with an error bar.

Open first: homogenize/homogenize.py; the floors are described in docs/conventions.md.
"""
__version__ = "0.1.0"

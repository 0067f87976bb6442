"""Studies: a file that says what to compute, runs on disk that can be repeated and resumed.

Takes: study.toml.   Gives: a run folder with result, settings, hashes, versions.
May import: homogenize and everything below.   Open first: schema.py.
"""

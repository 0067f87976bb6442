"""Verification: does scalebridge give the values that are known exactly, tabulated or published?

Takes: generated cells, and the reference images where SCALEBRIDGE_DATA names their folder.
Gives: records/*.json (one per case), from them docs/verification.md, error-budget.md,
verification-representativity.md, verification-nonlinear.md and figures/*.png.
Run: `python -m docs.verification [CASE ...]`, `--render` to write the pages from the records alone.
Open first: record.py, then any case.
"""

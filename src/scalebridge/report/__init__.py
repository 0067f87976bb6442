"""Reports: how does a person see a result?

Takes: HomogenizationResult.   Gives: report.html, figures, result.json/csv, fields.vti, LaTeX, Abaqus cards.
May import: homogenize and everything below.   Open first: report.py.
"""

"""Reports: how does a person see a result?

Takes: HomogenizationResult.   Gives: report.html, figures, result.json, result.csv, fields.vti.
The page of a RepresentativityResult: representative.write_report.
May import: homogenize and everything below.   Open first: report.py.
"""

from scalebridge.report.report import write_report, write_results

__all__ = ["write_report", "write_results"]

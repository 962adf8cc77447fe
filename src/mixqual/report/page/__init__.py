"""The page of a run: one HTML file that needs nothing else, drawn from `results.json`."""

from mixqual.report.page.render import render_page

__all__ = ["render_page"]

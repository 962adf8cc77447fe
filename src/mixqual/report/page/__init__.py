"""The page of a run, and that of several: one HTML file with everything in it."""

from mixqual.report.page.render import render_comparison, render_page

__all__ = ["render_comparison", "render_page"]

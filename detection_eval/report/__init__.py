"""A comparison as one HTML page that needs no server and no network."""

from detection_eval.report.page import report_html

__all__ = ["report_html"]

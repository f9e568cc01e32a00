"""A finished run as one HTML page that opens without a network: `write_report(run_folder)`."""

from portanet.report.page import available, write_page, write_report

__all__ = ["available", "write_page", "write_report"]

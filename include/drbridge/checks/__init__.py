"""The file checker: one pass over a file of any size, column-wise, in flat memory."""

from __future__ import annotations

from drbridge.checks.file_check import CheckedBlock, FileCheck
from drbridge.checks.report import FileReport, Limits, Verdict

__all__ = ["CheckedBlock", "FileCheck", "FileReport", "Limits", "Verdict"]

"""One demand-response day: its files with planted faults, and what must come of each of them."""

from drbridge_sandbox.day.compare import Difference, compare
from drbridge_sandbox.day.made import Day, DayFile, make_day
from drbridge_sandbox.day.prediction import FilePrediction, Planted, Prediction
from drbridge_sandbox.day.scores import write_scores

__all__ = [
    "Day", "DayFile", "Difference", "FilePrediction", "Planted", "Prediction", "compare", "make_day", "write_scores",
]  # fmt: skip

"""One demand-response day: its files with planted faults, its messages, and what must come of each of them."""

from drbridge_sandbox.day.acts import Act, Messages, Post
from drbridge_sandbox.day.compare import Difference, compare
from drbridge_sandbox.day.made import Day, DayFile, make_day
from drbridge_sandbox.day.messages import make_messages
from drbridge_sandbox.day.posting import Inbox
from drbridge_sandbox.day.prediction import FilePrediction, Planted, Prediction, together
from drbridge_sandbox.day.scores import write_scores

__all__ = [
    "Act", "Day", "DayFile", "Difference", "FilePrediction", "Inbox", "Messages", "Planted", "Post", "Prediction",
    "compare", "make_day", "make_messages", "together", "write_scores",
]  # fmt: skip

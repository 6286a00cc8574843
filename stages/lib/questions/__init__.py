"""Questions, checks and departures of reports/*.yaml, typed; question.py begins with a complete example."""

from stages.lib.questions.question import OURS, Departure, Question
from stages.lib.questions.references import check_questions, figures_of, labels_of, runs_of, shown_runs

__all__ = ["OURS", "Departure", "Question", "check_questions", "figures_of", "labels_of", "runs_of", "shown_runs"]

"""MLflow is told what the stages wrote, by one idempotent sync: `python -m stages.sync`, or one of the calls here.

- records.py: what is to be told, read from models/, metrics/ and docs/results
- store.py: the writing; nothing is sent twice, whatever died in between
- logged_models.py, model.py: trained networks as MLflow models, and how MLflow loads them
- connection.py: where MLflow is, and whether it answers

Nothing of it runs in a training. The outputs on disk stay the truth; what a dead server missed is sent the next time.
"""

from stages.lib.tracking.connection import sync, sync_study

__all__ = ["sync", "sync_study"]

"""How long a stage will take, from the wall times of earlier runs."""

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError
from stages.lib.files import write_json

if TYPE_CHECKING:
    from stages.lib.config_entries import Profile
    from stages.lib.config_run import Run

#: What the stages took on this machine, by name.
TAKEN = Path(".dvc", "tmp", "stage-seconds.json")
#: What trainings took wherever their results come from.
EVALUATIONS = ("metrics/{profile}/evaluations", "docs/results/evaluations")


class WallTimes:
    """Seconds of stages: those of the last time on this machine, else those that evaluations keep of a training."""

    def __init__(self) -> None:
        try:
            self._taken: dict[str, float] = json.loads(TAKEN.read_text())
        except (FileNotFoundError, ValueError):  # a kill may have left anything: these are estimates
            self._taken = {}
        self._estimates: dict[str, float | None] = {}

    def note(self, stage: Any, seconds: float) -> None:
        self._taken[stage.addressing] = round(seconds, 1)

    def write(self) -> None:
        write_json(TAKEN, self._taken)

    def seconds(self, stage: Any) -> float | None:
        """An estimate; None where the stage has never run. A training that became longer is scaled by its steps."""
        name = stage.addressing
        if name not in self._estimates:
            self._estimates[name] = self._taken.get(name) or self._training_seconds(stage)
        return self._estimates[name]

    def _training_seconds(self, stage: Any) -> float | None:
        verb, _, run_id = stage.name.partition("@")
        entry = self._trained.get(run_id) if verb == "train" and profile_of(stage) == "full" else None
        if entry is None:
            return None
        from stages.lib.config import load_reports

        try:
            run = load_reports().run(run_id, "full")
        except InputError:  # the stage itself says what is wrong with it
            return None
        return _scaled(entry, run)

    @cached_property
    def _trained(self) -> dict[str, dict[str, Any]]:
        """Evaluated runs of the real study by id; what this machine evaluated goes before what is published."""
        found: dict[str, dict[str, Any]] = {}
        for folder in EVALUATIONS:
            for path in sorted(Path(folder.format(profile="full")).glob("*/scores.json")):
                for run_id, entry in json.loads(path.read_text(encoding="utf-8"))["runs"].items():
                    found.setdefault(run_id, entry)
        return found


def profile_of(stage: Any) -> "Profile":
    """The profile whose pipeline a stage belongs to."""
    from stages.lib.config_params import PARAMS

    folder = Path(stage.path_in_repo).parent
    return next(profile for profile, params in PARAMS.items() if params.parent == folder)


def _scaled(entry: dict[str, Any], run: "Run") -> float | None:
    seconds = [seed["seconds"] for seed in entry["seeds"].values() if "seconds" in seed]
    if not seconds:
        return None
    estimate = sum(seconds) / len(seconds) * len(run.seeds)
    before, now = entry["config"], run.parameters()
    for unit in ("steps", "epochs"):
        if before.get(unit) and now.get(unit):
            return estimate * now[unit] / before[unit]
    return None


def duration(seconds: float | None) -> str:
    """In the largest units that matter: 45 s, 12 min, 3 h 20 min."""
    if seconds is None:
        return "unknown"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"

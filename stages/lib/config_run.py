"""One checked run, as every stage gets it."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.config_entries import Limits, Profile
from stages.lib.config_model import check_model
from stages.lib.errors import InputError
from stages.lib.task import Task, get_task, task_module
from stages.train.settings import Settings

if TYPE_CHECKING:
    from pydantic import BaseModel

#: The id of the experiment under study.
STUDY = "study"


@dataclass(frozen=True)
class Run:
    """A checked run in a profile. `network` and `options` are the task's own models, `settings` within the limits."""

    id: str
    group: str
    profile: Profile
    task_name: str
    model: str
    network: "BaseModel"
    options: "BaseModel"
    settings: Settings
    seeds: tuple[int, ...]
    #: Of the user's data sets, the one that is trained on.
    own_data: str | None = None

    @property
    def task(self) -> Task:
        return get_task(self.task_name)

    def parameters(self) -> dict[str, Any]:
        """Everything that shapes the result, as plain values."""
        return {
            "task": self.task_name,
            "model": self.model,
            "network": self.network.model_dump(mode="json"),
            "options": self.options.model_dump(mode="json"),
            **self.settings.model_dump(mode="json", exclude={"seeds"}, exclude_none=True),
            **({"data": self.own_data} if self.own_data else {}),
        }

    @property
    def data(self) -> Path:
        return Path("data", self.profile, self.own_data or self.task_name)

    @property
    def folder(self) -> Path:
        return Path("models", self.profile, self.group, self.id)

    @property
    def target(self) -> str:
        """The DVC stage that trains it."""
        return "train-study" if self.id == STUDY else f"train@{self.id}"


def make_run(
    name: str,
    group: str,
    profile: Profile,
    task: str,
    model: str,
    settings: Mapping[str, Any],
    where: str,
    limits: Limits,
    seeds: Sequence[int] = (),
    own_data: str | None = None,
) -> Run:
    """Check a run's flat settings: each belongs to the training, the network or the task. `seeds` default to 0 … as
    many as the settings ask for.
    """
    options = task_module(task, "training.options")
    if model not in options.NETWORKS:
        raise InputError(f"{where}: model = {model!r}: {task} has {', '.join(options.NETWORKS)}")
    models = {"settings": Settings, "network": options.NETWORKS[model], "options": options.Options}
    parts: dict[str, dict[str, Any]] = {part: {} for part in models}
    for key, value in settings.items():
        owner = next((part for part, fields in models.items() if key in fields.model_fields), None)
        if owner is None:
            known = [field for fields in models.values() for field in fields.model_fields]
            near = difflib.get_close_matches(str(key), known, n=3, cutoff=0.4) or known
            raise InputError(f"{where}: unknown key {key!r}; {task} with {model} has {', '.join(near)}")
        parts[owner][key] = value
    checked = {part: check_model(fields, parts[part], where) for part, fields in models.items()}
    fixed = getattr(task_module(task, "ingestion"), "FIXED_OPTIONS", {}) if own_data else {}
    for key, value in fixed.items():
        if getattr(checked["options"], key) != value:
            raise InputError(f"{where}: {key}: your own data are one part, {value!r}; leave this key out")
    within = limits.cut(checked["settings"])
    return Run(
        *(name, group, profile, task, model, checked["network"], checked["options"], within),
        tuple(seeds) or tuple(range(within.seeds)),
        own_data,
    )

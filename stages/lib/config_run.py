"""One checked run, as every stage gets it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.config_entries import Profile
from stages.lib.task import Task, get_task
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

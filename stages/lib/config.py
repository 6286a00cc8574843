"""What YAML and the command line may say, checked before any work starts.

A run comes either from reports.yaml, spelled out by DVC as command-line options (`--lr 1.0 --network.head cosine`),
or from params.yaml's top level, the experiment under study.
"""

import argparse
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from stages.lib.files import read_yaml
from stages.lib.task import Task, get
from stages.lib.errors import InputError

Profile = Literal["sample", "full", "paper"]
PARAMS = Path("params.yaml")
REPORTS = Path("reports.yaml")
STUDY = "study"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PerProfile(_Strict):
    """A whole number that differs by profile."""

    sample: PositiveInt
    full: PositiveInt
    paper: PositiveInt


class Settings(_Strict):
    """How a network is trained. `network` and `options` are checked by the task, which knows what they may be."""

    network: dict[str, Any] = {}
    options: dict[str, Any] = {}

    #: Length of training: exactly one of the two.
    steps: PerProfile | None = None
    epochs: PerProfile | None = None
    seeds: PerProfile = PerProfile(sample=1, full=1, paper=1)
    batch_size: PositiveInt

    optimizer: Literal["sgd", "adam", "adamw", "lbfgs"]
    lr: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    #: Nesterov's momentum (Sutskever et al. 2013); for sgd with momentum.
    nesterov: bool = False
    #: staircase: times `decay_rate` every `decay_steps` steps · cosine: to 0 over the whole training ·
    #: one_cycle: up from 0 in a straight line over the share `peak` of the training, then down to 0 (Smith 2018).
    schedule: Literal["constant", "staircase", "cosine", "one_cycle"] = "constant"
    peak: Annotated[float, Field(gt=0, lt=1)] = 0.25
    decay_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    decay_steps: PositiveInt = 1
    #: Of L-BFGS: how much lower the loss must get by an iteration, or promise to get, for a step to go on.
    tolerance: PositiveFloat = 1e-9
    #: Largest norm of a gradient step; none by default.
    clip_norm: PositiveFloat | None = None

    #: Steps between two validations where length is given in steps; with epochs, validation follows each.
    validate_every: PerProfile = PerProfile(sample=10, full=50, paper=50)
    #: End with the weights of the best validation instead of the last ones; stop after `patience` without a better one.
    keep_best: bool = False
    patience: PositiveInt | None = None

    #: auto: bf16-mixed where the device computes faster with it, else 32-true (stages/train/precision.py).
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs, each as sample, full and paper")
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise ValueError("nesterov is a kind of momentum: it needs optimizer sgd and a momentum above 0")
        return self


class RunEntry(_Strict):
    """A run as it stands in reports.yaml. `built_on` is the module of stages/networks that the model's own one uses."""

    task: str
    model: str
    built_on: str
    group: str
    settings: dict[str, Any]


class Run(NamedTuple):
    """A checked run: `network` and `options` are the task's own models, `seeds` the seeds to train."""

    id: str
    group: str
    profile: Profile
    task_name: str
    task: Task
    model: str
    network: BaseModel
    options: BaseModel
    settings: Settings
    seeds: tuple[int, ...]

    def parameters(self) -> dict[str, Any]:
        """Everything that shapes the result, as plain values."""
        settings = self.settings.model_dump(mode="json", exclude={"network", "options", "seeds"}, exclude_none=True)
        return {
            "task": self.task_name,
            "model": self.model,
            "network": self.network.model_dump(mode="json"),
            "options": self.options.model_dump(mode="json"),
            **{key: value[self.profile] if isinstance(value, dict) else value for key, value in settings.items()},
        }

    @property
    def data(self) -> Path:
        return Path("data", self.profile, self.task_name)

    @property
    def folder(self) -> Path:
        return Path("models", self.profile, self.group, self.id)


Model = TypeVar("Model", bound=BaseModel)


def check(model: type[Model], content: Any, where: str) -> Model:
    """Validate; raises InputError with one line that names the key, the value and what is allowed."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            allowed = ", ".join(model.model_fields)
            raise InputError(f"{where}: {key!r} is not known; allowed are {allowed}") from None
        if first["type"] == "missing":
            raise InputError(f"{where}: {key!r} is missing") from None
        value = "" if not key else f"{key} = {first['input']!r}: "
        raise InputError(f"{where}: {value}{first['msg'].removeprefix('Value error, ')}") from None


def make_run(
    name: str,
    group: str,
    profile: Profile,
    task_name: str,
    model: str,
    settings: Any,
    where: str,
    seeds: Sequence[int] = (),
) -> Run:
    """Check a run's settings, its network's and its task's. `seeds` default to 0 … as many as the settings ask."""
    checked = check(Settings, settings, where)
    task = get(task_name)
    if model not in task.networks:
        raise InputError(f"{where}: model = {model!r}: {task_name} has {', '.join(task.networks)}")
    network = check(task.networks[model], checked.network, f"{where}: network")
    options = check(task.Options, checked.options, f"{where}: options")
    chosen = tuple(seeds) or tuple(range(getattr(checked.seeds, profile)))
    return Run(name, group, profile, task_name, task, model, network, options, checked, chosen)


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """`--a.b 1 --c x y --flag` as {"a": {"b": "1"}, "c": ["x", "y"], "flag": True}, as DVC passes a run."""
    content: dict[str, Any] = {}
    place = 0
    while place < len(words):
        if not words[place].startswith("--"):
            raise InputError(f"{words[place]!r}: expected an option that starts with --")
        *path, last = words[place][2:].split(".")
        place += 1
        values = []
        while place < len(words) and not words[place].startswith("--"):
            values.append(words[place])
            place += 1
        inner = content
        for key in path:
            inner = inner.setdefault(key, {})
        inner[last] = True if not values else values[0] if len(values) == 1 else values
    return content


def own_profile() -> Profile:
    """The profile of params.yaml."""
    return _profile(read_yaml(PARAMS))


def _profile(params: Mapping[str, Any]) -> Profile:
    if params.get("profile") not in Profile.__args__:
        raise InputError(f"{PARAMS}: profile = {params.get('profile')!r}: choose sample, full or paper")
    return params["profile"]


def read_study(profile: Profile | None = None) -> Run:
    """The experiment under study, from params.yaml's top level; in its profile, or in the one given."""
    content = read_yaml(PARAMS) | ({"profile": profile} if profile else {})
    where = str(PARAMS)
    _profile(content)
    own = {}
    for key in ("profile", "seed", "task", "model", "networks", "options"):
        if key not in content:
            raise InputError(f"{where}: {key!r} is missing")
        own[key] = content.pop(key)
    if not isinstance(own["seed"], int) or isinstance(own["seed"], bool) or own["seed"] < 0:
        raise InputError(f"{where}: seed = {own['seed']!r}: give a whole number from 0")
    for key in ("networks", "options"):
        if not isinstance(own[key], dict):
            raise InputError(f"{where}: {key} = {own[key]!r}: give settings by name, or {{}}")
    settings = content | {
        "network": own["networks"].get(own["model"], {}),
        "options": own["options"].get(own["task"], {}),
    }
    return make_run(STUDY, STUDY, own["profile"], own["task"], own["model"], settings, where, seeds=[own["seed"]])


def read_run(arguments: argparse.Namespace, words: Sequence[str]) -> Run:
    """The run that a stage was asked for: `--study`, or one spelled out on the command line."""
    if arguments.study:
        return read_study()
    missing = [name for name in ("profile", "run", "group", "task", "model") if getattr(arguments, name) is None]
    if missing:
        raise InputError(f"give --study, or --{' and --'.join(missing)} (dvc.yaml shows the whole command)")
    return make_run(
        arguments.run,
        arguments.group,
        arguments.profile,
        arguments.task,
        arguments.model,
        parse_options(words),
        f"reports.yaml: runs.{arguments.run}",
    )


def runs_of(group: str, profile: Profile) -> list[Run]:
    """The runs of a group, as reports.yaml has them."""
    return [_run(name, entry, profile) for name, entry in _entries().items() if entry["group"] == group]


def find_run(name: str, profile: Profile) -> Run:
    """One run of reports.yaml."""
    entries = _entries()
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=3, cutoff=0)
        raise InputError(f"--run {name}: {REPORTS} has no such run; near it are {', '.join(near)}")
    return _run(name, entries[name], profile)


def _entries() -> Mapping[str, Any]:
    return read_yaml(REPORTS)["runs"]


def _run(name: str, entry: Mapping[str, Any], profile: Profile) -> Run:
    where = f"{REPORTS}: runs.{name}"
    content = check(RunEntry, entry, where)
    return make_run(name, content.group, profile, content.task, content.model, content.settings, where)


def with_checks(reports: Mapping[str, Any]) -> dict[str, Any]:
    """The content of reports.yaml, in which claims and figures can name a check as they name a run."""
    groups = reports.get("checks") or {}
    checks = {name: {"group": group, "task": of["task"]} for group, of in groups.items() for name in of["names"]}
    return {**reports, "runs": {**(reports.get("runs") or {}), **checks}}

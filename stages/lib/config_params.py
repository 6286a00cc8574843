"""The one reader of a profile's params.yaml: its keys, its limits, and the experiment under study, its top level."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from stages.lib.config_entries import Limits, Profile, StudyParams
from stages.lib.config_model import check_model
from stages.lib.config_own import OwnParams, check_own_data, read_own_datasets
from stages.lib.config_run import STUDY, Run, make_run
from stages.lib.errors import InputError
from stages.lib.files import read_yaml
from stages.lib.task import task_module

PROFILES: tuple[Profile, ...] = get_args(Profile)
#: The profiles of the five reports.
REPORT_PROFILES: tuple[Profile, ...] = ("sample", "full")
OWN: Profile = "own"
#: Where each profile's knobs are.
PARAMS: Mapping[Profile, Path] = {
    "sample": Path("params.yaml"),
    "full": Path("full", "params.yaml"),
    "own": Path("own", "params.yaml"),
}
#: In place of a network's name: the task's first.
DEFAULT_MODEL = "default"


def read_params(profile: Profile) -> tuple[StudyParams, dict[str, Any]]:
    """A profile's params.yaml: its keys, and the training settings of the experiment under study."""
    path = PARAMS[profile]
    content = read_yaml(path)
    model = OwnParams if profile == OWN else StudyParams
    own = {key: content.pop(key) for key in list(content) if key in model.model_fields}
    params = check_model(model, own, str(path))
    if params.profile != profile:
        raise InputError(
            f"{path}: profile = {params.profile!r}: it must be {profile!r}; real data are `dvc repro full/dvc.yaml`"
        )
    if params.params != path.as_posix() or params.root != ("." if len(path.parts) == 1 else ".."):
        raise InputError(f"{path}: root and params tell DVC where this file is; leave them as they were committed")
    return params, content


def read_limits(profile: Profile) -> Limits:
    """The limits that a profile's params.yaml sets."""
    path = PARAMS[profile]
    return check_model(Limits, read_yaml(path).get("limits", {}), f"{path}: limits")


def read_study(profile: Profile) -> Run:
    """The experiment under study, from the top level of a profile's params.yaml."""
    params, settings = read_params(profile)
    where, data = str(PARAMS[profile]), None
    if isinstance(params, OwnParams):
        data = params.data
        check_own_data(data, params.task, read_own_datasets(), where)
    model = params.model
    if model == DEFAULT_MODEL and data:
        model = next(iter(task_module(params.task, "training.options").NETWORKS))
    flat = {key: value for key, value in settings.items() if value is not None}
    for part, name in (("networks", model), ("options", params.task)):
        for key, value in getattr(params, part).get(name, {}).items():
            if key in flat:
                raise InputError(f"{where}: {part}.{name}.{key}: {key} is a training setting of the top level")
            flat[key] = value
    if "seeds" in flat:
        raise InputError(f"{where}: the experiment under study has one `seed`, not `seeds`")
    return make_run(STUDY, STUDY, profile, params.task, model, flat, where, params.limits, [params.seed], data)


def each_profile() -> Iterator[Profile]:
    """The profiles that this checkout has parameters for."""
    return (profile for profile in PROFILES if PARAMS[profile].is_file())

"""Scores, outcomes by example and histories of trained runs, into metrics/<profile>/evaluations/<group>."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from stages.lib.config import Profile, Run, load_reports
from stages.lib.determinism import require_determinism
from stages.lib.errors import InputError
from stages.lib.files import write_json
from stages.lib.prediction import load_data, load_trained, predict
from stages.lib.provenance import provenance
from stages.lib.results import KEYS, group_folder, write_group
from stages.lib.task import Batch, Split, task_module


@dataclass
class Evaluation:
    """What one trained seed gives. `outcomes` hold a frame for each split and predictor; `trivial` are the scores of a
    predictor that has learned nothing, against which a run counts as trained.
    """

    scores: dict[str, float] = field(default_factory=dict)
    trivial: dict[str, float] = field(default_factory=dict)
    outcomes: list[pd.DataFrame] = field(default_factory=list)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    plot_samples: bytes | None = None


def evaluate_group(group: str, profile: Profile) -> None:
    """Score all runs of a group and write its evaluation. Raises InputError for a run that is not trained, or was
    trained with other settings or data than the rest.
    """
    reports = load_reports(profile=profile)
    runs = reports.runs(profile, group)
    # Examples are kept for runs alone whose figures show them: docs/results is to hold no more of a data set than that.
    shown = {run for figure in reports.figures.values() if figure.shows_examples for run in figure.runs}
    scored: dict[str, Any] = {}
    data: dict[str, Any] | None = None
    tables: dict[str, list[pd.DataFrame]] = {"outcomes": [], "examples": [], "histories": []}
    samples: dict[str, bytes] = {}
    for run in runs:
        seeds: dict[str, Any] = {}
        for seed in run.seeds:
            about, found = evaluate_seed(run, seed)
            weights = sha256((run.folder / f"seed-{seed}" / "weights.safetensors").read_bytes()).hexdigest()
            seeds[str(seed)] = {"scores": found.scores, "weights": weights, **about["seeds"][str(seed)]}
            tables["outcomes"] += [frame.assign(run=run.id, seed=seed) for frame in found.outcomes]
            tables["histories"].append(found.history.assign(run=run.id, seed=seed))
            if found.plot_samples is not None and run.id in shown:
                samples[f"{run.id}-seed-{seed}"] = found.plot_samples
        if data is not None and about["data"] != data:
            raise InputError(
                f"{run.folder}: trained on other data than the rest of group {group}; train all of it again"
            )
        data = about["data"]
        scored[run.id] = {key: about[key] for key in ("config", "parameters", "precision", "threads")} | {
            "trivial": found.trivial,
            "scored": provenance() if profile != "sample" else {},
            "seeds": seeds,
        }
    tables["examples"] = example_hashes(runs)
    tables["outcomes"] = [in_order(frame, KEYS) for frame in tables["outcomes"]]
    tables["histories"] = [in_order(frame, ["run", "seed"]) for frame in tables["histories"]]
    content = {"group": group, "task": runs[0].task_name, "data": data, "runs": scored}
    write_group(group_folder(profile, group), content, tables, samples)
    print(f"{group}: {len(runs)} runs, {sum(len(run.seeds) for run in runs)} seeds")


def evaluate_study(run: Run) -> None:
    """Write metrics/<profile>/study.json: few numbers, by split, for `dvc metrics diff` and `dvc exp show`."""
    about, found = evaluate_seed(run, run.seeds[0])
    scores: dict[str, Any] = {}
    for name, value in found.scores.items():
        split, _, metric = name.partition(".")
        scores.setdefault(split, {})[metric] = value
    write_json(Path("metrics", run.profile, "study.json"), {"data": about["data"]["name"], **scores})

    from stages.lib.tracking import sync_study

    sync_study(run.profile)


def evaluate_seed(run: Run, seed: int) -> tuple[dict[str, Any], Evaluation]:
    """run.json, and everything that one trained seed gives."""
    require_determinism()
    about, weights = load_trained(run, seed)
    metadata, tensors = load_data(run)
    task, scoring = run.task, task_module(run.task_name, "scoring")
    splits = task.load(tensors, metadata, run.options)
    network = task.build(run.model, run.network, metadata)
    network.load_state_dict(weights)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)

    def to_device(batch: Batch) -> Batch:
        return Batch(tuple(tensor.to(device) for tensor in batch.inputs), batch.target)

    found = Evaluation()
    predictors = {"": task.predict, **task.extra_predictors(run.options)}
    for name in filter(splits.__contains__, task.eval_splits(run.options)):
        targets = splits[name].targets
        found.trivial |= {f"{name}.{metric}": value for metric, value in scoring.trivial(targets).items()}
        for predictor_name, predictor in predictors.items():
            predictions = predict(predictor, network, splits[name], to_device)
            prefix = f"{name}.{predictor_name}_" if predictor_name else f"{name}."
            scores = scoring.scores(predictions, targets) | _class_scores(scoring, predictions, targets, metadata)
            found.scores |= {prefix + metric: value for metric, value in scores.items()}
            split = f"{name}+{predictor_name}" if predictor_name else name
            rows = scoring.outcomes(predictions, targets)
            found.outcomes.append(rows.assign(split=split, example=range(len(rows))))
            if name == "test" and not predictor_name:
                found.plot_samples = _plot_samples(scoring, splits[name], predictions)
    found.scores |= _diagnostics(scoring, network, splits)
    found.history = read_history(run.folder / f"seed-{seed}" / "history.csv")
    return about, found


def _plot_samples(scoring: Any, split: Split, predictions: Any) -> bytes | None:
    from safetensors.torch import save

    tensors = scoring.plot_samples(split, predictions) if hasattr(scoring, "plot_samples") else {}
    return save(tensors) if tensors else None


def _class_scores(
    scoring: Any, predictions: Sequence[Any], targets: Sequence[Any], metadata: Mapping[str, Any]
) -> dict[str, float]:
    found = scoring.class_scores(predictions, targets, metadata) if hasattr(scoring, "class_scores") else {}
    return dict(found)


def _diagnostics(scoring: Any, network: nn.Module, splits: Mapping[str, Split]) -> dict[str, float]:
    values: dict[str, float] = scoring.diagnostics(network, splits) if hasattr(scoring, "diagnostics") else {}
    return values


def example_hashes(runs: list[Run]) -> list[pd.DataFrame]:
    """One frame a split: its examples, and the first 16 hex digits of the SHA-256 of each one's input tensors. Runs of
    a group that see other inputs (another domain, say) come under their options' own rows.
    """
    frames, seen = [], []
    for run in runs:
        if run.options in seen:
            continue
        seen.append(run.options)
        metadata, tensors = load_data(run)
        splits = run.task.load(tensors, metadata, run.options)
        for name in filter(splits.__contains__, run.task.eval_splits(run.options)):
            hashes = [_input_hash(splits[name].batch(torch.tensor([i]))) for i in range(len(splits[name]))]
            rows = pd.DataFrame({"run": run.id, "split": name, "example": range(len(hashes)), "input_hash": hashes})
            frames.append(rows)
    return frames


def _input_hash(batch: Batch) -> str:
    digest = sha256()
    for tensor in batch.inputs:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def in_order(frame: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """The same frame with these columns first, text as categories."""
    frame = frame[first + [name for name in frame.columns if name not in first]]
    return frame.reset_index(drop=True)


def read_history(path: Path) -> pd.DataFrame:
    """A history.csv. Raises InputError where it is missing, empty or damaged."""
    try:
        history = pd.read_csv(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; train the run again") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged ({str(error).splitlines()[0]}); train the run again") from None
    if history.empty or "step" not in history.columns:
        raise InputError(f"{path}: holds no history; train the run again")
    return history

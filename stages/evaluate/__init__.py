"""Weights and held-out data → scores and predictions.

`python -m stages.evaluate --profile sample --group A-sts-lr` scores a group's runs in one process (starting torch costs
more than a score), with `--partial` those that are trained; `--study` scores the experiment of params.yaml.
"""

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.lib.config import Profile, Run, read_study, runs_of
from stages.lib.provenance import provenance
from stages.lib.files import read_json, whole_folder, write_json, write_tensors
from stages.lib.task import Batch
from stages.lib.errors import InputError
from stages.evaluate.curves import read_history, summary

RESAMPLES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", action="store_true", help="the experiment of params.yaml")
    parser.add_argument("--profile", choices=Profile.__args__)
    parser.add_argument("--group")
    parser.add_argument("--partial", action="store_true", help="leave out the group's runs that are not trained yet")
    arguments = parser.parse_args()
    if arguments.study:
        evaluate_study(read_study())
    elif arguments.profile and arguments.group:
        evaluate_group(arguments.group, arguments.profile, arguments.partial)
    else:
        raise InputError("give --study, or --profile and --group")


def evaluate_group(group: str, profile: Profile, partial: bool = False) -> None:
    """Write metrics/<profile>/runs/<group>.json and the predictions of all its runs.

    partial: a run that is not trained here keeps the results that it has, if any; else it is an error.
    """
    from stages.lib import tracking

    runs = runs_of(group, profile)
    if not runs:
        raise InputError(f"reports.yaml: groups.{group}: no run names this group; add one or remove the group")
    results = Path("metrics", profile, "runs", f"{group}.json")
    waiting = [run.id for run in runs if not (run.folder / "run.json").is_file()] if partial else []
    if len(waiting) == len(runs):
        raise InputError(f"{group}: none of its runs is trained; `dvc repro evaluate@{group}` does so")
    if waiting:
        print(f"{group}: not trained here: {', '.join(waiting)}; results that they have are kept")
    earlier = read_json(results) if waiting and results.is_file() else {"data": None, "runs": {}}
    scored: dict[str, Any] = {run: earlier["runs"][run] for run in waiting if run in earlier["runs"]}
    kept, data = bool(scored), earlier["data"]
    with whole_folder(Path("metrics", profile, "predictions", group)) as folder:
        for run in (run for run in runs if run.id not in waiting):
            seeds = {str(seed): evaluate(run, seed, folder / f"{run.id}-seed-{seed}.csv") for seed in run.seeds}
            about = read_json(run.folder / "run.json")
            if kept and about["data"] != data:
                raise InputError(f"{results}: results to be kept are of other data ({data['name']}); remove the file")
            data = about["data"]
            made = [*about["made"], provenance("scored")] if profile != "sample" else []
            scored[run.id] = {"parameters": about["parameters"], "made": made, "seeds": seeds}
            for seed, found in seeds.items():
                tracking.record_scores(tracking.study_key(profile, run.id, int(seed), about), found["scores"])
    in_order = {run.id: scored[run.id] for run in runs if run.id in scored}
    write_json(results, {"group": group, "task": runs[0].task_name, "data": data, "runs": in_order})


def evaluate_study(run: Run) -> None:
    """Write metrics/study.json: few numbers, by split, for `dvc metrics diff` and `dvc exp show`."""
    from stages.lib import tracking

    with whole_folder(Path("metrics", run.profile, "predictions", run.group)) as folder:
        found = evaluate(run, run.seeds[0], folder / f"{run.id}-seed-{run.seeds[0]}.csv")
    scores: dict[str, Any] = {}
    for name, value in found["scores"].items():
        split, _, metric = name.partition(".")
        scores.setdefault(split, {})[metric] = value
    made = read_json(run.folder / "run.json")
    write_json(Path("metrics", "study.json"), {"data": made["data"]["name"], **scores})
    tracking.record_scores(tracking.study_key(run.profile, run.id, run.seeds[0], made), found["scores"])
    tracking.send()


def evaluate(run: Run, seed: int, predictions_file: Path) -> dict[str, Any]:
    """Scores, their spread, and summaries of the curves of one trained seed; writes its predictions.

    Spread is the bootstrap standard error of a score over the split's examples (Efron 1979).
    """
    import torch

    from stages.lib.determinism import require_determinism
    from stages.lib.prediction import load_data, load_trained, predict

    require_determinism()
    _, weights = load_trained(run, seed)
    facts, tensors = load_data(run)
    splits = run.task.load(tensors, facts, run.options)
    network = run.task.build(run.model, run.network, facts)
    network.load_state_dict(weights)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)

    def to_device(batch: Batch) -> Batch:
        return Batch(tuple(tensor.to(device) for tensor in batch.inputs), batch.target)

    scores, spread, rows = {}, {}, []
    for name in filter(splits.__contains__, run.task.held_out):
        targets = splits[name].targets
        predictions = predict(run.task.predict, network, splits[name], to_device)
        scores |= _named(f"{name}.", run.task.scores(predictions, targets))
        spread |= _named(f"{name}.", bootstrap(run.task.metrics, predictions, targets))
        for way, ask in run.task.further_predictions(run.options).items():
            others = predict(ask, network, splits[name], to_device)
            scores |= _named(f"{name}.{way}_", run.task.metrics(others, targets))
            spread |= _named(f"{name}.{way}_", bootstrap(run.task.metrics, others, targets))
        if name == "test" and (shown := run.task.exhibits(splits[name], predictions)):
            write_tensors(predictions_file.with_suffix(".safetensors"), shown)
        rows += [(name, place, *pair) for place, pair in enumerate(zip(targets, predictions, strict=True))]
    with predictions_file.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("split", "index", "target", "prediction"))
        writer.writerows(rows)
    history = read_history(run.folder / f"seed-{seed}" / "history.csv")
    curves = {
        name: summary(values, rising=name in run.task.rising)
        for name, values in history.items()
        if name not in ("step", "epoch", "lr")
    }
    return {"scores": scores, "spread": spread, "curves": curves}


def _named(prefix: str, values: Mapping[str, float]) -> dict[str, float]:
    return {prefix + name: value for name, value in values.items()}


def bootstrap(
    metrics: Callable[[Sequence[Any], Sequence[Any]], dict[str, float]],
    predictions: Sequence[Any],
    targets: Sequence[Any],
    resamples: int = RESAMPLES,
) -> dict[str, float]:
    """Standard error of each metric when the examples are drawn anew with replacement."""
    generator = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for _ in range(resamples):
        index = generator.integers(len(targets), size=len(targets)).tolist()
        drawn = metrics([predictions[place] for place in index], [targets[place] for place in index])
        for name, value in drawn.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.std(values, ddof=1)) for name, values in found.items()}

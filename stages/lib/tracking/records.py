"""What MLflow is to be told, read from the stages' outputs below the working directory.

A trained seed is described by models/<profile>/<group>/<run>; where that is not on this machine, by its evaluation in
metrics/<profile> or in the published copy, docs/results. Nothing here imports mlflow or torch.
"""

import hashlib
import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.config import Reports, load_reports
from stages.lib.config_entries import Profile
from stages.lib.config_run import STUDY
from stages.lib.errors import InputError
from stages.lib.files import read_json
from stages.lib.results import Group, remedy

if TYPE_CHECKING:
    import pandas as pd

POINTS = 200  # of a curve; MLflow's SQL stores write them row by row
SPLITS = ("train_sample", "train", "validation", "test")
Curves = dict[str, "pd.Series[float]"]  # by metric; a curve's index is the step


@dataclass
class Purpose:
    """What a run is for: a tag and a line of Markdown for each of its questions, and the figures that show it."""

    tags: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    figures: set[Path] = field(default_factory=set)


@dataclass(frozen=True)
class Record:
    """One seed of a run. `seed_key` has its task, profile, run and seed; `key` a hash of its settings and data too.
    `digest` is a hash of all that MLflow is told; weights count by their size, as others have another history.
    """

    profile: Profile
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    run: str
    seed: int
    key: str
    seed_key: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    scores: dict[str, float]
    history_file: Path
    weights: Path | None
    figures: list[Path]
    digest: str

    @property
    def task(self) -> str:
        return str(self.config["task"])

    def history(self) -> "pd.DataFrame":
        """One row a step or epoch; none for a computed statement. Raises InputError where the file is damaged."""
        import pandas as pd

        if self.history_file.suffix == ".parquet":
            group = Group(self.history_file.parent, {})
            return pd.DataFrame() if group.histories is None else group.history(self.run, self.seed)
        try:
            return pd.read_csv(self.history_file).astype(float).astype({"step": int})
        except (OSError, ValueError, KeyError) as error:  # pandas' own errors are ValueErrors
            raise InputError(f"{self.history_file}: damaged ({reason(error)}); train the run again") from None


def read_records(profile: Profile, problems: list[str], study: bool = False) -> list[Record]:
    """Every seed of a profile that is on disk, or of the experiment under study alone. `problems` gains a line for each
    output that cannot be read.
    """
    file_digest.cache_clear()
    records: list[Record] = []
    evaluated: dict[tuple[str, str], tuple[Path, dict[str, Any]]] = {}
    purposes: Mapping[str, Purpose] = {}
    groups: dict[str, str] = {}
    if not study:
        evaluated = _evaluations(profile, problems)
        with noting(problems, "reports"):  # read as they stand: checking them takes seconds
            reports = load_reports(profile=profile)
            groups = {run: entry["group"] for run, entry in reports.section("runs").items()}
            purposes = _purposes(profile, reports)
    folders = Path("models", profile).glob(f"{STUDY}/{STUDY}" if study else "[!.]*/[!.]*")
    trained = {(folder.parent.name, folder.name): folder for folder in folders if folder.is_dir()}
    for group, run in _current({*evaluated, *trained}, groups):
        folder, (histories, scored) = trained.get((group, run)), evaluated.get((group, run), (Path(), {}))
        with noting(problems, folder or f"{histories.parent}/scores.json"):
            about = read_json(folder / "run.json") if folder else scored
            for seed in about["seeds"]:
                scores = _study_scores(profile, folder) if folder and run == STUDY else _scores(scored, about, seed)
                history = folder / f"seed-{seed}" / "history.csv" if folder else histories
                records.append(_record(profile, group, run, seed, about, scores, history, purposes.get(run, Purpose())))
    return records


def _current(found: set[tuple[str, str]], groups: Mapping[str, str]) -> list[tuple[str, str]]:
    """Groups and runs in order. A run that moved to another group leaves its old outputs behind: once it has new ones,
    those of the group that reports/ names are its record.
    """
    moved = {run for group, run in found if groups.get(run) == group}
    return sorted((group, run) for group, run in found if run not in moved or groups[run] == group)


def _record(
    profile: Profile,
    group: str,
    run: str,
    seed: str,
    about: Mapping[str, Any],
    scores: Mapping[str, float],
    history: Path,
    purpose: Purpose,
) -> Record:
    config, data, model = about["config"], about["data"], about["config"].get("model")
    stage = "train-study" if run == STUDY else f"train@{run}" if model else f"compute@{group}"
    seed_key = f"{config['task']}/{profile}/{run}/seed-{seed}"
    shaped = sha256(json.dumps([config, data.get("sha256")], sort_keys=True).encode())
    weights = history.with_name("weights.safetensors")
    note = [f"**{run}**, seed {seed}: {f'`{model}` trained on' if model else 'computed from'} {data['name']}.", ""]
    note += ["- Its settings: `dvc exp apply <name of this run>`"] if run == STUDY else []
    note += [f"- Remake it: {remedy(profile, stage)}"]
    note += [f"- Use it: `python -m stages.predict --profile {profile} --run {run} …`"] if model else []
    tags = {"profile": profile, "group": group, "run": run, "data": data["name"], **purpose.tags, "dvc.stage": stage}
    tags |= {"mlflow.source.name": stage, "mlflow.source.type": "LOCAL"}
    if commit := about["seeds"][seed].get("provenance", {}).get("commit"):
        tags["mlflow.source.git.commit"] = commit
    tags |= {"mlflow.note.content": "\n".join([*note, *purpose.lines])}
    measured = {"train.seconds": about["seeds"][seed].get("seconds"), **scores}
    fields: dict[str, Any] = {
        "key": f"{seed_key}/{shaped[:12]}",
        "seed_key": seed_key,
        "params": flat(
            {**config, "precision": about.get("precision"), "parameters": about.get("parameters") or None, "seed": seed}
        ),
        "tags": tags,
        "scores": {name: value for name, value in measured.items() if value is not None and math.isfinite(value)},
        "figures": sorted(purpose.figures),
    }
    files = [file_digest(path) for path in (history, *fields["figures"])]
    told = [{**fields, "figures": files}, weights.is_file() and weights.stat().st_size]
    return Record(
        *(profile, config, data, run, int(seed)),
        **fields,
        name=(os.environ.get("DVC_EXP_NAME") if run == STUDY else None) or f"{run} seed {seed}",
        history_file=history,
        weights=weights if weights.is_file() else None,
        digest=sha256(json.dumps(told, sort_keys=True).encode())[:32],
    )


def flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """Nested settings under their own names, of which none is used twice, as text; without those that are not set."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        found |= flat(value) if isinstance(value, Mapping) else {} if value in (None, "", []) else {key: str(value)}
    return found


def _evaluations(profile: Profile, problems: list[str]) -> dict[tuple[str, str], tuple[Path, dict[str, Any]]]:
    """By group and run: the file of its histories, and its entry in scores.json with the group's data."""
    found = {}
    for path in [path for folder in _results(profile) for path in sorted(folder.glob("evaluations/[!.]*/scores.json"))]:
        with noting(problems, path):
            content = read_json(path)
            for run, entry in content["runs"].items():
                found[path.parent.name, run] = path.with_name("histories.parquet"), {"data": content["data"], **entry}
    return found


def _results(profile: Profile) -> list[Path]:
    """Where results are; of what is in several, the last one counts."""
    return [*([Path("docs", "results")] if profile == "full" else []), Path("metrics", profile)]


def _scores(scored: Mapping[str, Any], about: Mapping[str, Any], seed: str) -> dict[str, float]:
    """The scores of one seed, unless it was trained again since."""
    entry = scored.get("seeds", {}).get(seed, {})
    same = all(scored.get(key) == about[key] for key in ("config", "data"))
    return entry.get("scores", {}) if same and about["seeds"][seed].items() <= entry.items() else {}


def _study_scores(profile: Profile, folder: Path) -> dict[str, float]:
    """The scores in study.json, unless the model is newer."""
    path = Path("metrics", profile, "study.json")
    if not path.is_file() or path.stat().st_mtime < (folder / "run.json").stat().st_mtime:
        return {}
    splits = {split: scores for split, scores in read_json(path).items() if isinstance(scores, dict)}
    return {f"{split}.{metric}": value for split, scores in splits.items() for metric, value in scores.items()}


def _purposes(profile: Profile, reports: Reports) -> dict[str, Purpose]:
    """Questions, their verdicts and figures, by run."""
    found: defaultdict[str, Purpose] = defaultdict(Purpose)
    questions, figures = (reports.section(section) for section in ("questions", "figures"))
    results = next((folder for folder in _results(profile)[::-1] if (folder / "claims.json").is_file()), Path())
    claims = read_json(results / "claims.json")["claims"] if results.name else {}
    for name, question in questions.items():
        shown = {figure: figures[figure]["runs"] for figure in question.get("figures") or {name} & {*figures}}
        others = [entry for kind in ("readings", "alternatives") for entry in question.get(kind, {}).values()]
        runs = {name, *_words(question), *(run for labels in shown.values() for run in labels)}
        runs |= {run + entry["suffix"] for entry in others if "suffix" in entry for run in runs}
        verdict = claims.get(name, {}).get("verdict") or "no verdict"
        words = [f"- **{name}** (report {question['report']}): {question['title']}", verdict]
        words += filter(None, [claims.get(name, {}).get("found")])
        for run in runs:
            found[run].tags[f"question.{name}"] = verdict
            found[run].lines.append(" — ".join(words))
        for figure, labels in shown.items():
            path = results / "figures" / f"{figure}.svg"
            for run in labels if path.is_file() else ():
                found[run].figures.add(path)
    return found


def _words(entry: Any) -> set[str]:
    """Every key and text of an entry; the ids of its runs are among them."""
    if isinstance(entry, Mapping):
        return {*entry, *_words([*entry.values()])}
    if isinstance(entry, list):
        return {word for value in entry for word in _words(value)}
    return {entry} if isinstance(entry, str) else set()


def curves(history: "pd.DataFrame") -> Curves:
    """The finite values of each column by step, in the single precision that evaluations keep: a history.csv and its
    published evaluation give the same. Names are those of scores: validation_mse → validation.mse. A constant learning
    rate is a parameter and no curve.
    """
    import numpy as np

    found: Curves = {}
    table = history.rename(columns={"lr": "train_lr"}).drop(columns=["epoch", "run", "seed"], errors="ignore")
    for column, values in (table.set_index("step") if len(table) else table).items():
        split = next((split for split in SPLITS if column.startswith(f"{split}_")), None)
        curve = values.astype(np.float32)
        curve = curve[np.isfinite(curve)]
        if len(curve) and (column != "train_lr" or curve.nunique() > 1):
            found[f"{split}.{column.removeprefix(f'{split}_')}" if split else column] = curve
    return found


def thinned(curve: "pd.Series[float]", growing: bool = False) -> "pd.Series[float]":
    """At most POINTS: every 2ⁿ-th, and the last of a complete curve. A shorter curve already has the same ones."""
    stride = 2 ** max(0, math.ceil(math.log2(max(1, len(curve)) / (POINTS - 1))))
    places = [*range(0, len(curve), stride)]
    return curve.iloc[places if growing or (len(curve) - 1) % stride == 0 else [*places, len(curve) - 1]]


def states(records: Sequence[Record]) -> dict[str, str]:
    """For each task, a hash of its records but the experiment under study: its best model follows from them."""
    digests: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.run != STUDY:
            digests[record.task].append(record.digest)
    return {task: sha256("".join(found).encode())[:32] for task, found in digests.items()}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def file_digest(path: Path) -> str:
    return sha256(path.read_bytes()) if path.is_file() else ""


def reason(error: BaseException | str) -> str:
    """An error in one line."""
    text = f"{error} is missing" if isinstance(error, KeyError) else getattr(error, "strerror", None) or str(error)
    return " ".join(text.partition("[SQL:")[0].split())[:300] or type(error).__name__


@contextmanager
def noting(problems: list[str], what: object) -> Iterator[None]:
    """A damaged output becomes a line in `problems`, and the others are read."""
    try:
        yield
    except InputError as error:
        problems.append(str(error))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        problems.append(f"{what}: damaged ({reason(error)})")

"""A small study on sentence pairs: stored evaluations with known differences, and nothing trained."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import IDENTITY, write_params, write_reports, write_yaml

from stages.lib.config import Reports, load_reports
from stages.lib.files import read_yaml
from stages.lib.results import group_folder, write_group
from stages.tasks.sts import scoring

EXAMPLES = 400

#: What a question of a report has, besides its checks.
QUESTION = {"report": "A", "title": "Which?", "quote": "甲", "translation": "first", "reported": "A is lower."}


class Study:
    """A project folder with reports/ and stored evaluations of its profile `full`."""

    def __init__(self, root: Path, profile: str = "full") -> None:
        self.root, self.profile = root, profile
        self.sections: dict[str, Any] = {"sources": {"A": {"title": "report A", "tasks": "pairs"}}}
        self.runs: dict[str, dict[str, Any]] = {}
        self.predictions: dict[str, list[np.ndarray]] = {}
        self.curves: dict[str, list[dict[str, Any]]] = {}
        self.targets = np.random.default_rng(0).uniform(0, 5, EXAMPLES)

    def add(
        self,
        run: str,
        errors: Sequence[float] = (),
        curves: Sequence[Mapping[str, Any]] = (),
        random: int = 1,
        **settings: Any,
    ) -> "Study":
        """A run whose seeds have these root mean squared errors, with independent errors of its predictions; or, where
        only `curves` matter, those histories.
        """
        generator = np.random.default_rng([random, len(self.runs)])
        self.runs[run] = {"seeds": max(len(errors), len(curves), 1)} | settings
        self.predictions[run] = [self.targets + generator.normal(0, error, EXAMPLES) for error in errors]
        self.curves[run] = [dict(curve) for curve in curves]
        return self

    def ask(self, *checks: Mapping[str, Any], name: str = "q", **fields: Any) -> "Study":
        self.sections.setdefault("questions", {})[name] = QUESTION | fields | {"checks": [dict(c) for c in checks]}
        return self

    def write(self, without: Sequence[str] = (), outcomes: bool = True, sample: bool = False) -> Reports:
        """reports/, and the evaluations of every run that is not in `without`."""
        write_reports(self.root, self.runs, **self.sections)
        reports = load_reports(self.root)
        scored: dict[str, Any] = {}
        tables: dict[str, list[pd.DataFrame]] = {"outcomes": [], "histories": []}
        trivial = scoring.trivial(self.targets.tolist())
        for run in self.runs:
            if run in without:
                continue
            seeds: dict[str, Any] = {}
            for seed in range(self.runs[run]["seeds"]):
                scores: dict[str, float] = {}
                if self.predictions[run]:
                    predictions = self.predictions[run][seed]
                    for split in ("validation", "test"):
                        found = scoring.scores(predictions.tolist(), self.targets.tolist())
                        scores |= {f"{split}.{metric}": value for metric, value in found.items()}
                        rows = scoring.outcomes(predictions.tolist(), self.targets.tolist())
                        tables["outcomes"].append(rows.assign(run=run, seed=seed, split=split, example=range(EXAMPLES)))
                if self.curves[run]:
                    tables["histories"].append(pd.DataFrame(self.curves[run][seed]).assign(run=run, seed=seed))
                seeds[str(seed)] = {"scores": scores, "seconds": 10.0 * (seed + 1)}
            scored[run] = {
                "config": reports.run(run, self.profile).parameters(),
                "parameters": 10,
                "trivial": {f"{split}.{key}": v for split in ("validation", "test") for key, v in trivial.items()}
                if self.predictions[run]
                else {},
                "seeds": seeds,
            }
        if not outcomes:
            tables["outcomes"] = []
        data = {"name": "pairs", "sample": sample, "sha256": "0", "bytes": 1}
        content = {"group": IDENTITY["group"], "task": "sts", "data": data, "runs": scored}
        write_group(group_folder(self.profile, IDENTITY["group"], self.root), content, tables)
        return reports


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """An empty study in a folder of its own, which is the working directory."""
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Study(tmp_path)


@pytest.fixture
def judged(study: Study) -> Callable[..., dict[str, Any]]:
    """The claims of a study as it stands."""
    from stages.report.judging import judge_all

    def claims(**how: Any) -> dict[str, Any]:
        return judge_all(study.profile, study.write(**how), study.root)["claims"]

    return claims


def change_params(root: Path, profile: str, **changes: Any) -> None:
    path = root / ("params.yaml" if profile == "sample" else "full/params.yaml")
    write_yaml(path, read_yaml(path) | changes)

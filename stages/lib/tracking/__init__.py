"""Tell MLflow what was trained, without making training wait for it or depend on it.

A stage drops what MLflow should know into outbox/ (files only, no import of mlflow, which costs seconds in every
process), and a later call of `send` empties the outbox through stages/tracking/sender.py in a process of its own. A
dead or slow server can therefore neither stop a training nor shift its random numbers: the outbox waits, and the next
stage tries again. history.csv in the model folder stays the truth. What MLflow gets of it: to_mlflow.py, beside this.
"""

import hashlib
import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stages.lib.files import ROOT, write_json
from stages.lib.tracking.outbox import environment, new_entry, outcome, place, quietly, sender_command, waiting, warn

Row = Mapping[str, float | None]


@dataclass(frozen=True)
class Training:
    """One training run, as MLflow is told about it.

    `about` is the content of the model folder's run.json: config (with its task), data (name, sample, sha256, bytes)
    and plain values such as parameters or precision. `source` is the path of the training tensors from the project
    root. `facts` are the data's facts that the task builds its network from. `signature` gives the network's inputs by
    name and its output as (dtype, shape), with -1 where a size is free:
    {"inputs": {"first": ("int64", (-1, -1))}, "output": ("float32", (-1,))}; without these two no model is logged.
    """

    profile: str
    group: str
    run: str
    seed: int
    about: Mapping[str, Any]
    stage: str
    source: str = ""
    facts: Mapping[str, Any] | None = None
    signature: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        return study_key(self.profile, self.run, self.seed, self.about)

    @cached_property
    def content(self) -> dict[str, Any]:
        """Everything but the files, as it goes into the outbox."""
        plain = {k: v for k, v in self.about.items() if isinstance(v, str | int | float) and k != "run"}
        return {
            "key": self.key,
            "name": f"{self.run} seed {self.seed}",
            "params": {**flat(self.about["config"]), **flat(plain), "seed": str(self.seed), "profile": self.profile},
            "tags": {
                "study.key": self.key,
                "study.profile": self.profile,
                "study.group": self.group,
                "study.run": self.run,
                "study.data": self.about["data"]["name"],
                "dvc.stage": self.stage,
                "mlflow.source.name": self.stage,
                "mlflow.source.type": "LOCAL",
                **_git_tags(),
            },
            "data": {**self.about["data"], "source": self.source},
            "signature": self.signature,
        }


def study_key(profile: str, run: str, seed: int, about: Mapping[str, Any]) -> str:
    """Names one training for good: task, profile, run, seed, and a hash of the config and data in run.json."""
    content = json.dumps([about["config"], about["data"]["sha256"]], sort_keys=True, default=str)
    return f"{about['config']['task']}/{profile}/{run}/seed-{seed}/{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested keys joined with dots and every value as text: what MLflow takes for parameters."""
    result = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            result.update(flat(value, f"{prefix}{key}."))
        else:
            result[prefix + key] = str(value)
    return result


def record(
    training: Training,
    history: Path,
    weights: Path | None = None,
    started: float | None = None,
    status: str = "FINISHED",
) -> None:
    """Put a finished training into the outbox: history.csv (copied) and its weights (linked, or copied).

    Call it when both files are in place. `started` is seconds since 1970. The files may vanish afterwards, as those in
    DVC's temporary experiment folders do.
    """
    with quietly(), new_entry("run", training.key) as folder:
        shutil.copyfile(history, folder / "history.csv")
        if weights is not None and training.facts is not None and training.signature is not None:
            (folder / "model").mkdir()
            _link(weights, folder / "model" / "weights.safetensors")
            write_json(folder / "model" / "run.json", training.about)
            write_json(folder / "model" / "facts.json", training.facts)
        write_json(folder / "entry.json", {"kind": "run", **training.content, **_times(started), "status": status})


def record_scores(key: str, scores: Mapping[str, float]) -> None:
    """Add an evaluation's scores, such as {"validation.mse": 1.4}, to the run that `study_key` names."""
    with quietly(), new_entry("scores", key) as folder:
        found = {name: value for name, value in scores.items() if _finite(value) is not None}
        write_json(folder / "entry.json", {"kind": "scores", "key": key, "scores": found, **_times(None)})


def record_plots(key: str, plots: Sequence[Path]) -> None:
    """Add figure files to the run that `study_key` names; a file that does not exist is left out."""
    with quietly(), new_entry("plots", key) as folder:
        (folder / "plots").mkdir()
        for plot in plots:
            if plot.exists():
                shutil.copyfile(plot, folder / "plots" / plot.name)
        write_json(folder / "entry.json", {"kind": "plots", "key": key, **_times(None)})


def send(max_seconds: float = 60.0) -> None:
    """Empty the outbox into MLflow; what cannot be sent stays, with one line of warning. Raises nothing for it."""
    if not waiting():
        return
    try:
        done = subprocess.run(  # the process has its own alarm; this limit is for when even that hangs
            sender_command(max_seconds),
            env=environment(),
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=max_seconds + 30,
        )
        warn(outcome(done.stdout, done.stderr))
    except subprocess.TimeoutExpired:
        warn(f"cannot be reached (no answer within {max_seconds + 30:.0f} s)")
    except OSError as error:
        warn(f"cannot be reached ({error})")


class Tracker:
    """Live curves of a long training: after `interval` seconds, and then once in as many, the curve so far is sent.

    The sending runs beside the training at low priority. A training shorter than `interval` pays nothing but a look
    at the clock.
    """

    def __init__(self, training: Training, interval: float = 300.0) -> None:
        self.training = training
        self.interval = interval
        self.started = time.time()
        self._due = time.monotonic() + interval
        self._folder = place("live", training.key)
        self._sender: subprocess.Popen[str] | None = None
        self._warned = False

    def update(self, rows: Sequence[Row], total: int) -> None:
        """Call after any step. `rows` are the history so far, `total` the number of rows it will have at most."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self.interval
        if self._sender is not None and self._sender.poll() is None:
            return
        self._reap()
        try:
            self._write(rows, total, "RUNNING")
            self._sender = subprocess.Popen(
                sender_command(self.interval, "--nice"),
                env=environment(),
                cwd=ROOT,
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            self._complain(f"cannot be told about this training ({error})")

    def finish(self, history: Path, weights: Path | None = None) -> None:
        """`record` the finished training; nothing more is sent live."""
        self._stop()
        record(self.training, history, weights, self.started)

    def fail(self, rows: Sequence[Row]) -> None:
        """Keep the curve of a training that cannot go on, marked as failed."""
        self._stop()
        if rows:
            with quietly():
                self._write(rows, len(rows), "FAILED")

    def _write(self, rows: Sequence[Row], total: int, status: str) -> None:
        # One file, replaced as a whole: a sender that reads it meanwhile sees the old curve or the new one.
        times = {**_times(self.started), "status": status, "total": total}
        columns = list(dict.fromkeys(name for row in rows for name in row))
        history = [columns, *([_finite(row.get(name)) for name in columns] for row in rows)]
        write_json(self._folder / "entry.json", {"kind": "run", **self.training.content, **times, "history": history})

    def _reap(self) -> None:
        if self._sender is not None:
            self._complain(outcome(self._sender.communicate()[0], ""))
            self._sender = None

    def _complain(self, problem: str | None) -> None:
        if not self._warned:
            self._warned = warn(problem)

    def _stop(self) -> None:
        if self._sender is not None:
            try:
                self._sender.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._sender.kill()
            self._sender.communicate()
            self._sender = None
        shutil.rmtree(self._folder, ignore_errors=True)


def _finite(value: float | None) -> float | None:
    """JSON knows no NaN."""
    return value if value is not None and math.isfinite(value) else None


def _times(started: float | None) -> dict[str, int]:
    """Milliseconds since 1970, as MLflow counts."""
    now = time.time()
    return {"started": int(1000 * (started or now)), "recorded": int(1000 * now)}


def _link(source: Path, target: Path) -> None:
    # Weights are only ever replaced, never written into, so a second name for the same bytes is as good as a copy.
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _git_tags() -> dict[str, str]:
    """The commit, and whether the files that shape a result differ from it; empty outside of Git."""
    git = ["git", "-C", str(ROOT)]
    paths = ["stages", "params.yaml", "reports.yaml", "dvc.yaml", "requirements.lock"]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        status = [*git, "status", "--porcelain", "--", *paths]
        changed = subprocess.run(status, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"mlflow.source.git.commit": commit, "git.changed": "true" if changed else "false"}

"""Write the results of the real study into README.md and docs/: `python -m stages.report.summary`.

A block starts with a comment that says what it shows, and ends with `<!-- /results -->`:

    <!-- results {task: sts} -->      the statements of a task with their verdicts
    <!-- results [{task: …, reported: …, run: …, metric: …, name: …}, …] -->      verdict counts; a row an entry

What is between the two comments is replaced. Reads metrics/full alone.
"""

import argparse
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stages.lib.config import load_reports
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.files import read_json, write_text
from stages.lib.results import Group, read_group
from stages.report.verdicts import obstacles

BLOCK = re.compile(r"(<!-- results\b(.*?)-->\n).*?(<!-- /results -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    claims = read_json(Path("metrics", "full", "claims.json"))
    for path in [Path("README.md"), *sorted(Path("docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        if (new := filled(text, path, claims)) != text:
            write_text(path, new)
            print(path)


def filled(text: str, path: Path, judged: Mapping[str, Any], root: Path = Path()) -> str:
    """The text of a page with its blocks filled. Raises InputError for a comment that is not understood."""

    def fill(block: re.Match[str]) -> str:
        line = text[: block.start()].count("\n") + 1
        try:
            wanted = yaml.safe_load(block[2])
        except yaml.YAMLError:
            wanted = None
        if isinstance(wanted, dict) and set(wanted) == {"task"}:
            content = statements(judged, wanted["task"], "results/index.html")
        elif isinstance(wanted, list) and all(isinstance(entry, dict) for entry in wanted):
            content = f"{counts(judged)}\n\n{best(wanted, root)}"
        else:
            raise InputError(f"{path}, line {line}: expected `results {{task: …}}` or `results [{{task: …, …}}, …]`")
        return f"{block[1]}{content}\n{block[3]}"

    return BLOCK.sub(fill, text)


def counts(judged: Mapping[str, Any]) -> str:
    """How often each verdict was given."""
    given = [f"{count} {word}" for word, count in judged["verdicts"].items()]
    if reasons := obstacles(judged["claims"].values()):
        place = list(judged["verdicts"]).index("inconclusive")
        given[place] += f" ({reasons})"
    return f"{sum(judged['verdicts'].values())} statements and questions of our own: {'; '.join(given)}."


def best(entries: Sequence[Mapping[str, Any]], root: Path = Path()) -> str:
    """A row an entry: task, the report's number, and the run's metric (`test.accuracy`, or a curve's last value,
    `train_loss`) as mean and standard deviation over seeds.
    """
    groups = load_reports(root).group_of
    lines = ["| task | the report's best | here | run |", "|---|---|---|---|"]
    for entry in entries:
        run, metric = entry["run"], entry["metric"]
        if run not in groups:
            raise InputError(f"results block: {run!r} is no run of reports/")
        values = _values(read_group("full", groups[run], root), run, metric)
        if not values:
            raise InputError(f"results block: {run} has no {metric}; `dvc repro full/dvc.yaml:evaluate@{groups[run]}`")
        spread = f" ± {statistics.stdev(values):.2g}, {len(values)} seeds" if len(values) > 1 else ", one seed"
        number = f"{entry['name']} {statistics.mean(values):.4g}{spread}"
        lines.append(f"| {entry['task']} | {entry['reported']} | {number} | {run} |")
    return "\n".join(lines)


def _values(group: Group, run: str, metric: str) -> list[float]:
    """A metric of each seed; of a curve, a name without a dot, the last value."""
    seeds = group.scores["runs"].get(run, {}).get("seeds", {})
    if "." in metric:
        return [seed["scores"][metric] for seed in seeds.values() if metric in seed["scores"]]
    histories = [group.history(run, int(seed)) for seed in seeds]
    return [float(history[metric].dropna().iloc[-1]) for history in histories if metric in history]


def statements(judged: Mapping[str, Any], task: str, page: str) -> str:
    """A row a statement of the task: id, what is asked, the verdict and what was found."""
    lines = ["| id | question | verdict | found |", "|---|---|---|---|"]
    for name, claim in judged["claims"].items():
        if claim["task"] == task:
            cells = [f"[{name}]({page}#{name})", claim["title"], f"**{claim['verdict']}**", claim["found"]]
            lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
    if len(lines) == 2:
        raise InputError(f"results block: no question is about the task {task!r}")
    return "\n".join(lines)


if __name__ == "__main__":
    run_stage(main)

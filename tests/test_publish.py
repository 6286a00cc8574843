"""Results of `full` are copied to docs/results and back, whole or in part."""

import sys
from pathlib import Path

import pytest
from conftest import BAD_IDS, write_reports

from stages import publish
from stages.lib.errors import InputError
from stages.publish import MADE, PUBLISHED, copy_results


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def made(project: Path) -> Path:
    """Results of two groups in metrics/full, and something that is none."""
    groups = {name: {"task": "sts", "model": "siamese_lstm"} for name in ("g", "h")}
    computed = {"counts": {"task": "sts", "data": "sts", "networks": ["layers", "siamese_lstm.py"]}}
    write_reports(project, {"a": {}, "b": {"group": "h"}}, groups=groups, computed=computed)
    folder = project / MADE
    for group in ("g", "counts"):
        write(folder, f"evaluations/{group}/scores.json", f"{group} 1")
        write(folder, f"evaluations/{group}/plot_samples/a.safetensors", "tensors")
    write(folder, "figures/f.svg", "figure 1")
    write(folder, "claims.json", "claims 1")
    write(folder, "index.html", "page 1")
    write(folder, "study.json", "of the experiment under study")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["publish", *words])
    publish.main()


def test_what_is_published_can_be_put_back(made: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(made)
    run(monkeypatch)
    published = files(project / PUBLISHED)
    assert published == {name: text for name, text in before.items() if name != "study.json"}
    for path in made.rglob("*"):
        if path.is_file():
            path.unlink()
    run(monkeypatch, "--restore")
    assert files(made) == published


def test_part_is_published_beside_what_is_there(made: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch)
    write(made, "evaluations/g/scores.json", "g 2")
    write(made, "evaluations/counts/scores.json", "counts 2")
    write(made, "claims.json", "claims 2")
    run(monkeypatch, "g")
    published = files(project / PUBLISHED)
    assert published["evaluations/g/scores.json"] == "g 2"
    assert published["evaluations/counts/scores.json"] == "counts 1"
    assert published["claims.json"] == "claims 1"


def test_a_published_evaluation_that_was_not_made_here_stays(
    made: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / PUBLISHED, "evaluations/h/scores.json", "from another machine")
    write(project / PUBLISHED, "evaluations/g/old.parquet", "of an earlier evaluation")
    run(monkeypatch)
    published = files(project / PUBLISHED)
    assert published["evaluations/h/scores.json"] == "from another machine"
    assert "evaluations/g/old.parquet" not in published
    assert not (made / "evaluations/h").exists()


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", [*BAD_IDS.values(), "none"])
def test_unknown_groups_are_refused_before_anything_is_written(project: Path, name: str) -> None:
    before = sorted(project.rglob("*"))
    with pytest.raises(InputError, match=r"reports/ has g, h, counts"):
        copy_results(MADE, PUBLISHED, ["g", name])
    assert sorted(project.rglob("*")) == before


def test_where_there_is_nothing_to_copy_nothing_is_deleted(made: Path, project: Path) -> None:
    before = files(made)
    with pytest.raises(InputError, match="docs/results holds no results to copy"):
        copy_results(PUBLISHED, MADE)
    with pytest.raises(InputError, match="metrics/full holds no results to copy"):
        copy_results(MADE, PUBLISHED, ["h"])
    assert files(made) == before
    assert not (project / PUBLISHED).exists()

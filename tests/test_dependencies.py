"""Each stage depends on what it reads and imports, and on nothing else; what a change makes stale, and what not.

Days of training hang on the dependencies of `train`: they are what shapes weights.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from conftest import write_yaml
from small_project import FIGURE, Project, environment, resolved_stages

from stages.lib.files import ROOT, read_yaml
from stages.lib.task import task_module, task_names

CODE = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "stages").rglob("*.py"))
NETWORKS = [path for path in CODE if re.fullmatch(r"stages/networks/\w+\.py", path) and "__init__" not in path]

#: Modules that stages use and that none depends on, with the reason why a change in it needs no stage to run again.
NEUTRAL = {
    r"stages/(.*/)?__init__\.py": "docstrings and exports; of stages itself, how often Python looks for garbage",
    r"stages/lib/errors\.py": "words of error messages",
    r"stages/lib/(entry_point|recovery)\.py": "how a command starts and ends",
    r"stages/lib/config(_model|_own|_params|_run)?\.py": "reads and checks settings, whose values are in the commands",
    r"stages/lib/files\.py": "how files are written, not what is in them",
    r"stages/lib/determinism\.py": "refuses operations, and changes none",
    r"stages/lib/memory\.py": "where freed tensors go",
    r"stages/lib/prediction\.py": "loads files and batches a split; a task's own code predicts",
    r"stages/lib/provenance\.py": "what is noted beside a result",
    r"stages/lib/results\.py": "how evaluations are laid out, for writers and readers alike",
    r"stages/lib/statements\.py": "the type of a computed statement",
    r"stages/lib/task\.py": "the interface of tasks",
    r"stages/lib/tracking/.*\.py": "what MLflow is told, beside the outputs",
}
#: Imports of one kind of stage that it needs no dependency for, with the reason.
NEEDLESS = {
    (
        "preprocess",
        r"stages/tasks/cifar10/training/images\.py",
    ): "classes and side of images, fixed by the data set",
    (
        "ingest",
        r"stages/tasks/cifar10/training/images\.py",
    ): "the side of images, fixed by the networks",
    ("compute", r"stages/networks/(fpn_cnn|fast_cnn|resnet18_224)\.py"): "networks of the task that are not timed",
    ("compute", r"stages/lib/text/.*"): "a statement takes only the names of files from its task's preparation",
    (
        "report",
        r"stages/(networks|lib/text)/.*|stages/lib/step_times\.py",
    ): "for evaluate and compute; the report takes METRICS from a task's scoring and the names of its statements",
}


def is_neutral(path: str) -> bool:
    return any(re.fullmatch(pattern, path) for pattern in NEUTRAL)


def is_needless(verb: str, path: str) -> bool:
    return any(verb == known and re.fullmatch(pattern, path) for known, pattern in NEEDLESS)


def is_covered(path: str, by: Iterable[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in by)


# ── Imports ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def imports(path: str) -> frozenset[str]:
    """The modules that a file imports anywhere in it, but for type checking; with the names taken from packages."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update([node.module, *(f"{node.module}.{name.name}" for name in node.names)])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    return frozenset(found)


@cache
def imported_files(path: str) -> frozenset[str]:
    """The files of this project that a file imports; of a package all that it exports from."""
    found = set()
    for module in imports(path):
        base = module.replace(".", "/")
        found |= {file for file in (f"{base}.py", f"{base}/__init__.py") if (ROOT / file).is_file()}
    return frozenset(found - {path})


def closure(
    roots: Iterable[str], leave_out: Callable[[str], bool] = lambda _: False, neutral: bool = False
) -> set[str]:
    """All files reached by imports from `roots`; `neutral`: through neutral modules as well, not only exports."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        path = waiting.pop()
        if path in found or leave_out(path):
            continue
        found.add(path)
        if neutral or not is_neutral(path) or path.endswith("__init__.py"):
            waiting += imported_files(path)
    return {path for path in found if not is_neutral(path)}


def files_of(*folders_or_files: str) -> list[str]:
    return [path for path in CODE if is_covered(path, folders_or_files)]


def stage_code(verb: str, task: str, model: str) -> set[str]:
    """The files that a stage runs: its own, the task's modules that it imports by name, and all that these import."""
    parts = {"preprocess": ["preparation"], "train": ["training"], "evaluate": ["training", "scoring"]}
    parts |= {"compute": ["statements"], "report": ["scoring", "statements", "training/options"]}
    parts |= {"ingest": ["ingestion"]}
    parts |= {"validate": ["preparation", "scoring", "statements", "training/options"]}
    roots = files_of(f"stages/{verb}", f"stages/{verb}.py")
    for name in [task] if task else task_names():
        roots += [file for part in parts.get(verb, []) for file in files_of(*task_paths(name, part))]
    if model:
        roots.append(f"stages/networks/{model}.py")
    # A task imports the networks of all its models; a run builds its own.
    others = {path for path in NETWORKS if path != f"stages/networks/{model}.py"} if model else set()
    return closure(roots, others.__contains__)


def task_paths(task: str, part: str) -> tuple[str, str]:
    return f"stages/tasks/{task}/{part}", f"stages/tasks/{task}/{part}.py"


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    return resolved_stages(ROOT)


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, Any]]:
    """The sections of reports/, merged."""
    merged: dict[str, dict[str, Any]] = {}
    for path in sorted((ROOT / "reports").glob("*.yaml")):
        for section, entries in read_yaml(path).items():
            if isinstance(entries, dict):
                merged.setdefault(section, {}).update(entries)
    return merged


@pytest.mark.pipeline
def test_every_stage_depends_on_the_code_it_runs(stages: dict[str, Any], reports: dict[str, dict[str, Any]]) -> None:
    missing, verbs = [], set()
    for name, stage in stages.items():
        verb = stage["words"][2].removeprefix("stages.")
        verbs.add(verb)
        item = name.partition("@")[2]
        entry = {"train": "runs", "evaluate": "groups", "compute": "computed"}.get(verb)
        about = reports[entry][item] if entry and item else {}
        task = item if verb == "preprocess" else about.get("task", "")
        if name in ("train-study", "evaluate-study", "validate"):
            # The study may be of any task, and has all networks among its dependencies; validate only refuses.
            continue
        code = stage_code(verb, task, about.get("model", ""))
        assert files_of(f"stages/{verb}", f"stages/{verb}.py"), verb
        missing += [
            f"{name}: {path}"
            for path in sorted(code)
            if not is_covered(path, stage["deps"]) and not is_needless(verb, path)
        ]
    assert verbs == {"validate", "download", "preprocess", "train", "evaluate", "compute", "plot", "report"}
    assert missing == []


@pytest.mark.pipeline
def test_no_stage_depends_on_code_it_does_not_run(stages: dict[str, Any]) -> None:
    """A dependency is a file or folder of which at least one file is run by a stage of its kind."""
    used: dict[str, set[str]] = {}
    for name, stage in stages.items():
        verb = stage["words"][2].removeprefix("stages.")
        for task in task_names():
            networks = [*getattr(task_options(task), "NETWORKS", ())] or [""]
            for model in networks:
                used.setdefault(verb, set()).update(stage_code(verb, task, model))
        code = [dep for dep in stage["deps"] if dep.startswith("stages/") and dep != "stages/download/catalogue.yaml"]
        needless = [dep for dep in code if not any(is_covered(path, [dep]) for path in used[verb])]
        if verb != "validate":
            assert needless == [], name


def test_ingesting_depends_on_the_code_it_runs() -> None:
    """Of each task, as own/data/pipeline.yaml says it for all."""
    named = read_yaml(ROOT / "own/data/pipeline.yaml")["stages"]["ingest"]["do"]["deps"]
    missing, used = [], set()
    for task in filter(task_options, task_names()):
        deps = [dep.replace("${item.task}", task) for dep in named]
        code = stage_code("ingest", task, "")
        missing += [path for path in sorted(code) if not is_covered(path, deps) and not is_needless("ingest", path)]
        used |= {dep for dep, of_task in zip(named, deps, strict=True) if any(is_covered(p, [of_task]) for p in code)}
    assert missing == []
    assert used == {dep for dep in named if dep.startswith("stages/")}


def test_the_users_pipelines_are_the_reports_own_on_other_data() -> None:
    """own/ has the stages of dvc.yaml, with the run's data set in place of its task's."""
    root, study, runs = (
        read_yaml(ROOT / path) for path in ("dvc.yaml", "own/pipeline.yaml", "own/reports/pipeline.yaml")
    )

    def moved(stage: Any, key: str, folder: str) -> Any:
        text = repr(stage).replace(f"data/${{profile}}/${{{key}task}}", f"data/${{profile}}/${{{key}data}}")
        return ast.literal_eval(text.replace("'${root}'", repr(folder)))

    for name in ("train", "evaluate", "figure"):
        assert runs["stages"][name] == moved(root["stages"][name], "item.", "../.."), name
    for name in ("train-study", "evaluate-study"):
        mine, theirs = study["stages"][name], moved(root["stages"][name], "", "${root}")
        (params,), (others,) = (stage.pop("params")[0].values() for stage in (mine, theirs))
        # A data set as well, and the settings of all networks, since `default` names none.
        assert {*params} - {*others} == {"data", "networks"}
        assert {*others} - {*params} == {"networks.${model}"}
        assert mine == theirs, name
    mine, theirs = runs["stages"]["report"], moved(root["stages"]["report"], "", "../..")
    assert {*theirs["deps"]} - {*mine["deps"]} == {"reports", "metrics/${profile}/figures"}
    assert {key: mine[key] for key in ("cmd", "outs", "wdir")} == {key: theirs[key] for key in ("cmd", "outs", "wdir")}


@cache
def task_options(task: str) -> Any:
    return task_module(task, "training.options") if files_of(f"stages/tasks/{task}/training") else None


def test_training_imports_no_library_of_preparation_or_scoring() -> None:
    """pandas, scipy and scikit-learn take a second to import, and none of them shapes a weight."""
    # In one process, which imports torch once: the first line of more than a task names the one that imports too much.
    code = """
import sys
import stages.train.trainer
from stages.lib.task import get_task
for task in sys.argv[1:]:
    get_task(task)
    print(task, *{name.partition('.')[0] for name in sys.modules} & {'pandas', 'scipy', 'sklearn', 'mlflow'})
"""
    trained = [task for task in task_names() if task_options(task) is not None]
    assert len(trained) > 1
    command = [sys.executable, "-c", code, *trained]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == trained


def test_stages_know_no_task_by_name() -> None:
    """A new task needs no change outside its own modules, samples and YAML."""
    for path in CODE:
        if path.startswith(("stages/tasks/", "stages/download/samples/")):
            continue
        text = (ROOT / path).read_text(encoding="utf-8")
        names = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
        assert not names & set(task_names()), path
        assert not re.search(r"\btask(_name)?\s*(==|!=|in\b)\s*[\"'(\[{]", text), path
        assert not any(name.startswith(f"stages.tasks.{task}") for task in task_names() for name in imports(path)), path


def test_networks_import_torch_alone() -> None:
    """And pytorch-crf, which is a torch module and nothing else."""
    for path in files_of("stages/networks"):
        outside = {name.partition(".")[0] for name in imports(path) if not name.startswith("stages.networks")}
        # Report A compares with torchvision's own ResNet-18, so that one network is torchvision's.
        also = {"torchvision"} if path.endswith("resnet18_224.py") else set()
        assert outside <= {"torch", "torchcrf", *also, *sys.stdlib_module_names}, path


def test_imports_run_one_way() -> None:
    """stages → tasks → networks, lib. lib/config knows the settings of a training, and tracking what a task takes."""
    for path in files_of("stages/tasks"):
        task = path.split("/")[2]
        allowed = (f"stages.tasks.{task}", "stages.networks", "stages.lib")
        used = {name for name in imports(path) if name.startswith("stages.")}
        assert all(name.startswith(allowed) for name in used), (path, used)
        assert not any(name.startswith(("stages.lib.config.", "stages.lib.tracking")) for name in used), path
    for path in files_of("stages/networks"):
        assert all(name.startswith("stages.networks") for name in imports(path) if name.startswith("stages.")), path
    for path in files_of("stages/lib"):
        used = {name for name in imports(path) if name.startswith("stages.") and not name.startswith("stages.lib")}
        assert used <= {"stages.train.settings", "stages.train.settings.Settings"}, (path, used)


# ── Files that the stages of a small project open ─────────────────────────────────────────────────────────────────────

#: Files that a stage opens and that no output of it depends on, with the reason.
SHAPES_NOTHING = {
    r"stages/(.*/)?__pycache__/.*": "compiled from the modules",
    r"watch/.*": "this test's own",
    r"\.git/.*|\.dvc/.*|mlflow\.db": "for provenance and MLflow",
    r"models/\.resume/.*": "a killed training's own state",
    r"(full/)?dvc\.lock": "looked at for the traces of a killed DVC",
}
#: What a stage reads although its command, or another dependency, already says all that matters of it.
READ_ELSEWHERE = {
    ("preprocess", "reports"): "the task's entry, which the command carries",
    ("train", "reports"): "the run's entry, which the command carries",
    ("train", "params.yaml"): "the limits, which the command carries",
    ("evaluate", "reports"): "the runs of the group, whose models are dependencies",
    ("evaluate", "params.yaml"): "the limits, which went into the models",
    ("compute", "params.yaml"): "the limits, which the command carries",
    ("compute", "reports"): "the group's entry, which the command carries",
    ("plot", "reports"): "the figure's entry, which the command carries",
    ("report", "params.yaml"): "the limits of the runs, which went into the evaluations",
    ("report", "models"): "for MLflow",
    ("report", "data"): "for MLflow",
    ("evaluate", "metrics"): "for MLflow",
    ("validate", "full/params.yaml"): "the other pipeline's parameters, of which a change makes its own validate stale",
}


@pytest.mark.pipeline
def test_every_stage_depends_on_the_files_it_opens(reproduced: Project) -> None:
    missing, verbs = [], set()
    watched = reproduced.watched()
    for name, stage in resolved_stages(reproduced.folder).items():
        words = stage["words"][2:]
        content = next((content for content in watched if content["words"] == words), None)
        assert content, f"{name} was not run"
        verb = words[0].removeprefix("stages.")
        verbs.add(verb)
        read = [path for path in content["opened"] if (reproduced.folder / path).is_file()]
        read = [path for path in read if not path.endswith(".py")]
        read = [path for path in read if not any(re.fullmatch(rule, path) for rule in SHAPES_NOTHING)]
        elsewhere = [path for known, path in READ_ELSEWHERE if known == verb]
        named = {*stage["deps"], *stage["params"], *stage["outs"], *elsewhere}
        missing += [f"{name}: {path}" for path in sorted(read) if not is_covered(path, named)]
    assert verbs == {"validate", "download", "preprocess", "train", "evaluate", "compute", "plot", "report"}
    assert missing == []


@pytest.mark.pipeline
def test_every_import_of_a_stage_was_seen_by_reading_its_code(reproduced: Project) -> None:
    """The static closure above misses nothing that Python imports when stages run."""
    for content in reproduced.watched():
        verb = content["words"][0].removeprefix("stages.")
        code = stage_code(verb, "sts" if verb in ("preprocess", "train", "evaluate", "compute") else "", "")
        code |= closure(filter(is_neutral, CODE), neutral=True)
        unseen = [path for path in content["imported"] if path.startswith("stages/") and path not in code]
        unseen = [path for path in unseen if not is_neutral(path) and not path.endswith("__main__.py")]
        assert unseen == [], content["words"]


def test_every_knob_of_the_study_is_one_that_it_depends_on() -> None:
    params = read_yaml(ROOT / "params.yaml")
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    for name in ("train-study", "evaluate-study"):
        (named,) = stages[name]["params"][0].values()
        # Where the repository is, and the profile, are in the command and the paths.
        assert {one.partition(".")[0] for one in named} == set(params) - {"profile", "root", "params"}
        assert {one for one in named if "." in one} == {"networks.${model}", "options.${task}"}


def test_both_pipelines_have_one_definition() -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    copy = text.replace("\n  - reports/", "\n  - ../reports/")
    assert (ROOT / "full" / "dvc.yaml").read_text(encoding="utf-8") == copy, "run `make full/dvc.yaml`"
    listed = {Path(name).name for name in read_yaml(ROOT / "dvc.yaml")["vars"]}
    assert listed == {path.name for path in (ROOT / "reports").glob("*.yaml")}
    sample, full = (read_yaml(ROOT / name) for name in ("params.yaml", "full/params.yaml"))
    assert set(sample) == set(full)


# ── What a change makes stale ─────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def hashed_once() -> Iterator[None]:
    """DVC builds each file or folder once, and not again for every stage that depends on it. Nothing may change."""
    import dvc.output
    from fsspec.implementations.memory import MemoryFileSystem

    build, built = dvc.output.build, {}

    def build_once(odb: Any, path: str, *others: Any, dry_run: bool = False, **options: Any) -> Any:
        key = path, dry_run
        if key not in built:
            built[key] = build(odb, path, *others, dry_run=dry_run, **options)
        return built[key]

    with mock.patch("dvc.output.build", build_once):
        yield
    # DVC keeps every folder that it has seen here, and looks through all of them for each further one.
    MemoryFileSystem.store.clear()


class Checkout:
    """A copy of this checkout in which every stage counts as run: its outputs are stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("stages", ".dvc/plots"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".dvc/config"):
            shutil.copyfile(ROOT / name, folder / name)
        # Without the anchors of the originals, a change of one entry is one of no other.
        for path in (ROOT / "reports").glob("*.yaml"):
            write_yaml(folder / "reports" / path.name, read_yaml(path))
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True, env=environment(folder))
        from dvc.repo import Repo

        with chdir(folder):
            self.repo = Repo()
        self._record()

    def _record(self) -> None:
        with chdir(self.folder), self.repo.lock, hashed_once():
            stages = list(self.repo.index.stages)
            for out in (out for stage in stages for out in stage.outs):
                path = Path(out.fs_path)
                file = path if path.suffix in (".csv", ".html", ".json", ".png", ".svg", ".txt") else path / "content"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(out.def_path)
            for stage in stages:
                stage.save()
                stage.commit()
            stages[0].dvcfile.dump_stages(stages, update_pipeline=False)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Meanwhile DVC resolves dvc.yaml only where stale() tells it to."""
        from dvc.repo import lock_repo

        with chdir(self.folder), lock_repo(self.repo):
            yield
        self.repo.close()

    def stale(self, *changes: tuple[str, Callable[[Any], Any] | None]) -> set[str]:
        """The stages that DVC would run for changes of files: YAML by a function, others by a line at their end."""
        before = {name: (self.folder / name).read_bytes() for name, _ in changes}
        resolved_anew = any(name.endswith(".yaml") for name in before)
        try:
            for name, change in changes:
                path = self.folder / name
                if change is None:
                    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
                else:
                    content = read_yaml(path)
                    change(content)
                    write_yaml(path, content)
            if resolved_anew:
                self.repo._reset()
            with hashed_once():
                return set(self.repo.status())
        finally:
            for name, content in before.items():
                (self.folder / name).write_bytes(content)
            if resolved_anew:
                self.repo._reset()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    with checkout.locked():
        yield checkout


def trained(stale: set[str]) -> set[str]:
    return {name for name in stale if name.startswith("train")}


def trainings(reports: dict[str, Any], **about: str) -> set[str]:
    """Stages of the runs with this task or model, or of all."""
    runs = reports["runs"].items()
    return {f"train@{name}" for name, run in runs if all(run[key] == value for key, value in about.items())}


@pytest.mark.pipeline
def test_nothing_is_stale_at_first(checkout: Checkout) -> None:
    assert checkout.stale() == set()


@pytest.mark.pipeline
def test_what_shapes_no_weight_leaves_every_training_up_to_date(checkout: Checkout) -> None:
    code = [path for path in CODE if not path.startswith(("stages/train/", "stages/networks/"))]
    code = [path for path in code if not re.match(r"stages/tasks/\w+/training/", path)]
    stale = checkout.stale(*((path, None) for path in code))
    assert trained(stale) == set()
    assert {"validate", "report"} <= stale
    assert any(name.startswith("evaluate@") for name in stale)


def set_at(*keys: str, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.pipeline
def test_words_of_questions_and_figures_train_nothing(checkout: Checkout) -> None:
    stale = checkout.stale(
        ("reports/sts.yaml", set_at("questions", FIGURE, "title", value="Another title")),
        ("reports/cifar10.yaml", set_at("departures", value={})),
        ("reports/common.yaml", set_at("sources", "A", "title", value="Another title")),
    )
    assert stale == {"validate", "report"}
    stale = checkout.stale(("reports/sts.yaml", set_at("figures", FIGURE, "title", value="Another title")))
    assert stale == {"validate", "report", f"figure@{FIGURE}"}


@pytest.mark.pipeline
def test_a_change_of_a_run_trains_it_alone(checkout: Checkout) -> None:
    stale = checkout.stale(("reports/sts.yaml", set_at("runs", "A-sts-lr-0.01", "lr", value=0.02)))
    assert stale == {"validate", "report", "train@A-sts-lr-0.01"}
    added = {"group": "A-sts-lr", "task": "sts", "model": "siamese_lstm", "lr": 0.1}
    stale = checkout.stale(("reports/sts.yaml", set_at("runs", "A-sts-lr-0.1", value=added)))
    assert stale == {"validate", "report", "train@A-sts-lr-0.1"}


@pytest.mark.pipeline
def test_code_that_shapes_weights_trains_the_runs_that_it_shapes(
    checkout: Checkout, reports: dict[str, dict[str, Any]]
) -> None:
    every = {*trainings(reports), "train-study"}
    assert trained(checkout.stale(("stages/train/optimizers.py", None))) == every
    assert trained(checkout.stale(("stages/networks/layers/packed_lstm.py", None))) == every
    of_sts = {*trainings(reports, task="sts"), "train-study"}
    assert trained(checkout.stale(("stages/tasks/sts/training/options.py", None))) == of_sts
    of_aspects = trainings(reports, task="aspects")
    assert trained(checkout.stale(("stages/tasks/aspects/training/task.py", None))) == of_aspects
    # The study depends on all networks, since it may build any.
    of_text_cnn = {*trainings(reports, model="text_cnn"), "train-study"}
    assert trained(checkout.stale(("stages/networks/text_cnn.py", None))) == of_text_cnn
    assert 0 < len(of_text_cnn) < len(of_aspects) < len(every)


@pytest.mark.pipeline
def test_data_and_limits_train_what_they_go_into(checkout: Checkout, reports: dict[str, dict[str, Any]]) -> None:
    stale = checkout.stale(("data/sample/sine/content", None))
    assert trained(stale) == trainings(reports, task="sine")
    stale = checkout.stale(("params.yaml", set_at("limits", "steps", value=7)))
    assert trained(stale) == {*trainings(reports), "train-study"}


@pytest.mark.pipeline
def test_knobs_train_the_study_alone(checkout: Checkout) -> None:
    study = {"train-study", "evaluate-study"}
    assert checkout.stale(("params.yaml", set_at("lr", value=0.01))) == study
    assert checkout.stale(("params.yaml", set_at("networks", "siamese_lstm", "hidden_size", value=9))) == study
    assert checkout.stale(("params.yaml", set_at("networks", "forecaster", "cell", value="gru"))) == set()


@pytest.mark.pipeline
def test_an_entry_of_the_catalogue_downloads_that_data_set_alone(checkout: Checkout) -> None:
    path = "stages/download/catalogue.yaml"
    stale = checkout.stale((path, set_at("datasets", "glove", "citation", value="Another citation")))
    assert stale == {"download@glove"}
    stale = checkout.stale((path, set_at("datasets", "another", value={})))
    assert stale == set()


@pytest.mark.pipeline
def test_scoring_evaluates_the_groups_of_its_task_alone(checkout: Checkout, reports: dict[str, dict[str, Any]]) -> None:
    stale = checkout.stale(("stages/tasks/sine/scoring.py", None), ("stages/tasks/sine/interaction.py", None))
    groups = {f"evaluate@{name}" for name, group in reports["groups"].items() if group["task"] == "sine"}
    # The report depends on all of stages/tasks, for the definitions of metrics in scoring.
    assert stale == {*groups, "report"}

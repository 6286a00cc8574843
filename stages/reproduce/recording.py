"""What DVC is asked and told: which stages there are, what they depend on, and what they have made."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from stages.lib.files import atomic_file
from stages.lib.recovery import RUNNING

#: The sample pipeline.
PIPELINE = "dvc.yaml"
#: A file system in memory that every user may write to, where there is one (Linux).
MEMORY = Path("/dev/shm")


def plan_of(repo: Any, targets: Sequence[str]) -> dict[Any, list[Any]]:
    """The stages to check (default: of the sample pipeline), each with those that it depends on."""
    import networkx

    graph = repo.index.graph
    named = [stage for target in targets or [PIPELINE] for stage in repo.stage.collect(target)]
    wanted = set(named).union(*(networkx.descendants(graph, stage) for stage in named))
    return {stage: list(graph.successors(stage)) for stage in repo.index.stages if stage in wanted}


def outdated(stages: dict[Any, list[Any]]) -> list[Any]:
    """The stages that would run, in a possible order: what has changed, and what depends on it."""
    stale: dict[Any, None] = {}
    for stage in TopologicalSorter(stages).static_order():
        if any(other in stale for other in stages[stage]) or stage.changed():
            stale[stage] = None
    return list(stale)


def restore(stage: Any) -> bool:
    """Take a stage's outputs from DVC's cache where it has run before with the same command and inputs, as `dvc repro`
    does: what ended between the last write of dvc.lock and a kill is not lost. Returns whether it has.
    """
    from dvc.exceptions import ConfirmRemoveError
    from dvc.stage.cache import RunCacheNotFoundError

    try:
        stage.repo.stage_cache.restore(stage)
    except (RunCacheNotFoundError, ConfirmRemoveError):  # the latter: there is something that DVC has never seen
        return False
    stage.save()
    stage.commit()
    return True


def write_lock(stages: list[Any]) -> None:
    """Record stages of one pipeline. DVC writes its dvc.lock in place, so that a kill would leave a part of it."""
    from dvc.dvcfile import Lockfile

    path = Path(stages[0].path).with_suffix(".lock")
    with atomic_file(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
        Lockfile(stages[0].repo, str(temporary)).dump_stages(stages)


def keep_rwlock_in_memory(root: Path = Path()) -> None:
    """Make DVC's list of running stages, `.dvc/tmp/rwlock`, a link to a file in memory, where Linux offers that. Call
    it with the repository locked.

    DVC rewrites the list in place: six times for a stage that is up to date, thirty times for another. ext4 sends a
    file emptied and written again to the disk as it is closed (auto_da_alloc in ext4(5)), which takes milliseconds
    where others write too. After a restart the list means nothing, since it names processes.
    """
    if not os.access(MEMORY, os.W_OK):
        return
    path = (root / RUNNING).absolute()
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]  # of this checkout: a copy of it gets a file of its own
    target = MEMORY / f"dvc-rwlock-{os.getuid()}-{name}"
    if path.is_symlink() and path.readlink() == target:
        return
    with atomic_file(path) as temporary:
        target.write_bytes(path.read_bytes() if path.exists() else b"{}")
        temporary.unlink(missing_ok=True)  # of a process that was killed
        temporary.symlink_to(target)


@contextmanager
def whole_rwlock() -> Iterator[None]:
    """DVC writes its list of running stages in place too, a few times a stage. In here it edits a copy, which then
    takes the list's place; whoever edits it holds DVC's lock of the whole repository, so nobody else does meanwhile.
    """
    from dvc import rwlock

    edit = rwlock._edit_rwlock
    copies: set[Path] = set()

    @contextmanager
    def edit_copy(folder: str, *options: Any) -> Iterator[Any]:
        path = Path(folder, RUNNING.name).resolve()  # on the disk or in memory; the copy is beside it
        copy = path.with_name(f"{path.name}-edited") / RUNNING.name
        copy.parent.mkdir(exist_ok=True)
        copies.add(copy.parent)
        copy.write_bytes(path.read_bytes() if path.exists() else b"{}")
        with edit(str(copy.parent), *options) as content:
            yield content
        os.replace(copy, path)

    rwlock._edit_rwlock = edit_copy
    try:
        yield
    finally:
        rwlock._edit_rwlock = edit
        for folder in copies:
            shutil.rmtree(folder)

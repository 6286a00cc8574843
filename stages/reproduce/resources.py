"""What a stage asks for under `meta: resources:` in dvc.yaml, and whether any worker has it.

    train:
      meta: {resources: {threads: 2, memory: 4 GB, GPU: 1}}

Threads, GPUs and any further name are counts; memory is a number of bytes with a unit. Nothing of it shapes a result
but `threads`, and DVC runs no stage again for a change of it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError

if TYPE_CHECKING:
    from distributed import Client


def wanted(stage: Any) -> dict[str, float]:
    """The resources of a stage; one thread, if nothing is said. Raises InputError for what is no quantity."""
    entries = stage.meta.get("resources", {}) if isinstance(stage.meta, dict) else {}
    where = f"{stage.path_in_repo}: {stage.name}: meta: resources:"
    if not isinstance(entries, dict):
        raise InputError(f"{where} expected names with quantities, such as threads: 2")
    return {"threads": 1.0} | {name: _quantity(value, f"{where} {name}: {value!r}") for name, value in entries.items()}


def environment(stage: Any) -> dict[str, str]:
    """What a stage's environment has to say of its resources: the threads that torch takes, where it asks for some."""
    asks = stage.meta.get("resources", {}) if isinstance(stage.meta, dict) else {}
    return {"OMP_NUM_THREADS": str(round(wanted(stage)["threads"]))} if "threads" in asks else {}


def _quantity(value: Any, where: str) -> float:
    from dask.utils import parse_bytes

    try:
        quantity = float(parse_bytes(value)) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        raise InputError(f"{where} is no number, and no size such as 4 GB") from None
    if not 0 < quantity < float("inf"):
        raise InputError(f"{where} is not above zero")
    return quantity


def check(client: "Client", stages: Iterable[Any]) -> None:
    """Raises InputError for a stage that asks for what no worker has: it would wait for ever."""
    workers = [about["resources"] for about in client.scheduler_info(n_workers=-1)["workers"].values()]
    checked: set[tuple[tuple[str, float], ...]] = set()
    for stage in stages:
        needs = wanted(stage)
        if (known := tuple(needs.items())) in checked:
            continue
        checked.add(known)
        if not any(all(has.get(name, 0) >= amount for name, amount in needs.items()) for has in workers):
            asked = ", ".join(f"{name}: {amount:g}" for name, amount in needs.items())
            raise InputError(f"{stage.addressing} asks for {asked}; no worker has that")

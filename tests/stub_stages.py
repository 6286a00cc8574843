"""Stages of a made-up pipeline, as much of them as the coordinator asks for."""

from typing import Any


class Stub:
    """Notes in `calls` what the coordinator does with it."""

    wdir, path, path_in_repo = ".", "dvc.yaml", "dvc.yaml"
    outs: tuple[Any, ...] = ()

    def __init__(
        self, name: str, command: str, calls: list[tuple[str, str]], is_changed: bool = True, resources: Any = None
    ) -> None:
        self.name = self.addressing = name
        self.cmd, self.calls, self.is_changed = command, calls, is_changed
        self.meta = {"resources": resources} if resources else None

    def changed(self) -> bool:
        return self.is_changed

    def save(self) -> None:
        self.calls.append(("saved", self.addressing))

    def commit(self) -> None:
        self.calls.append(("committed", self.addressing))


def record(stages: list[Stub]) -> None:
    for stage in stages:
        stage.calls.append(("recorded", stage.addressing))


def is_cached(_: Stub) -> bool:
    """Nothing has run before."""
    return False

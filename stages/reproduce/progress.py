"""What a terminal shows of stages under way: a line for each that starts, and below them one line that changes."""

import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

from stages.reproduce.wall_times import WallTimes, duration


class Progress(AbstractContextManager["Progress"]):
    """`left` are the stages that are neither done nor known to be up to date."""

    def __init__(self, stages: Iterable[Any], wall_times: WallTimes) -> None:
        self.left, self.wall_times = dict.fromkeys(stages), wall_times
        self.total, self.most = len(self.left), 1
        self.running: set[str] = set()
        #: The last line that one of them has written.
        self.said = ""
        # Without a terminal there is no line.
        self.line = tqdm(total=0, bar_format="{desc}", disable=None, leave=False)

    def started(self, name: str) -> None:
        """Say once that a stage runs."""
        if name not in self.running:
            self.running.add(name)
            self.most = max(self.most, len(self.running))
            tqdm.write(f"Running stage '{name}'")
            self.draw()

    def tell(self, name: str, line: str) -> None:
        """A stage runs, and this is the last line that it has written so far."""
        self.started(name)
        if line:
            self.said = f" · {line}"
            self.draw()

    def done(self, stage: Any) -> None:
        del self.left[stage]
        self.running.discard(stage.addressing)
        self.said = ""
        self.draw()

    def write(self, text: str, file: TextIO) -> None:
        """What a stage wrote, above the line."""
        if text:
            tqdm.write(text, file=file, end="")
            file.flush()

    def draw(self) -> None:
        if not self.line.disable:
            running, left = len(self.running), len(self.left)
            counts = f"{running} running, {left - running} waiting, {self.total - left} done"
            text = f"{counts}, {self._time_left()}{self.said}"
            self.line.set_description_str(text[: shutil.get_terminal_size().columns - 1])

    def _time_left(self) -> str:
        known = [seconds for stage in self.left if (seconds := self.wall_times.seconds(stage)) is not None]
        if not known:
            return "time left unknown"
        return f"about {duration(sum(known) / len(known) * len(self.left) / self.most)} left"

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.line.close()

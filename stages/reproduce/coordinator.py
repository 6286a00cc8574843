"""DVC says what has to run, Dask runs what is ready, and DVC records it."""

import os
import queue
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from stages.lib.errors import ServiceError
from stages.lib.files import ROOT
from stages.reproduce.progress import Progress
from stages.reproduce.resources import check, environment, wanted
from stages.reproduce.wall_times import WallTimes

if TYPE_CHECKING:
    from distributed import Future

    from stages.reproduce.cluster import Site
    from stages.reproduce.transfer import Item
    from stages.reproduce.worker import Result

#: Seconds between two writes of dvc.lock. Finished stages are also recorded on the way out.
RECORD_EVERY = 60.0
#: Seconds between two looks at the clock while all stages run.
TICK = 1.0


class Coordinator:
    """Runs stages on a cluster, which `open_cluster` opens as soon as one of them has changed."""

    def __init__(
        self,
        open_cluster: "Callable[[], AbstractContextManager[Site]]",
        restore: Callable[[Any], bool],
        record: Callable[[list[Any]], None],
        wall_times: WallTimes,
    ) -> None:
        self.open_cluster, self.restore, self.record = open_cluster, restore, record
        self.wall_times = wall_times
        self.topic = f"stages-{uuid4().hex}"
        self.site: Site | None = None
        #: What Dask tells from its own thread: name and last line of a running stage; the future of one that has ended.
        self.news: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.submitted: dict[Future, Any] = {}
        #: Hashes of what the remote is known to have.
        self.sent: set[str] = set()
        self.unrecorded: list[Any] = []
        self.recorded = time.monotonic()
        self.failed = self.count = 0

    def run(self, plan: Mapping[Any, Iterable[Any]]) -> int:
        """Run what has changed of a plan (each stage with those that it depends on); returns the number of stages run.

        A stage that fails stops what depends on it and nothing else; this then exits with the code of the first one.
        """
        self.plan = plan
        order = TopologicalSorter(plan)
        order.prepare()
        waiting: list[Any] = []
        with ExitStack() as self.opened, Progress(plan, self.wall_times) as self.progress:
            try:
                while True:
                    if ready := order.get_ready():
                        # The longest first, so that none is left alone at the end.
                        waiting = sorted([*waiting, *ready], key=lambda stage: -self._seconds(stage))
                    if waiting:
                        stage = waiting.pop(0)
                        if stage.changed() and not self._restore(stage):
                            self._submit(stage)
                        else:
                            self.progress.done(stage)
                            order.done(stage)
                    elif not self.submitted:
                        break
                    for stage in self._ended(block=not waiting and bool(self.submitted)):
                        order.done(stage)
                    if time.monotonic() > self.recorded + RECORD_EVERY:
                        self._record()
            finally:
                if self.submitted:
                    self.site.client.cancel(list(self.submitted))
                self._record()
        if self.failed:
            sys.exit(self.failed)
        return self.count

    def _restore(self, stage: Any) -> bool:
        found = self.restore(stage)
        if found:
            self.progress.write(f"Stage '{stage.addressing}' is in the cache\n", sys.stdout)
            self.unrecorded.append(stage)
        return found

    def _submit(self, stage: Any) -> None:
        from stages.reproduce import worker  # Dask takes half a second to import
        from stages.reproduce.checkpoints import checkpoint_pattern

        if self.site is None:
            self.site = self.opened.enter_context(self.open_cluster())
            check(self.site.client, self.progress.left)
            self.site.client.subscribe_topic(self.topic, lambda event: self.news.put(event[1]))
        site = self.site
        verb, _, item = stage.name.partition("@")
        job = worker.Job(
            name=stage.addressing,
            command=stage.cmd,
            folder=os.path.relpath(stage.wdir, ROOT),
            environment={**site.environment, **environment(stage)},
            topic=self.topic,
            token=site.token,
            inputs=self._inputs(stage) if site.apart else (),
            outputs=tuple(os.path.relpath(out.fs_path, ROOT) for out in stage.outs) if site.apart else (),
            checkpoints=checkpoint_pattern(stage.cmd) if site.apart else "",
        )
        future = site.client.submit(
            worker.run,
            job,
            key=(verb, item, stage.addressing, self.topic),
            resources={**site.resources, **wanted(stage)},
            priority=round(self._seconds(stage)),
            retries=0,
        )
        self.submitted[future] = stage
        future.add_done_callback(self.news.put)

    def _inputs(self, stage: Any) -> "tuple[Item, ...]":
        """What a stage needs of those before it, after making sure that the remote has it."""
        from stages.reproduce.transfer import Item, push

        outs = [out for other in self.plan[stage] for out in other.outs]
        for out in outs:
            if out.hash_info.value not in self.sent:
                push(stage.repo, out)
                self.sent.add(out.hash_info.value)
        return tuple(Item.of(out) for out in outs)

    def _receive(self, stage: Any, items: "Iterable[Item]") -> None:
        """Bring what a worker made from the remote to where DVC expects it."""
        from stages.reproduce.transfer import receive

        for out, item in zip(stage.outs, items, strict=True):
            item.fill(out)
            receive(stage.repo, out)
            self.sent.add(item.md5)

    def _seconds(self, stage: Any) -> float:
        return self.wall_times.seconds(stage) or 0.0

    def _ended(self, block: bool) -> Iterator[Any]:
        """Stages that have ended well since the last call; their outputs are in DVC's cache."""
        while not self.news.empty() or block:
            try:
                news = self.news.get(timeout=TICK)
            except queue.Empty:
                self.progress.draw()
                return
            block = False
            if isinstance(news, dict):
                # What a stage wrote last may arrive after its end.
                if news["name"] in {stage.addressing for stage in self.submitted.values()}:
                    self.progress.tell(news["name"], news["line"])
            elif self._end(stage := self.submitted.pop(news), news):
                yield stage

    def _end(self, stage: Any, future: "Future") -> bool:
        """Take note of how a stage ended; whether it ended well."""
        self.progress.started(stage.addressing)
        if future.status == "cancelled":
            raise ServiceError("the scheduler is gone; finished stages are recorded, run the same command again")
        if future.status != "finished":
            if isinstance(error := future.exception(), ServiceError):
                raise error
            self._fail(stage, 1, f" ({' '.join(f'{type(error).__name__}: {error}'.split())})")
            return False
        result: Result = future.result()
        self.progress.write(result.stdout, sys.stdout)
        self.progress.write(result.stderr, sys.stderr)
        if result.code:
            self._fail(stage, result.code if result.code > 0 else 1)
            return False
        if result.sent:
            self._receive(stage, result.sent)
        stage.save()
        stage.commit()
        self.wall_times.note(stage, result.seconds)
        self.unrecorded.append(stage)
        self.progress.done(stage)
        self.count += 1
        return True

    def _fail(self, stage: Any, code: int, reason: str = "") -> None:
        self.progress.write(f"error: stage '{stage.addressing}' failed{reason}\n", sys.stderr)
        self.failed = self.failed or code

    def _record(self) -> None:
        for path in {stage.path for stage in self.unrecorded}:
            self.record([stage for stage in self.unrecorded if stage.path == path])
        if self.unrecorded:
            self.wall_times.write()
        self.unrecorded, self.recorded = [], time.monotonic()

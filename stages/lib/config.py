"""The one reader of reports/*.yaml: everything in them is checked here, and stages get typed objects.

reports/<task>.yaml are written by their top-level keys (runs, groups, figures, questions, …), which DVC and this module
merge over all files. A run is one flat mapping; its settings belong to the training (stages/train/settings.py), to the
network, or to the task, by their names (config_run.py). The experiment under study is the top level of a profile's
params.yaml (config_params.py).

Profile own has files of its own in own/: its runs name one of the user's data sets as well, and no other profile knows
these.
"""

import difflib
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.config_entries import ComputedEntry, GroupEntry, Heading, Profile, SourceEntry, TaskEntry
from stages.lib.config_model import check_id, check_model
from stages.lib.config_own import OWN_DATA, OwnDataset, check_own_data, read_own_datasets
from stages.lib.config_params import OWN, PROFILES, read_limits, read_study
from stages.lib.config_run import STUDY, Run, make_run
from stages.lib.errors import InputError
from stages.lib.files import read_yaml
from stages.lib.task import task_module

if TYPE_CHECKING:
    from stages.lib.figures import Figure
    from stages.lib.questions import Departure, Question

__all__ = ["PROFILES", "Profile", "Reports", "Run", "find_run", "load_reports", "read_limits", "read_study"]

REPORTS = Path("reports")
OWN_REPORTS = Path("own", "reports", "reports.yaml")
#: Keys of a run that say what it is, not how it is trained.
IDENTITY = ("group", "task", "model")


class Reports:
    """The merged content of reports/*.yaml. Parts are checked when first asked for; `stages.validate` asks for all.

    own_data: the user's data sets, where these are the user's runs and questions.
    """

    def __init__(
        self,
        content: Mapping[str, Any],
        files: Mapping[tuple[str, str], Path],
        own_data: Mapping[str, OwnDataset] | None = None,
    ) -> None:
        self._content, self._files, self.own_data = content, files, own_data

    def where(self, section: str, name: str) -> str:
        """File and key of an entry, for messages."""
        return f"{self._files.get((section, name), REPORTS)}: {section}.{name}"

    def section(self, name: str) -> Mapping[str, Any]:
        """The entries of a top-level key. Raises InputError for an id that is no plain name."""
        entries = self._content.get(name, {})
        for key in entries:
            check_id(key, f"{self._files.get((name, key), REPORTS)}: {name}:")
        return entries

    @property
    def title(self) -> str:
        return str(self._content.get("title", "Reports"))

    @cached_property
    def datasets(self) -> list[str]:
        names = self._content.get("datasets", [])
        if not isinstance(names, list):
            raise InputError(f"{REPORTS}: datasets: give a list of catalogue names")
        return [check_id(name, f"{REPORTS}: datasets:") for name in names]

    @cached_property
    def tasks(self) -> dict[str, TaskEntry]:
        return self._checked("tasks", TaskEntry)

    @cached_property
    def groups(self) -> dict[str, GroupEntry]:
        return self._checked("groups", GroupEntry)

    @cached_property
    def computed(self) -> dict[str, ComputedEntry]:
        return self._checked("computed", ComputedEntry)

    @cached_property
    def sources(self) -> dict[str, SourceEntry]:
        return self._checked("sources", SourceEntry)

    @cached_property
    def headings(self) -> dict[str, Heading]:
        return self._checked("headings", Heading)

    @cached_property
    def questions(self) -> "dict[str, Question]":
        from stages.lib.questions import Question

        return self._checked("questions", Question)

    @cached_property
    def departures(self) -> "dict[str, Departure]":
        from stages.lib.questions import Departure

        return self._checked("departures", Departure)

    def check_questions(self, profile: Profile) -> None:
        """Raises InputError for a question that refers to what is not there, or cannot be answered."""
        from stages.lib.questions import check_questions

        check_questions(self, profile)

    @cached_property
    def figures(self) -> "dict[str, Figure]":
        from stages.lib.figures import parse_figure

        return {
            name: parse_figure(entry, self.where("figures", name)) for name, entry in self.section("figures").items()
        }

    def check_figures(self) -> None:
        """Raises InputError for a figure that shows a run which does not exist, or which is not of its two groups."""
        from stages.lib.figures import check_groups

        for name, figure in self.figures.items():
            where = self.where("figures", name)
            for group in (figure.group, figure.baseline):
                if group not in self.groups and group not in self.computed:
                    raise InputError(f"{where}: there is no group {group!r}")
            check_groups(figure, self.group_of, where)

    @cached_property
    def group_of(self) -> dict[str, str]:
        """The group of each run and of each computed statement."""
        groups = {name: str(_mapping(entry).get("group")) for name, entry in self.section("runs").items()}
        for group, entry in self.computed.items():
            groups |= dict.fromkeys(task_module(entry.task, "statements").STATEMENTS, group)
        return groups

    def run_ids(self, group: str | None = None) -> list[str]:
        """Ids of all runs, or of a group's."""
        entries = self.section("runs")
        return [name for name, entry in entries.items() if group in (None, _mapping(entry).get("group"))]

    def run(self, name: str, profile: Profile) -> Run:
        """One run, checked. Raises InputError naming file, key and value."""
        entries = self.section("runs")
        check_id(name, "run")
        if name not in entries:
            near = difflib.get_close_matches(name, entries, n=3, cutoff=0)
            raise InputError(f"{REPORTS}/ has no run {name!r}; near it are {', '.join(near) or 'none'}")
        where = self.where("runs", name)
        if name == STUDY:
            raise InputError(f"{where}: this id is the experiment under study; choose another")
        entry = dict(_mapping(entries[name], where))
        identity = {}
        for key in IDENTITY if self.own_data is None else (*IDENTITY, "data"):
            if key not in entry:
                raise InputError(f"{where}: {key!r} is missing")
            identity[key] = check_id(entry.pop(key), f"{where}: {key}:")
        group = self.groups.get(identity["group"])
        if group is None:
            raise InputError(f"{where}: group = {identity['group']!r}: `groups` has no such entry")
        if (group.task, group.model) != (identity["task"], identity["model"]):
            raise InputError(
                f"{where}: task and model are {identity['task']} and {identity['model']},"
                f" those of its group {identity['group']} are {group.task} and {group.model}"
            )
        data = identity.get("data")
        if data != group.data:
            raise InputError(f"{where}: data = {data!r}: its group {identity['group']} has {group.data!r}")
        if self.own_data is not None:
            check_own_data(str(data), identity["task"], self.own_data, where)
        return make_run(
            name,
            group=identity["group"],
            profile=profile,
            task=identity["task"],
            model=identity["model"],
            settings=entry,
            where=where,
            limits=read_limits(profile),
            own_data=data,
        )

    def runs(self, profile: Profile, group: str | None = None) -> list[Run]:
        """All runs, or a group's. Raises InputError for a group that no run names."""
        if group is not None and group not in self.groups:
            raise InputError(f"{REPORTS}/ has no group {group!r}; it has {', '.join(self.groups)}")
        found = [self.run(name, profile) for name in self.run_ids(group)]
        if group is not None and not found:
            raise InputError(f"{self.where('groups', group)}: no run names this group; add one or remove the group")
        return found

    def _checked(self, section: str, model: type[Any]) -> dict[str, Any]:
        entries = self.section(section)
        return {name: check_model(model, entry, self.where(section, name)) for name, entry in entries.items()}


def load_reports(root: Path = Path(), profile: Profile = "sample") -> Reports:
    """Read and merge reports/*.yaml, or the user's own. Raises InputError for a file that is no mapping, and for a key
    given twice.
    """
    files = [root / OWN_REPORTS, root / OWN_DATA] if profile == OWN else report_files(root)
    return _load(tuple((path, path.resolve(), *_state(path)) for path in files), root, profile)


def _state(path: Path) -> tuple[int, ...]:
    """What changes when a file is written or replaced. Raises InputError where there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


# `python -m stages.reproduce` reads the files once; its forks, one a stage, find them read.
@lru_cache(maxsize=1)
def _load(known: tuple[tuple[Any, ...], ...], root: Path, profile: Profile) -> Reports:
    content: dict[str, Any] = {}
    files: dict[tuple[str, str], Path] = {}
    for path, *_ in known:
        if path == root / OWN_DATA:
            continue
        for section, entries in read_yaml(path).items():
            if section not in SECTIONS:
                raise InputError(f"{path}: unknown key {section!r}; allowed are {', '.join(SECTIONS)}")
            if section in ("title", "datasets"):
                if section in content:
                    raise InputError(f"{path}: {section} is given in another file too")
                content[section] = entries
                continue
            for name, entry in _mapping(entries, f"{path}: {section}").items():
                if (section, name) in files:
                    raise InputError(f"{path}: {section}.{name} is defined in {files[section, name]} too")
                files[section, name] = path
                content.setdefault(section, {})[name] = entry
    return Reports(content, files, read_own_datasets(root) if profile == OWN else None)


SECTIONS = (
    *("title", "datasets", "sources", "headings", "tasks", "groups", "computed", "runs", "figures", "questions"),
    "departures",
)


def report_files(root: Path = Path()) -> list[Path]:
    """The YAML files of reports/, sorted. Raises InputError where there are none."""
    files = sorted((root / REPORTS).glob("*.yaml"))
    if not files:
        raise InputError(f"{root / REPORTS} holds no YAML file")
    return files


def find_run(name: str, profile: Profile) -> Run:
    """A run by its id, or the experiment under study."""
    return read_study(profile) if name == STUDY else load_reports(profile=profile).run(name, profile)


def _mapping(value: Any, where: str = str(REPORTS)) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a mapping of keys to values")
    return value

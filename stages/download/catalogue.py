"""The typed form of catalogue.yaml: the files of each data set, who publishes them, and their hashes."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from stages.lib.config_model import Id, Strict, check_model
from stages.lib.files import read_yaml

PATH = Path(__file__).with_name("catalogue.yaml")
Url = Annotated[str, Field(pattern=r"^https?://\S+$")]


class Remote(Strict):
    """A file to download: `name` in DATA_MIRROR, or one of `urls`."""

    name: Id
    urls: tuple[Url, ...] = ()
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    size: PositiveInt | None = None
    packing: str | None = None

    @model_validator(mode="after")
    def _verifiable(self) -> Self:
        if not self.sha256 and not self.md5:
            raise ValueError("give its sha256 (or its md5, where nothing else is published)")
        return self

    def mismatch(self, path: Path) -> str | None:
        """How the file at `path` differs from the published one, or None. Reads the file once for each hash."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"{size:,} bytes where {self.size:,} are published"
        for kind, wanted in (("sha256", self.sha256), ("md5", self.md5)):
            if wanted:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, kind).hexdigest()
                if found != wanted:
                    return f"{kind} {found} where {wanted} is published"
        return None


class File(Remote):
    """A file of a data set: kept as it is, unpacked (`extract`), or extracted from one of the archives in `within`."""

    extract: Literal["tar", "zip"] | None = None
    within: tuple[Remote, ...] = ()


class Dataset(Strict):
    title: str
    home: Url
    licence: str
    citation: str
    files: tuple[File, ...] = ()
    #: In place of files: the arguments with which samples/<dataset>.py computes the data.
    computed: dict[str, int] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if bool(self.files) == (self.computed is not None):
            raise ValueError("give either files or computed")
        return self


class Catalogue(Strict):
    datasets: dict[Id, Dataset]


def read_catalogue(path: Path = PATH) -> dict[str, Dataset]:
    """All data sets by name. Raises InputError, naming the key, where the file is not a valid catalogue."""
    return check_model(Catalogue, read_yaml(path), str(path)).datasets

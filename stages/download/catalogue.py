"""The typed form of catalogue.yaml: which files a data set has, who publishes them and how they are recognised."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from stages.lib.files import read_yaml
from stages.lib.errors import InputError

PATH = Path(__file__).with_name("catalogue.yaml")
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Url = Annotated[str, Field(pattern=r"^https?://\S+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Remote(_Strict):
    """Bytes that can be fetched: from DATA_MIRROR under `name`, or from `urls`."""

    name: PlainName
    urls: tuple[Url, ...] = ()
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    size: PositiveInt | None = None
    packing: str | None = None

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if not self.sha256 and not self.md5:
            raise ValueError("give its sha256 (or its md5, where nothing else is published)")
        return self

    def flaw(self, path: Path) -> str | None:
        """What tells the bytes at `path` from the published ones, or None. Reads the file once per hash."""
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
    """A file of a data set: kept as it is, unpacked (`extract`), or taken out of one of the archives in `within`."""

    extract: Literal["tar", "zip"] | None = None
    within: tuple[Remote, ...] = ()


class Dataset(_Strict):
    title: str
    home: Url
    licence: str
    citation: str
    files: tuple[File, ...] = ()
    #: Instead of files: the arguments with which samples/<dataset>.py computes data that nobody publishes.
    computed: dict[str, int] | None = None

    @model_validator(mode="after")
    def _had_somewhere(self) -> Self:
        if bool(self.files) == (self.computed is not None):
            raise ValueError("give either files or computed")
        return self


class Catalogue(_Strict):
    datasets: dict[str, Dataset]


def read(path: Path = PATH) -> dict[str, Dataset]:
    """All data sets by name. Raises InputError, naming the key, where the file is not a valid catalogue."""
    try:
        return Catalogue.model_validate(read_yaml(path)).datasets
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

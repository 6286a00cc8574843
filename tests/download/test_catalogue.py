"""Which entries a catalogue may have, and whether ours knows the real files."""

from pathlib import Path

import pytest
import yaml
from conftest import BAD_IDS, MIRROR
from download.helpers import one_line

from stages.download.catalogue import Dataset, Remote, read_catalogue
from stages.download.datasets import download
from stages.lib.errors import InputError


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("sha256: 557a86", "sha256"),
        ("name: ../evil", "name"),
        ("size: 0", "size"),
        ("colour: red", "colour"),
        ("extract: rar", "extract"),
        ("urls: [ftp://x]", "urls"),
    ],
)
def test_a_bad_catalogue_names_the_key(change: str, key: str) -> None:
    entry = {"name": "x", "sha256": "a" * 64} | {change.partition(": ")[0]: change.partition(": ")[2]}
    lines = "".join(f"          {name}: {value}\n" for name, value in entry.items())
    Path("c.yaml").write_text(
        "datasets:\n  d:\n    title: t\n    home: http://x\n    licence: l\n    citation: c\n    files:\n"
        f"        -\n{lines}"
    )
    with pytest.raises(InputError) as error:
        read_catalogue(Path("c.yaml"))
    one_line(error, "c.yaml", f"datasets.d.files.0.{key}")


def test_a_file_without_a_hash_is_no_entry() -> None:
    with pytest.raises(ValueError, match="sha256"):
        Remote(name="x", size=5)


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / "Stsbenchmark.tar.gz").is_file(), reason="needs the real data in DATA_MIRROR")
@pytest.mark.parametrize("name", ["stsbenchmark", "glove", "semeval2014", "rtpolarity", "cifar10-jpeg"])
def test_the_catalogue_knows_the_real_files(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_MIRROR", str(MIRROR))
    entry = read_catalogue()[name]
    download(entry, Path("raw") / name)
    names = {path.name for path in Path("raw", name).rglob("*") if path.is_file()}
    assert {file.name for file in entry.files if not file.extract} <= names
    if name == "stsbenchmark":
        assert {"sts-train.csv", "sts-dev.csv", "sts-test.csv", "LICENSE.txt"} <= names


@pytest.mark.parametrize("name", BAD_IDS.values(), ids=BAD_IDS)
def test_a_data_set_whose_name_is_no_plain_name_is_refused(name: str) -> None:
    entry = {"title": "t", "home": "http://x", "licence": "l", "citation": "c", "computed": {}}
    Path("c.yaml").write_text(yaml.safe_dump({"datasets": {name: entry}}))
    with pytest.raises(InputError, match=r"^c\.yaml: "):
        read_catalogue(Path("c.yaml"))


def test_a_data_set_has_files_or_is_computed() -> None:
    about = {"title": "t", "home": "https://example.org", "licence": "l", "citation": "c"}
    Dataset.model_validate(about | {"computed": {}})
    for wrong in ({}, {"computed": {}, "files": [{"name": "a", "sha256": "0" * 64}]}):
        with pytest.raises(ValueError, match="either files or computed"):
            Dataset.model_validate(about | wrong)

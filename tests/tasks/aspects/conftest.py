"""The sample data set of keyword extraction, raw and prepared."""

from pathlib import Path

import pytest

from stages.download.samples import glove, semeval2014
from stages.lib.task import Prepared
from stages.tasks.aspects import preparation

SMALL = preparation.Settings(max_length=30, word2vec_width=8, word2vec_epochs=1)


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {role: tmp_path_factory.mktemp(role) for role in ("corpus", "vectors")}
    semeval2014.write(folders["corpus"], 0)
    glove.write(folders["vectors"], 0)
    return folders


@pytest.fixture(scope="session")
def prepared(raw: dict[str, Path]) -> Prepared:
    return preparation.prepare(raw, SMALL)

"""Sentences and terms as a data frame, and what preparation counts."""

from pathlib import Path

import pytest
from conftest import MIRROR

from stages.download.samples.semeval2014 import COUNTS
from stages.lib.errors import InputError
from stages.lib.task import Prepared
from stages.tasks.aspects import preparation
from stages.tasks.aspects.preparation import FILES, SPLITS, UNKNOWN, Settings

NAMES = [name for names in FILES.values() for name in names]
SMALL = Settings(max_length=30, word2vec_width=8, word2vec_epochs=1)
SENTENCE = '<sentence id="{}"><text>{}</text>{}</sentence>'
TERM = '<aspectTerms><aspectTerm term="{}" polarity="neutral" from="{}" to="{}"/></aspectTerms>'


def write_corpus(folder: Path) -> Path:
    """Eleven training sentences a domain, of which the first and the last are for validation, and one to test on."""
    for train, test in FILES.values():
        sentences = [SENTENCE.format(f"{n}", f"the hard disk {n}", TERM.format("hard disk", 4, 13)) for n in range(11)]
        (folder / train).write_text(f"<sentences>{''.join(sentences)}</sentences>")
        (folder / test).write_text(f"<sentences>{SENTENCE.format('t', 'fine', '')}</sentences>")
    return folder


def test_the_data_frame_of_sentences_and_that_of_terms(tmp_path: Path) -> None:
    sentences, files = preparation.read_corpus(write_corpus(tmp_path))
    assert list(sentences.columns) == ["domain", "split", "id", "text", "spans"]
    laptops = sentences[sentences["domain"] == "laptops"]
    assert laptops["split"].value_counts().to_dict() == {"train": 9, "validation": 2, "test": 1}
    assert laptops[laptops["split"] == "validation"]["id"].tolist() == ["0", "10"]
    assert laptops.iloc[3].to_dict() == {
        "domain": "laptops",
        "split": "train",
        "id": "3",
        "text": "the hard disk 3",
        "spans": ((4, 13),),
    }
    assert files["Laptop_Train_v2.xml"]["terms"] == 11
    terms = preparation.list_terms(sentences)
    assert terms[["term", "words"]].drop_duplicates().values.tolist() == [["hard disk", 2]]
    assert len(terms) == 22


def test_counts_of_the_sample_fit_together(prepared: Prepared) -> None:
    metadata = prepared.metadata
    # Every tenth training sentence, from the first on, is for validation.
    validation = len(range(0, COUNTS["train"], 10))
    for domain, (train, test) in FILES.items():
        for words in preparation.TOKENIZERS:
            splits = {split: metadata["splits"][f"{domain}.{words}.{split}"] for split in SPLITS}
            assert {name: split["sentences"] for name, split in splits.items()} == {
                "train": COUNTS["train"] - validation,
                "validation": validation,
                "test": COUNTS["test"],
            }
            assert splits["train"]["terms"] + splits["validation"]["terms"] == metadata["files"][train]["terms"]
            assert splits["test"]["terms"] == metadata["files"][test]["terms"]
            for split in splits.values():
                assert sum(split["terms_by_words"].values()) == split["terms"]
                assert {reason: len(terms) for reason, terms in split["lost_terms"].items()} == split["lost_in_tags"]
            assert splits["train"]["word2vec_coverage"] == 1
    assert len(prepared.vocabulary) + 2 == metadata["vocabulary"] == len(prepared.tensors["glove"])
    assert list(prepared.vocabulary) == sorted(set(prepared.vocabulary))
    assert len(metadata["files"]["Laptop_Train_v2.xml"]["repaired"]) > 0


def test_a_sentence_of_ten_thousand_words_and_one_without_a_word(tmp_path: Path, raw: dict[str, Path]) -> None:
    for name in NAMES:
        (tmp_path / name).write_text((raw["corpus"] / name).read_text())
    file = tmp_path / "Laptops_Test_Gold.xml"
    more = SENTENCE.format("long", "word " * 10_000, "") + SENTENCE.format("stop", "the", "")
    file.write_text(file.read_text().replace("</sentences>", more + "</sentences>"))
    tensors, metadata, _ = preparation.prepare({"corpus": tmp_path, "vectors": raw["vectors"]}, SMALL)
    assert metadata["splits"]["laptops.all.test"]["truncated_sentences"] == 1
    # Without its stop word, the last sentence keeps one unknown word without characters.
    assert tensors["laptops.report.test.offsets"].diff()[-2:].tolist() == [30, 1]
    assert tensors["laptops.report.test.token_ids"][-1] == UNKNOWN
    assert tensors["laptops.report.test.spans"][-1].tolist() == [0, 0]


def test_words_without_a_vector_have_zeros(prepared: Prepared) -> None:
    token_id = {word: number for number, word in enumerate(prepared.vocabulary, start=2)}
    for name in ("glove", "laptops.all.word2vec", "characters"):
        assert not prepared.tensors[name][:2].any()
    word = "".join(map(chr, prepared.tensors["characters"][token_id["keyboard"]][:8]))
    assert word == "keyboard"


def test_a_training_file_of_one_sentence_is_refused(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    (tmp_path / NAMES[0]).write_text(f"<sentences>{SENTENCE.format('0', 'fine', '')}</sentences>")
    with pytest.raises(InputError, match=rf"{NAMES[0]}: one sentence is too few"):
        preparation.read_corpus(tmp_path)


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / NAMES[0]).is_file(), reason="needs the real data in DATA_MIRROR")
def test_the_published_files_have_their_published_size() -> None:
    """Sentences and terms by Pontiki et al. 2014, table 2 and 3; of laptops three terms are given twice."""
    sentences, files = preparation.read_corpus(MIRROR)
    assert len(sentences) == 3045 + 800 + 3041 + 800
    assert {name: files[name]["terms"] + files[name]["duplicates"] + len(files[name]["dropped"]) for name in NAMES} == {
        "Laptop_Train_v2.xml": 2358,
        "Laptops_Test_Gold.xml": 654,
        "Restaurants_Train_v2.xml": 3693,
        "Restaurants_Test_Gold.xml": 1134,
    }
    assert len(preparation.list_terms(sentences)) == sum(entry["terms"] for entry in files.values())


def test_of_a_long_sentence_a_lost_term_keeps_its_surroundings() -> None:
    """Thousands of terms behind the longest sentence would else be noted with all of it."""
    text = "word " * 400 + "end"
    term = (1000, 1004)
    encoded, lost = preparation.encode_words([text], [[term]], [[(0, 4)]], [["word"]], {})
    assert lost == {"no token": ["word " * 100 + "⟦word⟧" + " word" * 100]}
    assert encoded["token_ids"].tolist() == [UNKNOWN]

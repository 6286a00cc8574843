import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.networks.layers.ragged import Ragged, batches_by_length, length_mask, pad_to

ROWS = st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=6), min_size=1, max_size=7)


@given(rows=ROWS, data=st.data())
def test_padded_rows_are_the_rows_and_zeros(rows: list[list[int]], data: st.DataObject) -> None:
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=9))
    ragged = Ragged.from_rows(rows)
    assert len(ragged) == len(rows)
    longest = max(len(rows[i]) for i in index)
    wanted = [rows[i] + [0] * (longest - len(rows[i])) for i in index]
    assert ragged.padded(torch.tensor(index)).tolist() == wanted
    # Selected rows in another order, and values with more dimensions.
    selected = ragged.select(torch.tensor(index))
    assert selected.padded(torch.arange(len(index))).tolist() == wanted
    pairs = ragged.with_values(torch.stack([ragged.values, 2 * ragged.values], dim=1))
    assert pairs.padded(torch.tensor(index)).tolist() == [[[v, 2 * v] for v in row] for row in wanted]


def test_types_stay_as_they_are() -> None:
    offsets = torch.tensor([0, 1, 3])
    for dtype in (torch.uint8, torch.int32, torch.float32):
        assert Ragged(torch.ones(3, dtype=dtype), offsets).padded(torch.tensor([0, 1])).dtype == dtype


def test_masks_may_be_longer_than_the_longest_row() -> None:
    lengths = torch.tensor([1, 3])
    assert length_mask(lengths).tolist() == [[True, False, False], [True] * 3]
    assert length_mask(lengths, 4).tolist() == [[True, False, False, False], [True, True, True, False]]


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=30), size=st.integers(1, 7))
def test_batches_cover_every_row_once_from_short_to_long(lengths: list[int], size: int) -> None:
    batches = [batch.tolist() for batch in batches_by_length(torch.tensor(lengths), size)]
    rows = [row for batch in batches for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert [lengths[row] for row in rows] == sorted(lengths)
    assert max(map(len, batches)) <= size


def test_padding_to_a_number_of_steps() -> None:
    vectors, lengths = pad_to(torch.ones(2, 3, 4), 5)
    assert vectors.shape == (2, 5, 4)
    assert lengths.tolist() == [5, 5]
    assert vectors[:, 3:].abs().sum() == 0
    assert torch.equal(pad_to(vectors, 5)[0], vectors)
    with pytest.raises(ValueError, match="3 words do not fit into 2 steps"):
        pad_to(torch.ones(2, 3, 4), 2)

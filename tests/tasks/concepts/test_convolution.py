import pytest
from torch import nn

from stages.tasks.concepts import convolution


def test_wrong_size_formula_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    values = convolution.output_sizes(0).values
    assert values["mismatches"] == 0
    # A kernel is larger than the padded input where width > size + 2 · pad.
    larger = sum(w > s + 2 * p for s in range(1, 15) for w in range(1, 8) for p in range(4))
    assert values["kernels_larger_than_input"] == 5 * larger
    real = convolution.F.conv1d
    monkeypatch.setattr(convolution.F, "conv1d", lambda *a, **k: nn.functional.pad(real(*a, **k), (0, 1)))
    values = convolution.output_sizes(0).values
    assert values["mismatches"] == values["cases"] - values["kernels_larger_than_input"]


def test_one_by_one_keeps_places_and_mixes_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    values = convolution.one_by_one(0).values
    assert values.pop("difference_from_matrix_product") < 1e-12
    assert values == {
        "height_change": 0,
        "width_change": 0,
        "input_channels": 16,
        "output_channels": 6,
        "pixels_changed_by_one_pixel": 1,
        "weights_3x3": 256 * 256 * 9,
        "weights_1x1_and_3x3": 256 * 64 + 64 * 256 * 9,
    }
    real = nn.Conv2d

    def wider(before: int, after: int, kernel_size: int, **options: bool) -> nn.Conv2d:
        return real(before, after, kernel_size + 2, padding=1, **options)

    monkeypatch.setattr(convolution.nn, "Conv2d", wider)
    assert convolution.one_by_one(0).values["pixels_changed_by_one_pixel"] == 9


def test_pooling_gives_four_wherever_the_four_is_in_the_window() -> None:
    result = convolution.pooled_maxima(0)
    assert result.values == {"original": 4, "shifted_right": 4, "rotated": 4, "stretched": 4, "shifted_by_two": 0}
    for name in result.values:
        image = {(row, column): value for n, part, row, column, value in result.rows if (n, part) == (name, "image")}
        window = [value for (row, column), value in image.items() if row < 3 and column < 3]
        assert result.values[name] == max(window)

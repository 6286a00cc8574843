import math
from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stages.tasks.concepts import normalization_training
from stages.tasks.concepts.synthetic_images import ParallelCNN, Setting, accuracies, draw_images, train

draw = partial(draw_images, 8)


def test_images_have_the_stripes_of_their_class() -> None:
    images, labels = draw_images(4000, torch.Generator().manual_seed(0))
    assert labels.bincount().tolist() == pytest.approx([1000] * 4, abs=120)
    # Stripes along x do not change down a column: neighbours there differ by noise alone, 2 · 0.5² on average.
    for label, axis in ((0, 1), (1, 2)):
        assert images[labels == label].diff(dim=axis).square().mean().item() == pytest.approx(0.5, abs=0.02)
        assert images[labels == label].diff(dim=3 - axis).square().mean().item() > 0.8
    _, rare = draw_images(4000, torch.Generator().manual_seed(0), [0.85, 0.05, 0.05, 0.05])
    assert rare.bincount()[0].item() == pytest.approx(3400, abs=100)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_networks_side_by_side_train_as_each_alone(batch_norm: bool) -> None:
    settings = [Setting(0.02), Setting(0.05, weight_decay=0.1), Setting(0.01)]
    _, together = train(settings, batch_norm, draw, 8, seed=1)
    # Alone, with an ordinary loop and torch's own learning rate, weight decay and momentum.
    for index, setting in enumerate(settings):
        network = ParallelCNN([setting], batch_norm)
        torch.manual_seed(1)
        start = ParallelCNN(settings, batch_norm).state_dict()
        rows = {name: value.shape[0] // len(settings) for name, value in start.items() if value.ndim}
        network.load_state_dict({name: value[: rows[name]] if value.ndim else value for name, value in start.items()})
        optimizer = torch.optim.SGD(network.parameters(), setting.lr, momentum=0.9, weight_decay=setting.weight_decay)
        generator, losses = torch.Generator().manual_seed(1), []
        for _ in range(8):
            images, labels = draw(generator)
            loss = F.cross_entropy(network(images)[:, 0], labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert together[:, index].tolist() == pytest.approx(losses, rel=1e-3)


def test_network_that_diverges_leaves_the_others_alone() -> None:
    _, both = train([Setting(0.02), Setting(1e6)], False, draw, 6, seed=0)
    _, alone = train([Setting(0.02), Setting(0.0)], False, draw, 6, seed=0)
    assert not both[-1, 1] < 10
    torch.testing.assert_close(both[:, 0], alone[:, 0])


def test_small_network_learns_what_is_drawn() -> None:
    networks, losses = train([Setting(0.03), Setting(0.0)], True, partial(draw_images, 16), 40, seed=0)
    learned, untouched = accuracies(networks, 0)
    assert learned > 0.9
    assert untouched == pytest.approx(0.25, abs=0.15)
    assert losses[-1, 0] < losses[0, 0] / 2


def test_dropout_is_off_in_inference_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    network = ParallelCNN([Setting(0.0), Setting(0.0, dropout=0.5)], False)
    image = torch.randn(1, 12, 12).expand(4000, -1, -1)
    trained = network(image).mean(0)
    plain = network.eval()(image)[0]
    torch.testing.assert_close(trained[0], plain[0])
    torch.testing.assert_close(trained[1], plain[1], atol=0.02, rtol=0)
    torch.testing.assert_close(plain[0], plain[1])


def test_steps_to_level() -> None:
    losses = torch.tensor([math.log(4)] * 10 + [0.1] * 10)
    # Mean of the last five below ln 4 / 2 = 0.693: three of 0.1 and two of 1.386 give 0.614, two and three 0.872.
    assert normalization_training.steps_to_level(losses) == 13
    assert normalization_training.steps_to_level(losses[:10]) == 11
    assert normalization_training.steps_to_level(torch.full((10,), math.nan)) == 11


def test_largest_rate_needs_a_loss_below_the_level_in_the_end() -> None:
    sweep = normalization_training.Sweep([1.0] * 5, [5] * 5, [0.1, 0.1, 0.2, 1.4, math.nan])
    assert sweep.largest_rate == 0.1
    assert normalization_training.Sweep([0.25] * 5, [81] * 5, [math.nan] * 5).largest_rate == 0.01


@pytest.fixture
def shortened(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few steps: what is computed is looked at, not what comes out."""
    monkeypatch.setattr(normalization_training, "STEPS", 6)
    real = normalization_training.train
    monkeypatch.setattr(normalization_training, "train", lambda s, b, d, _steps, seed: real(s, b, d, 6, seed))
    monkeypatch.setattr(
        normalization_training, "tiny_batch_accuracy", lambda _seed, batch_norm: 0.25 + (not batch_norm)
    )
    normalization_training.sweep.cache_clear()
    yield
    normalization_training.sweep.cache_clear()


@pytest.mark.usefixtures("shortened")
def test_differences_are_with_minus_without() -> None:
    for compute in (
        normalization_training.learning_rates,
        normalization_training.convergence,
        normalization_training.imbalance,
    ):
        values = compute(0).values
        differences = [name for name in values if "with_minus_without" in name]
        assert differences
        for name in differences:
            parts = [values[name.replace("with_minus_without", one)] for one in ("with", "without")]
            assert values[name] == parts[0] - parts[1]


@pytest.mark.usefixtures("shortened")
def test_two_values_become_plus_and_minus_one() -> None:
    assert normalization_training.learning_rates(0).values["batch_2_largest_difference_from_1"] < 1e-3
    output = nn.BatchNorm1d(1)(torch.tensor([[3.0], [1000.0]]))
    assert output.flatten().tolist() == pytest.approx([-1, 1], abs=1e-3)

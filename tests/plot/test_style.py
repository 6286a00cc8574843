import json
from itertools import combinations

import numpy as np
import pytest

from stages.lib.files import ROOT
from stages.plot.style import DASHES, PALETTE, Sheet, stroke


def test_colours_and_strokes_are_distinct():
    assert len(set(PALETTE)) == len(PALETTE)
    linear = linear_rgb(PALETTE)
    # WCAG's relative luminance: every colour must stand out from white paper.
    assert (1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) > 2).all()
    count = len(PALETTE) * len(DASHES)
    assert len({(stroke(i).color, str(stroke(i).dashes)) for i in range(count)}) == count


def test_colours_differ_with_red_green_blindness():
    # Viénot, Brettel, Mollon 1999: linear RGB as protanopes and deuteranopes see it.
    protanopia = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    deuteranopia = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    for matrix in (np.eye(3), protanopia, deuteranopia):
        colors = lab(np.clip(linear_rgb(PALETTE) @ matrix.T, 0, 1))
        # A just noticeable difference is 2.3 (Mahy et al. 1994).
        assert min(np.linalg.norm(a - b) for a, b in combinations(colors, 2)) > 6 * 2.3


def linear_rgb(colors):
    rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(linear):
    """CIE L*a*b* of linear sRGB under its white, D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / to_xyz.sum(1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * 841 / 108 + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize("runs", [1, 4, 12])
def test_legend_title_and_notes_stay_off_the_axes(runs):
    sheet = Sheet()
    axes = sheet.axes(xlabel="training step", ylabel="validation MSE (score², scores 0–5)")
    for number in range(runs):
        axes.plot([0, 1], [number, 0], label=f"a run with a rather long label {number}")
    sheet.finish(
        "A title that does not fit into one line of the figure's width, as it is long",
        "How to read it. " * 20,
        "Data",
        True,
    )
    sheet.figure.draw_without_rendering()
    renderer = sheet.figure.canvas.get_renderer()
    inside = axes.get_tightbbox(renderer)
    outside = [*sheet.figure.legends, *(text for text in sheet.figure.texts if text.get_text() != "sample data")]
    boxes = [artist.get_window_extent(renderer) for artist in outside]
    assert not any(box.overlaps(inside) for box in boxes)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    width, height = sheet.figure.bbox.size
    assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in [*boxes, inside])


def test_dvc_template_has_the_palette():
    template = json.loads((ROOT / ".dvc/plots/curves.json").read_text())
    assert template["encoding"]["color"]["scale"]["range"] == list(PALETTE)
    assert template["encoding"]["color"]["field"] == "run"

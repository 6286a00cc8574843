"""Sine waves of random phase as in torch's time-sequence example: sin((t + shift)/20) with an integer shift.

These are the real data: report C computed its data too. The full profile has the report's 100 sequences of 1,000 points
(catalogue.yaml), the sample shorter ones. Besides, there are two validation sequences, which the report does not have,
and the last two sequences at 2.5 times their length.
"""

from pathlib import Path

import numpy as np

from stages.download.samples import generator

#: A period has 2π · PACE = 126 points; shifts are from −LARGEST_SHIFT to LARGEST_SHIFT − 1.
PACE, LARGEST_SHIFT = 20, 80
VALIDATION = 2
#: How many of the last sequences are continued, and to how many times their length.
LONGER, TIMES = 2, 2.5


def write(folder: Path, seed: int, sequences: int = 100, points: int = 80) -> None:
    """Write sine.csv, validation.csv and longer.csv: a sequence a line, values separated by commas."""
    shifts = {
        name: generator(seed, "sine", name).integers(-LARGEST_SHIFT, LARGEST_SHIFT, size=(count, 1))
        for name, count in (("sine", sequences), ("validation", VALIDATION))
    }
    shifts["longer"] = shifts["sine"][-LONGER:]
    for name, of in shifts.items():
        length = int(points * TIMES) if name == "longer" else points
        lines = [",".join(f"{value:.9g}" for value in wave) + "\n" for wave in np.sin((np.arange(length) + of) / PACE)]
        (folder / f"{name}.csv").write_text("".join(lines), encoding="utf-8", newline="\n")

"""Sine waves of random phase, as torch's time-sequence example draws them: sin((t + shift)/20), shift a whole number.

These are no stand-in: report C computed its data too. The full profile has the report's 100 sequences of 1,000 points
(catalogue.yaml), the sample shorter ones. Beside them two sequences for validation, which the report lacks, and the
last two sequences once more, much longer.
"""

from pathlib import Path

import numpy as np

from stages.download.samples import generator

#: A wave is 2π · PACE = 126 points long; shifts lie within ± FARTHEST.
PACE, FARTHEST = 20, 80
VALIDATION = 2
#: How many of the last sequences are followed further, and to how many times their length.
LONGER, TIMES = 2, 2.5


def write(folder: Path, seed: int, sequences: int = 100, points: int = 80) -> None:
    """Write sine.csv, validation.csv and longer.csv: a sequence a line, its values parted by commas."""
    shifts = {
        name: generator(seed, "sine", name).integers(-FARTHEST, FARTHEST, size=(count, 1))
        for name, count in (("sine", sequences), ("validation", VALIDATION))
    }
    shifts["longer"] = shifts["sine"][-LONGER:]
    for name, of in shifts.items():
        length = int(points * TIMES) if name == "longer" else points
        lines = [",".join(f"{value:.9g}" for value in wave) + "\n" for wave in np.sin((np.arange(length) + of) / PACE)]
        (folder / f"{name}.csv").write_text("".join(lines), encoding="utf-8", newline="\n")

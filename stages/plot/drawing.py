"""One figure: read the evaluations of its runs, draw, and write SVG, PNG and CSV."""

import importlib
from pathlib import Path

from matplotlib import rc_context

from stages.lib.figures import Figure
from stages.lib.files import atomic_file
from stages.plot.evaluations import Evaluations
from stages.plot.style import RC, Sheet


def draw_figure(figure_id: str, figure: Figure, profile: str, root: Path = Path()) -> list[Path]:
    """Draw from the evaluations below `root`; returns the files written. Raises InputError."""
    kind = importlib.import_module(f"stages.plot.figures.{figure.kind}")
    evaluations = Evaluations.of(figure_id, figure, profile, root)
    table = kind.read(figure, evaluations)

    folder = root / "metrics" / profile / "figures"
    paths = {ending: folder / f"{figure_id}.{ending}" for ending in ("csv", "svg", "png")}
    with rc_context(RC):
        sheet = Sheet()
        kind.draw(figure, table, sheet)
        source = f"Data: {', '.join(evaluations.data_names)} · profile {profile} · figure {figure_id}"
        sheet.finish(figure.title, figure.reading, source, evaluations.sample)
        with atomic_file(paths["csv"]) as path:
            # Nine digits give back every number in single precision.
            table.to_csv(path, index=False, float_format="%.9g", lineterminator="\n")
        with atomic_file(paths["svg"]) as path:
            sheet.save_svg(path)
        with atomic_file(paths["png"]) as path:
            sheet.save_png(path)
    return list(paths.values())

"""Draw one figure of reports/*.yaml: metrics/<profile>/figures/<id>.svg, .png, and .csv with all that is drawn."""

import argparse
import difflib

from stages.lib.config import PROFILES, load_reports
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--profile", required=True, choices=PROFILES)
    parser.add_argument("--figure", required=True, metavar="ID", help="a figure of reports/*.yaml")
    # dvc.yaml appends the whole entry, so that DVC draws a changed figure again; it is read from reports/, with its
    # types.
    arguments, _ = parser.parse_known_args()

    figures = load_reports(profile=arguments.profile).figures
    if arguments.figure not in figures:
        near = difflib.get_close_matches(arguments.figure, figures, n=3, cutoff=0)
        raise InputError(f"reports/ has no figure {arguments.figure!r}; near it are {', '.join(near) or 'none'}")

    from stages.plot.drawing import draw_figure

    print(*draw_figure(arguments.figure, figures[arguments.figure], arguments.profile), sep="\n")


run_stage(main)

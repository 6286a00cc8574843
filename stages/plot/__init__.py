"""The figures of the reports: `python -m stages.plot --profile sample --figure <id>`.

drawing.py draws one figure; figures/ has a module for each kind, evaluations.py what they read, style.py how all of
them look. A new kind `k` is a model in stages/lib/figures.py and the module figures/k.py with two functions:

- `read(figure, evaluations) -> DataFrame`: all that the figure shows. It becomes the CSV file; for `dvc plots` it has
  the columns run, seed, x, value and smoothed.
- `draw(figure, table, sheet) -> None`: the table on the sheet. Since it sees nothing else of the evaluations, the CSV
  holds all that is drawn.
"""

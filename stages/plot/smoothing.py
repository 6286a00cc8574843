"""Curves that the eye can follow: LOWESS and thinning."""

import numpy as np

POINTS = 300
FRACTION = 1 / 8


def smooth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """LOWESS of y [n] at rising x [n]: straight lines fitted to the nearest eighth of the points, tricube weights.

    A straight line comes back unchanged, and the ends of a curve are fitted too, where a moving average would lift or
    lower them. Where a line points beyond all values, to an F1 below 0 say, the farthest of them stands. Fewer than
    24 points are returned as they are: an eighth of them is not enough for a fit.

    W. S. Cleveland, JASA 74 (1979) 829, without its robustness iterations: spikes count.
    """
    y = np.asarray(y, dtype=float)
    if len(y) * FRACTION < 3:
        return y
    from statsmodels.nonparametric.smoothers_lowess import lowess

    # Between fits so close together that no reader sees them apart, statsmodels interpolates.
    near = (x[-1] - x[0]) / POINTS
    fitted = lowess(y, x, frac=FRACTION, it=0, delta=near, is_sorted=True, missing="none", return_sorted=False)
    return np.clip(fitted, y.min(), y.max())


def smooth_log(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`smooth` of the logarithms of y > 0, for numbers that span decades."""
    return np.exp(smooth(x, np.log(y)))


def thin(n: int, most: int = POINTS) -> np.ndarray:
    """Indices of at most `most` of `n` points, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))

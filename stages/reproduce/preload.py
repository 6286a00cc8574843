"""What most stages import and read. The process that stages are forked from imports this module once."""

from contextlib import suppress

import lightning_fabric  # noqa: F401
import matplotlib.backends.backend_agg
import matplotlib.backends.backend_svg
import matplotlib.figure  # noqa: F401
import pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401
import safetensors.torch  # noqa: F401
import scipy.stats  # noqa: F401
import sklearn.metrics  # noqa: F401
import yaml  # noqa: F401
from pydantic import BaseModel, Field, TypeAdapter  # noqa: F401  (pydantic imports its parts on first use)

import stages.reproduce.child  # noqa: F401
from stages.lib.config import load_reports
from stages.lib.errors import InputError

# A file that cannot be read is the business of the stages that read it.
with suppress(InputError, OSError):
    load_reports()

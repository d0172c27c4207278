import io
import json
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from pandas.api.types import is_numeric_dtype
from pandas.tseries.offsets import BDay


def run(frame: pd.DataFrame, how: str = "csv") -> npt.NDArray:
    if how == "parquet":
        import pyarrow.parquet
        raise NotImplementedError(pyarrow.parquet)
    try:
        from scipy import stats
    except ImportError:
        stats = None
    return np.asarray(frame)

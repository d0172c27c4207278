__all__ = ["report"]

from . import report

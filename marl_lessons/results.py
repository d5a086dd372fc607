"""How results print: what they hold and of which shape, since the numbers themselves would fill pages. All lessons."""

from __future__ import annotations

from dataclasses import fields
from reprlib import repr as shortened

import numpy as np


def short_repr(result) -> str:
    """One line for a dataclass or named tuple: ``History(q [51, 30, 64, 2], returns 30 arrays, seeds (0, 1, …), …)``.

    A class takes it over by the line ``__repr__ = short_repr``.
    """
    names = getattr(result, "_fields", None) or [field.name for field in fields(result)]
    values = {name: getattr(result, name) for name in names}
    told = ", ".join(f"{name} {_told(v)}" for name, v in values.items() if v is not None)
    return f"{type(result).__name__}({told})"


def _told(value) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return str(list(value.shape))
    if isinstance(value, tuple | list) and any(isinstance(part, np.ndarray) for part in value):
        shapes = {part.shape for part in value}
        alike = f" {list(shapes.pop())}" if len(shapes) == 1 else ""
        return f"{len(value)} arrays{alike}"
    return shortened(value)

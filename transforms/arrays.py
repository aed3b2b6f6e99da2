"""Types of arrays, by what an element is; shapes stand where arrays are used."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
RealArray = npt.NDArray[np.floating]
"""Of any precision."""
ComplexArray = npt.NDArray[np.complexfloating]
"""Of any precision."""
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.integer]
"""Of any width."""

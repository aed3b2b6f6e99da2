"""A SavedModel served by TensorFlow's native library alone.

``import tensorflow`` brings two thousand modules that build and train networks, Keras among
them: 170 MB and two seconds that serving has no use for. The C API (``tensorflow/c/c_api.h``)
is what TensorFlow gives to other languages. Same library, same kernels, same bits.
"""

import ctypes
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.classify import tensorflow
from transforms.classify.artefact import ArtefactError

FloatArray = npt.NDArray[np.float32]

ENDPOINT = "serve"
INPUTS = ("image", "parameters")
"""What the endpoint takes; TensorFlow calls its placeholders ``serve_image`` and so on."""

_FLOAT = 1
"""``TF_FLOAT``."""
_ONE_THREAD = bytes((0x10, 1, 0x28, 1))
"""``ConfigProto``: ``intra_op_parallelism_threads`` and ``inter_op_parallelism_threads`` are 1."""
_IN_CALLER = bytes((0x18, *[0xFF] * 9, 1))
"""``RunOptions``: ``inter_op_thread_pool`` is -1, the caller's own thread."""


class _Output(Structure):
    """``TF_Output``: one output of an operation."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_NewStatus": (c_void_p, ()),
    "TF_DeleteStatus": (None, (c_void_p,)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_NewBufferFromString": (c_void_p, (c_char_p, c_size_t)),
    "TF_NewGraph": (c_void_p, ()),
    "TF_DeleteGraph": (None, (c_void_p,)),
    "TF_NewSessionOptions": (c_void_p, ()),
    "TF_DeleteSessionOptions": (None, (c_void_p,)),
    "TF_SetConfig": (None, (c_void_p, c_char_p, c_size_t, c_void_p)),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        (c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p),
    ),
    "TF_CloseSession": (None, (c_void_p, c_void_p)),
    "TF_DeleteSession": (None, (c_void_p, c_void_p)),
    "TF_GraphOperationByName": (c_void_p, (c_void_p, c_char_p)),
    "TF_OperationOutputConsumers": (c_int, (_Output, POINTER(_Output), c_int)),
    "TF_AllocateTensor": (c_void_p, (c_int, POINTER(c_int64), c_int, c_size_t)),
    "TF_DeleteTensor": (None, (c_void_p,)),
    "TF_TensorData": (c_void_p, (c_void_p,)),
    "TF_TensorByteSize": (c_size_t, (c_void_p,)),
    "TF_SessionRun": (
        None,
        (
            *(c_void_p, c_void_p),
            *(POINTER(_Output), POINTER(c_void_p), c_int),
            *(POINTER(_Output), POINTER(c_void_p), c_int),
            *(c_void_p, c_int, c_void_p, c_void_p),
        ),
    ),
}
"""What is called: its result and its arguments."""


class ServedModel:
    """A SavedModel with an endpoint ``serve(image, parameters)``, on one thread."""

    def __init__(self, folder: Path) -> None:
        """Load the model.

        Raises:
            ArtefactError: It cannot be loaded, or has no such endpoint.
        """
        api = _library()
        graph, session = _load(api, folder)
        self._session = session
        self._endpoint = _endpoint(api, graph, folder)
        weakref.finalize(self, _close, api, graph, session).atexit = False

    def __call__(self, image: FloatArray, parameters: FloatArray) -> FloatArray:
        """Return the probabilities, [example, class], float32.

        Args:
            image: [example, frequency, time, span], float32.
            parameters: [example, parameter], float32.

        Raises:
            ValueError: TensorFlow refuses the inputs.
        """
        api = _library()
        places, result = self._endpoint
        given = (c_void_p * len(INPUTS))(_tensor(api, image), _tensor(api, parameters))
        answer = (c_void_p * 1)()
        try:
            with _status(api, ValueError) as status:
                api.TF_SessionRun(
                    *(self._session, _in_caller(api)),
                    *(places, given, len(INPUTS)),
                    *(result, answer, 1),
                    *(None, 0, None, status),
                )
            return _array(api, answer).reshape(len(image), -1)
        finally:
            for tensor in (*given, *answer):
                api.TF_DeleteTensor(tensor)


@cache
def _library() -> Any:
    """Load TensorFlow's library, which is where memory and time go; once for a process.

    Raises:
        ArtefactError: It is missing.
    """
    tensorflow.prepare_environment()
    _trim()
    for path in _files():
        with tensorflow.without_notices():
            api = ctypes.CDLL(str(path))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(api, name)
        function.restype, function.argtypes = result, arguments
    return api


def _trim() -> None:
    """Give the heap that blocks have left back to the system, where its C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _files() -> list[Path]:
    """Find the library, after the one that it needs."""
    package = find_spec("tensorflow")
    if package is None or package.origin is None:
        raise ArtefactError("TensorFlow is missing: install it")
    folder = Path(package.origin).parent
    # The names' ends differ between systems.
    parts = [sorted(folder.glob(f"libtensorflow_{part}.*")) for part in ("framework", "cc")]
    if not all(parts):
        raise ArtefactError(f"{folder} lacks TensorFlow's libraries: install it again")
    return [found[0] for found in parts]


@cache
def _in_caller(api: Any) -> int:
    buffer: int = api.TF_NewBufferFromString(_IN_CALLER, len(_IN_CALLER))
    return buffer


@contextmanager
def _status(api: Any, error: type[Exception]) -> Iterator[int]:
    """Yield a status to call with; raise what it tells."""
    status = api.TF_NewStatus()
    try:
        yield status
        if api.TF_GetCode(status):
            raise error(api.TF_Message(status).decode(errors="replace"))
    finally:
        api.TF_DeleteStatus(status)


def _load(api: Any, folder: Path) -> tuple[int, int]:
    """Return graph and session, with the variables restored."""
    if not (folder / "variables" / "variables.index").is_file():
        # TensorFlow would load the graph all the same, and fail at the first input.
        raise ArtefactError(f"the model in {folder} lacks its variables: copy the whole folder")
    graph, options = api.TF_NewGraph(), api.TF_NewSessionOptions()
    tags = (c_char_p * 1)(b"serve")
    path = str(folder).encode()
    try:
        # It looks for a graphics card at its first session, and says so.
        with tensorflow.without_notices(), _status(api, RuntimeError) as status:
            api.TF_SetConfig(options, _ONE_THREAD, len(_ONE_THREAD), status)
            session = api.TF_LoadSessionFromSavedModel(
                options, None, path, tags, len(tags), graph, None, status
            )
    except RuntimeError as error:
        api.TF_DeleteGraph(graph)
        raise ArtefactError(f"the model in {folder} cannot be loaded: {error}") from None
    finally:
        api.TF_DeleteSessionOptions(options)
    return graph, session


def _endpoint(api: Any, graph: int, folder: Path) -> tuple[Any, Any]:
    """Find the endpoint's inputs, and its output: the one operation that takes them."""
    places = (_Output * len(INPUTS))()
    taker = (_Output * 1)()
    for place, name in zip(places, INPUTS, strict=True):
        place.operation = api.TF_GraphOperationByName(graph, f"{ENDPOINT}_{name}".encode())
        if not place.operation or api.TF_OperationOutputConsumers(place, taker, 1) != 1:
            raise ArtefactError(f"the model in {folder} has no {ENDPOINT}({', '.join(INPUTS)})")
    taker[0].index = 0
    return places, taker


def _tensor(api: Any, values: FloatArray) -> int:
    held = np.ascontiguousarray(values, np.float32)
    shape = (c_int64 * held.ndim)(*held.shape)
    tensor: int = api.TF_AllocateTensor(_FLOAT, shape, held.ndim, held.nbytes)
    ctypes.memmove(api.TF_TensorData(tensor), held.ctypes.data, held.nbytes)
    return tensor


def _array(api: Any, tensors: Any) -> FloatArray:
    tensor = tensors[0]
    held = ctypes.string_at(api.TF_TensorData(tensor), api.TF_TensorByteSize(tensor))
    return np.frombuffer(held, np.float32)


def _close(api: Any, graph: int, session: int) -> None:
    status = api.TF_NewStatus()
    api.TF_CloseSession(session, status)
    api.TF_DeleteSession(session, status)
    api.TF_DeleteStatus(status)
    api.TF_DeleteGraph(graph)

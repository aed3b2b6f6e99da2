"""From a network to a SavedModel: two doors to one graph.

TensorFlow and Keras are imported where they are used.
"""

import math
from pathlib import Path
from typing import Any

from models import runtime
from models.training import calibration
from transforms.classify import features


def export(model: Any, temperature: calibration.Temperature, folder: Path) -> None:
    """Write a SavedModel that gives float32 probabilities, [example, class].

    It has two endpoints:

    - ``serve(image, parameters)``, float32: what the pipeline calls.
    - ``serving_default(examples)``: serialised ``tf.train.Example``, string [example], whose
      features ``image`` and ``parameters`` hold the same float32 numbers as bytes, little
      endian. This is what tfx-bsl hands on.

    Args:
        model: The network; its output are logits.
        temperature: What the logits are divided by, as :mod:`models.training.calibration` means it.
        folder: Where to write.
    """
    tf = runtime.tensorflow()
    import keras

    image_shape = (len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS))
    parameters_shape = (len(features.PARAMETERS),)
    (a, b), snr = temperature, features.PARAMETERS.index("snr")

    def serve(image: Any, parameters: Any) -> Any:
        logits = model([image, parameters], training=False)
        loudness = parameters[:, snr : snr + 1] - math.log(calibration.REFERENCE)
        divisor = tf.clip_by_value(tf.exp(a + b * loudness), *calibration.LIMITS)
        return tf.nn.softmax(logits / divisor)

    def parse(examples: Any) -> Any:
        # Bytes, not lists of floats: those take 1.2 ms to write instead of 0.02, and as many bytes.
        held = tf.io.FixedLenFeature((), tf.string)
        found = tf.io.parse_example(examples, {"image": held, "parameters": held})
        image = tf.io.decode_raw(found["image"], tf.float32)
        parameters = tf.io.decode_raw(found["parameters"], tf.float32)
        return serve(
            tf.reshape(image, (-1, *image_shape)), tf.reshape(parameters, (-1, *parameters_shape))
        )

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        name="serve",
        fn=serve,
        input_signature=[
            tf.TensorSpec((None, *image_shape), tf.float32, name="image"),
            tf.TensorSpec((None, *parameters_shape), tf.float32, name="parameters"),
        ],
    )
    archive.add_endpoint(
        name="serving_default",
        fn=parse,
        input_signature=[tf.TensorSpec((None,), tf.string, name="examples")],
    )
    archive.write_out(str(folder), verbose=False)

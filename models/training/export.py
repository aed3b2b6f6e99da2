"""From a network to a SavedModel with two endpoints, and to its ONNX form.

TensorFlow and Keras are imported where they are used.
"""

import math
from pathlib import Path
from typing import Any

from models.training import calibration, novelty
from models.training.calibrated import CalibratedModel
from models.training.convert import convert, signature
from transforms.classify import features, tensorflow
from transforms.classify.answers import (
    KNOWN_PROBABILITIES,
    NOVELTY_LOG_ODDS,
    PROBABILITIES,
    STEEPNESS,
)


def export(answer: CalibratedModel, folder: Path) -> None:
    """Write a SavedModel and its ONNX form.

    Its answer has three parts, float32:

    - ``probabilities``, [example, class].
    - ``known_probabilities``, [example, class]: the same before the unknown has its part.
    - ``novelty_log_odds``, [example, 1]: the logarithm of the odds that the example is of no
      class; so `transforms.classify.answers` can set another limit.

    It has two endpoints:

    - ``serve(image, parameters)``, float32: what becomes ONNX.
    - ``serving_default(examples)``: serialised ``tf.train.Example``, string [example], whose
      features ``image`` and ``parameters`` hold the same float32 numbers as bytes, little
      endian. This is what tfx-bsl hands on.

    Args:
        answer: The network, its temperature, as :mod:`models.training.calibration` means it, and
            what it knows, as :mod:`models.training.novelty` does.
        folder: Where to write.
    """
    tf = tensorflow.tensorflow()
    import keras

    image_shape = (len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS))
    parameters_shape = (len(features.PARAMETERS),)
    serve = _served(answer)

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
    archive.track(answer.network)
    archive.add_endpoint(
        name="serve",
        fn=serve,
        input_signature=signature(),
    )
    archive.add_endpoint(
        name="serving_default",
        fn=parse,
        input_signature=[tf.TensorSpec((None,), tf.string, name="examples")],
    )
    archive.write_out(str(folder), verbose=False)
    convert(folder)


def _served(answer: CalibratedModel) -> Any:
    """Return the function from what the network takes to its answer."""
    tf = tensorflow.tensorflow()
    snr = features.PARAMETERS.index("snr")
    (a, b), (c, d) = answer.temperature, answer.novelty.limit
    known = tf.Variable(answer.novelty.known, trainable=False, name="known")

    def serve(image: Any, parameters: Any) -> Any:
        logits, hidden = answer.network([image, parameters], training=False)
        loudness = parameters[:, snr : snr + 1] - math.log(calibration.REFERENCE)
        divisor = tf.clip_by_value(tf.exp(a + b * loudness), *calibration.LIMITS)
        taught = tf.nn.softmax(logits / divisor)
        found = tf.math.l2_normalize(hidden, axis=1)
        # In this order, or the converter keeps all that is known twice, once transposed.
        nearest = tf.gather(known, tf.argmax(tf.matmul(known, found, transpose_b=True), axis=0))
        distance = tf.reduce_sum((found - nearest) ** 2, axis=1, keepdims=True) / 2
        beyond = tf.math.log(tf.maximum(distance, novelty.NEAREST)) - c
        novelty_log_odds = STEEPNESS * (beyond - d * tf.minimum(loudness, 0.0))
        own = tf.one_hot(answer.unknown, taught.shape[1])
        return {
            PROBABILITIES: taught + tf.sigmoid(novelty_log_odds) * (own - taught),
            KNOWN_PROBABILITIES: taught,
            NOVELTY_LOG_ODDS: novelty_log_odds,
        }

    return serve

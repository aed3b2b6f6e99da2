"""The network: a small convolutional one on the image, joined by the trigger's parameters.

TensorFlow and Keras are imported where they are used: the command line reads this
package's configuration without them.
"""

from typing import Any

from transforms.classify import features, tensorflow

FILTERS = (32, 48, 96, 128)
"""Filters of the convolutions, each of which halves the image."""
SIZES = (5, 3, 3, 3)
"""Their kernels; the first one takes strides of two, which is where the time goes."""
HIDDEN = 128
DROPPED = 0.3
"""Part of what a layer hears that is left out in training."""


def build(classes: int) -> Any:
    """Build the network; its output are logits, [example, class]."""
    tensorflow.tensorflow()
    import keras
    from keras import layers

    image = keras.Input(
        (len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS)), name="image"
    )
    parameters = keras.Input((len(features.PARAMETERS),), name="parameters")
    flow = image
    for filters, size in zip(FILTERS, SIZES, strict=True):
        stride = 2 if flow is image else 1
        flow = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(flow)
        flow = layers.BatchNormalization()(flow)
        flow = layers.Activation("relu")(flow)
        if stride == 1:
            flow = layers.MaxPooling2D(2)(flow)
    flow = layers.Dropout(DROPPED)(layers.Flatten()(flow))
    beside = layers.BatchNormalization()(parameters)
    beside = layers.Dense(32, activation="relu")(beside)
    joined = layers.Concatenate()([layers.Dense(HIDDEN, activation="relu")(flow), beside])
    joined = layers.Dense(HIDDEN, activation="relu")(layers.Dropout(DROPPED)(joined))
    return keras.Model([image, parameters], layers.Dense(classes)(joined))

"""Models of convolutions with all sizes and neighbours that a layout has to get right."""

import keras
from keras import layers


def image_model(shape, *stages):
    inputs = keras.Input(shape)
    x = inputs
    for stage in stages:
        x = stage(x)
    return keras.Model(inputs, x)


def branched():
    inputs = keras.Input((40, 1))
    x = layers.Conv1D(1, 1)(inputs)
    return keras.Model(inputs, layers.Add()([x, layers.BatchNormalization()(x), inputs]))


def scaled_below_zero():
    model = image_model(
        (4, 40, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
    )
    model.layers[2].gamma.assign([-1.0, 2.0, -0.5])
    return model


# Sizes that blocks of four do not divide, strides, paddings, and layers that it does not know.
MODELS = {
    "width that is not whole blocks": lambda: image_model(
        (4, 37, 1), layers.Conv2D(3, 3, padding="same"), layers.Conv2D(2, 3, padding="same")
    ),
    "narrower than a block": lambda: image_model((2, 3, 2), layers.Conv2D(2, 3, padding="same")),
    "no padding": lambda: image_model((5, 40, 2), layers.Conv2D(3, (3, 5)), layers.ReLU()),
    "stride 2 after padding": lambda: image_model(
        (4, 41, 2), layers.ZeroPadding2D(1), layers.Conv2D(3, 3, strides=2), layers.LeakyReLU(0.1)
    ),
    "stride 2 in time alone": lambda: image_model(
        (4, 48, 2), layers.ZeroPadding2D((1, 1)), layers.Conv2D(3, 3, strides=(1, 2))
    ),
    "same padding with strides": lambda: image_model(
        (4, 48, 2), layers.Conv2D(3, 3, strides=2, padding="same"), layers.Conv2D(2, 1)
    ),
    "a stride that does not divide a block": lambda: image_model(
        (4, 50, 2), layers.Conv2D(3, (3, 5), strides=(1, 3)), layers.Conv2D(2, 2, strides=6)
    ),
    "a kernel that reaches too far": lambda: image_model(
        (4, 50, 2), layers.Conv2D(3, (3, 13), padding="same")
    ),
    "much padding": lambda: image_model(
        (4, 40, 2), layers.ZeroPadding2D(((1, 1), (9, 2))), layers.Conv2D(3, 3)
    ),
    "more padding than image": lambda: image_model(
        (4, 40, 2), layers.ZeroPadding2D(((1, 1), (90, 70))), layers.Conv2D(3, 3, strides=(1, 2))
    ),
    "as wide as whole vectors": lambda: image_model(
        (2, 512, 1), layers.Conv2DTranspose(1, (1, 63)), layers.Cropping2D(((0, 0), (50, 0)))
    ),
    "transposed": lambda: image_model(
        (3, 20, 2),
        layers.Conv2DTranspose(3, 3, strides=2),
        layers.Activation("sigmoid"),
        layers.Conv2DTranspose(1, 3),
        layers.Cropping2D(((1, 2), (3, 1))),
    ),
    "an activation and then a pooling": lambda: image_model(
        (4, 40, 2), layers.Conv2D(3, 3), layers.Activation("elu"), layers.MaxPooling2D(2)
    ),
    "pooling of an odd image": lambda: image_model(
        (5, 42, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
    ),
    "pooling of an odd image with padding": lambda: image_model(
        (5, 41, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.MaxPooling2D(3, strides=1, padding="same"),
        layers.Conv2D(3, 3, padding="same"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2, padding="same"),
    ),
    "pooling without normalization": lambda: image_model(
        (4, 40, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.Activation("tanh"),
        layers.MaxPooling2D(2),
        layers.Conv2D(2, 3, padding="same"),
    ),
    "other poolings": lambda: image_model(
        (4, 42, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.MaxPooling2D((1, 3)),
        layers.Conv2D(2, 3, padding="same"),
        layers.AveragePooling2D(2),
    ),
    "layers that it does not know": lambda: image_model(
        (4, 40, 2),
        layers.Conv2D(3, 3, padding="same", activation="relu"),
        layers.Conv2D(3, 3, padding="same"),
        layers.Activation("softmax"),
        layers.LayerNormalization(),
        layers.Conv2D(2, 3, padding="same", use_bias=False, dilation_rate=2),
        layers.Flatten(),
        layers.Dense(5),
    ),
    "normalization of an image that is not whole blocks": lambda: image_model(
        (4, 39, 2), layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()
    ),
    "normalization without a scale": lambda: image_model(
        (4, 40, 2), layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization(scale=False)
    ),
    "sequences": lambda: image_model(
        (51, 1),
        layers.ZeroPadding1D(2),
        layers.Conv1D(2, 3),
        layers.BatchNormalization(),
        layers.LeakyReLU(),
        layers.Cropping1D((1, 2)),
        layers.MaxPooling1D(2),
        layers.BatchNormalization(center=False),
        layers.Conv1D(1, 2),
        layers.MaxPooling1D(3),
    ),
    "pooling of an odd sequence with padding": lambda: image_model(
        (51, 1), layers.Conv1D(1, 1), layers.MaxPooling1D(2, padding="same")
    ),
    # With AVX-512 oneDNN itself writes elsewhere where a kernel of one step has a stride:
    # github.com/uxlfoundation/oneDNN/issues/6035
    "sequences with many channels": lambda: image_model(
        (48, 3), layers.Conv1D(8, 3, padding="same"), layers.Conv1D(1, 2, strides=2)
    ),
    "branches": branched,
}

"""In which types a model that was trained in mixed precision computes when it is served.

Keras's mixed policies (`--config.precision`) keep float32 weights, which small updates need, and
narrow them in every step. A model that is served is not updated: it holds the weights of dense
layers and convolutions in the type that these compute in, half the size. Labels are the very same.

A processor without instructions for that type computes it far slower than float32.
"""

import keras
from keras import layers

_NARROWED = (
    *(layers.Dense, layers.Conv1D, layers.Conv2D),
    *(layers.Conv1DTranspose, layers.Conv2DTranspose),
)


def served(model: keras.Model, precision: str) -> keras.Model:
    """Returns a trained model as it is to be served.

    Args:
        model: A functional model.
        precision: "trained" computes as it was trained, "float32" in float32 throughout.

    Returns:
        A copy of the model, or the model where there is nothing to change: no layer has a mixed
        policy.
    """
    if not any(_is_mixed(layer) for layer in model.layers):
        return model

    def changed(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if _is_mixed(layer):
            if precision == "float32":
                config["dtype"] = "float32"
            elif type(layer) in _NARROWED:
                config["dtype"] = layer.compute_dtype
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=changed)
    for variable, trained in zip(copy.variables, model.variables, strict=True):
        variable.assign(trained)
    return copy


def _is_mixed(layer: layers.Layer) -> bool:
    return layer.compute_dtype != layer.variable_dtype

"""Every claim of the report about its models, as a study.

An arm without settings has the report's own. Where the report names no value for what it compares
with (which momentum, which activation, how many more channels), the usual one is taken.
"""

from collections.abc import Mapping
from typing import Any

from tfseq.tuning.sizes import sample_size
from tfseq.tuning.study import (
    BEST,
    FINAL,
    FIRST_TRAINING,
    MUCH_WORSE,
    NO_GAIN,
    QUARTER_WORSE,
    SAME,
    WORSE,
    Arm,
    Expectation,
    Relation,
    Study,
)


def _compare(
    name: str,
    claim: str,
    arms: Mapping[str, Mapping[str, Any]],
    relation: Relation = WORSE,
    *,
    others: Mapping[str, Relation] | None = None,
    metric: str = BEST,
    reading: str = "",
) -> Study:
    """A study that compares each arm with the first; `others` are relations of single arms."""
    reference, *rest = arms
    relations = others or {}
    return Study(
        name=name,
        claim=claim,
        model=name.partition("/")[0],
        arms=tuple(Arm(label, settings) for label, settings in arms.items()),
        expectations=tuple(
            Expectation(label, reference, relations.get(label, relation)) for label in rest
        ),
        metric=metric,
        reading=reading,
    )


def _optimizer(name: str, learning_rate: float | None = None, momentum: float = 0.0) -> dict:
    settings = {"optimizer.name": name, "optimizer.momentum": momentum}
    return settings | ({"optimizer.learning_rate": learning_rate} if learning_rate else {})


def _activations(reference: str, *others: str) -> dict[str, dict[str, str]]:
    return {reference: {}} | {each: {"model.activation": each} for each in others}


_OTHER_ACTIVATIONS = ("tanh", "sigmoid", "leaky_relu")

_MLP = (
    _compare(
        "mlp/hidden-sizes",
        "hidden layers wider than 8000/6000/4000 raise the loss",
        {
            "8000/6000/4000": {},
            "10000/7500/5000": {"model.hidden_units": (10000, 7500, 5000)},
            "12000/9000/6000": {"model.hidden_units": (12000, 9000, 6000)},
        },
    ),
    _compare(
        "mlp/epochs",
        "more than 2 epochs bring no gain",
        {"2 epochs": {"epochs": 2}, "4 epochs": {"epochs": 4}, "8 epochs": {"epochs": 8}},
        NO_GAIN,
    ),
    _compare(
        "mlp/activation",
        "ReLU beats tanh, sigmoid and LeakyReLU",
        _activations("relu", *_OTHER_ACTIVATIONS),
    ),
    _compare(
        "mlp/dropout",
        "dropout 0.3/0.4/0.6 beats 0.2/0.2/0.4",
        {"0.3/0.4/0.6": {}, "0.2/0.2/0.4": {"model.dropout": (0.2, 0.2, 0.4)}},
    ),
    _compare(
        "mlp/initializer",
        "He initialization raises the final loss",
        {"PyTorch's": {}, "He normal": {"model.initializer": "he_normal"}},
        metric=FINAL,
    ),
    _compare(
        "mlp/batch-norm",
        "batch normalization raises the loss (12 to 13)",
        {"without": {}, "with": {"model.batch_norm": True}},
    ),
    _compare(
        "mlp/optimizer",
        "RMSprop at 1e-5 converges slightly better than SGD and Adam",
        {
            "RMSprop 1e-5": {},
            "SGD 1e-5": _optimizer("sgd"),
            "Adam 1e-5": _optimizer("adam"),
            "SGD 1e-3": _optimizer("sgd", 1e-3),
            "Adam 1e-3": _optimizer("adam", 1e-3),
        },
        reading="SGD and Adam at both learning rates that the report names",
    ),
)

_CNN = (
    _compare(
        "cnn/channels",
        "more channels raise the loss",
        {
            "2/3/4": {},
            "4/6/4": {"model.filters": (4, 6, 4)},
            "8/12/4": {"model.filters": (8, 12, 4)},
            "16/24/4": {"model.filters": (16, 24, 4)},
        },
        reading="the last layer keeps its 4 channels: they make the label's steps",
    ),
    _compare(
        "cnn/head",
        "a linear classifier head makes the loss very high",
        {"without": {}, "linear head": {"model.classifier": True}},
        MUCH_WORSE,
    ),
    _compare(
        "cnn/batch-size",
        "the mini-batch size makes no difference",
        {"128": {}} | {str(size): {"batch_size": size} for size in (32, 64, 256, 512)},
        SAME,
        reading="the same number of epochs, so that small batches make more steps",
    ),
    _compare(
        "cnn/optimizer",
        "SGD at 1e-3 beats RMSprop, SGD with momentum and Adam",
        {
            "SGD": {},
            "RMSprop": _optimizer("rmsprop"),
            "SGD, momentum 0.9": _optimizer("sgd", momentum=0.9),
            "Adam": _optimizer("adam"),
        },
        reading="all at 1e-3",
    ),
    _compare(
        "cnn/regularization",
        "batch norm with spatial dropout beats batch norm alone",
        {"with dropout 0.3/0.3": {}, "batch norm alone": {"model.dropout": (0.0, 0.0)}},
    ),
    _compare(
        "cnn/activation",
        "the activation makes no difference",
        _activations("relu", *_OTHER_ACTIVATIONS),
        SAME,
    ),
)

_CONV_AE = (
    _compare(
        "conv_ae/optimizer",
        "RMSprop at 1e-3 converges better than Adam and SGD",
        {"RMSprop": {}, "Adam": _optimizer("adam"), "SGD": _optimizer("sgd")},
        reading="all at 1e-3",
    ),
    _compare(
        "conv_ae/batch-norm",
        "without batch norm in the convolutional tail the loss does not converge as well",
        {"with": {}, "without": {"model.batch_norm": False}},
    ),
    _compare(
        "conv_ae/activation",
        "ReLU in the tail, LeakyReLU in encoder and decoder, is best",
        {
            "tail relu, rest leaky_relu": {},
            "tail leaky_relu": {"model.activation": "leaky_relu"},
            "tail tanh": {"model.activation": "tanh"},
            "rest relu": {"model.autoencoder_activation": "relu"},
            "rest tanh": {"model.autoencoder_activation": "tanh"},
        },
    ),
)

_RESNET = (
    _compare(
        "resnet/initializer",
        "He initialization starts from a much lower loss",
        {
            "He normal": {},
            "PyTorch's": {"model.initializer": "torch"},
            "Glorot uniform": {"model.initializer": "glorot_uniform"},
        },
        QUARTER_WORSE,
        metric=FIRST_TRAINING,
    ),
    _compare(
        "resnet/optimizer",
        "Adam at 1e-3 beats SGD with momentum and RMSprop, and equals SGD",
        {
            "Adam": {},
            "SGD": _optimizer("sgd"),
            "SGD, momentum 0.9": _optimizer("sgd", momentum=0.9),
            "RMSprop": _optimizer("rmsprop"),
        },
        others={"SGD": SAME},
        reading="all at 1e-3",
    ),
    _compare(
        "resnet/activation",
        "ReLU beats the other activations",
        _activations("relu", *_OTHER_ACTIVATIONS),
    ),
)

_RANKING = Study(
    name="models/ranking",
    claim="the CNN beats the MLP; the autoencoder and the residual network build on it and do well",
    model="cnn",
    arms=tuple(Arm(model, model=model) for model in ("cnn", "mlp", "conv_ae", "resnet")),
    expectations=tuple(Expectation("mlp", each, WORSE) for each in ("cnn", "conv_ae", "resnet")),
    reading='"do well": they beat the MLP too',
)

ALL = (
    *(*_MLP, sample_size("mlp")),
    *(*_CNN, sample_size("cnn")),
    *(*_CONV_AE, sample_size("conv_ae")),
    *(*_RESNET, sample_size("resnet")),
    _RANKING,
)
"""All studies, model by model."""

"""The settings are the report's, complete, and refused by their flag where they cannot be."""

import importlib
import inspect
import re

import pytest

from tfseq import configs, datasets, models
from tfseq.configs.flat import flat
from tfseq.errors import UserError

OPTIMIZERS = {
    "mlp": ("rmsprop", 1e-5),
    "cnn": ("sgd", 1e-3),
    "conv_ae": ("rmsprop", 1e-3),
    "resnet": ("adam", 1e-3),
}


@pytest.fixture(params=OPTIMIZERS)
def name(request):
    return request.param


def test_the_optimizer_and_its_rate_are_the_report_s(name):
    optimizer = configs.get(name).optimizer
    assert (optimizer.name, optimizer.learning_rate, optimizer.momentum) == (*OPTIMIZERS[name], 0)


def test_the_mlp_is_trained_for_2_epochs_as_in_the_report():
    assert configs.get("mlp").epochs == 2


def test_dropout_initializer_and_activation_are_the_report_s():
    chosen = {
        name: [configs.get(name).model.get(key) for key in ("dropout", "initializer", "activation")]
        for name in OPTIMIZERS
    }
    assert chosen == {
        "mlp": [(0.3, 0.4, 0.6), "torch", "relu"],
        "cnn": [(0.3, 0.3), "torch", "relu"],
        "conv_ae": [(0.3, 0.3), "torch", "relu"],
        "resnet": [None, "he_normal", "relu"],
    }
    assert configs.get("mlp").model.hidden_units == (8000, 6000, 4000)
    assert configs.get("conv_ae").model.autoencoder_activation == "leaky_relu"


def test_the_model_s_settings_are_the_network_s_with_its_defaults(name):
    network = importlib.import_module(f"tfseq.models.{name}").network
    parameters = list(inspect.signature(network).parameters.values())[1:]
    settings = configs.get(name).model.to_dict()
    assert settings.pop("name") == name
    assert settings == {parameter.name: parameter.default for parameter in parameters}


@pytest.mark.parametrize("name", ["cnn", "conv_ae", "resnet"])
def test_the_settings_build_their_model(name):
    model = models.build(**configs.get(name).model.to_dict())
    assert model.name == name
    assert model.output.shape == (None, 4000)


def test_what_is_set_for_a_data_set_is_what_some_data_set_has(name):
    settings = configs.get(name).dataset.to_dict()
    known = {
        setting
        for each in datasets.names()
        for setting in datasets.builder_class(each).CONFIG_CLASS.settings()
    }
    assert settings.pop("name") in datasets.names()
    assert set(settings) == known
    assert set(settings.values()) == {None}, "unset: every data set keeps its default"


def test_the_report_s_models_share_their_settings_but_model_optimizer_and_epochs():
    shared = []
    for name in OPTIMIZERS:
        settings = configs.get(name).to_dict()
        for key in ("model", "optimizer", "epochs"):
            assert settings.pop(key)
        shared.append(settings)
    assert all(settings == shared[0] for settings in shared)


def test_a_changed_setting_stays_in_its_own_run(name):
    changed = configs.get(name)
    changed.optimizer.learning_rate = 7.0
    changed.dataset.seed = 3
    assert configs.get(name).optimizer.learning_rate == OPTIMIZERS[name][1]
    assert configs.get(name).dataset.seed is None


@pytest.mark.parametrize("each", configs.names())
def test_the_documentation_says_the_command(each):
    module = importlib.import_module(f"tfseq.configs.{each}")
    flag = "model" if each in models.names() else "config_name"
    assert f"python -m tfseq.train --{flag}={each}" in module.__doc__


@pytest.mark.parametrize("each", configs.names())
def test_every_name_has_settings_that_are_accepted(each):
    config = configs.named(each)
    configs.check(config)
    assert config.model.name in models.names()


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"--config_name: there are no settings 'cnn_tim'"):
        configs.named("cnn_tim")


def test_a_model_that_is_not_there_is_refused_by_naming_those_that_are():
    with pytest.raises(
        UserError, match=r"--model: .*'rnn'; there are cnn, conv_ae, mlp, resnet, seqnet"
    ):
        configs.get("rnn")


def test_the_report_s_settings_are_accepted(name):
    before = configs.get(name).to_dict()
    config = configs.get(name)
    configs.check(config)
    assert config.to_dict() == before


CHOICES = {
    "strategy": configs.STRATEGIES,
    "precision": configs.PRECISIONS,
    "optimizer.name": configs.OPTIMIZERS,
    "optimizer.schedule": configs.SCHEDULES,
    "loss": configs.LOSSES,
    "data.cache": configs.CACHES,
    "data.on_corrupt": configs.ON_CORRUPT,
    "lowering": configs.LOWERINGS,
}


@pytest.mark.parametrize("key", CHOICES)
def test_a_choice_that_is_not_there_is_refused_by_naming_those_that_are(key, name):
    config = configs.get(name)
    config.update_from_flattened_dict({key: "best"})
    expected = f"--config.{key}: expected one of {', '.join(CHOICES[key])}, got 'best'"
    with pytest.raises(UserError, match=re.escape(expected)):
        configs.check(config)


@pytest.mark.parametrize(
    ("key", "choice"), [(key, choice) for key, choices in CHOICES.items() for choice in choices]
)
def test_every_choice_is_accepted(key, choice):
    config = configs.get("cnn")
    config.update_from_flattened_dict({key: choice})
    configs.check(config)
    assert flat(config)[key] == choice


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("epochs", 0, "1 or more"),
        ("batch_size", 0, "1 or more"),
        ("batch_size", -4, "1 or more"),
        ("seed", -1, "0 or more"),
        ("seed", 2**32, "less than 2**32"),
        ("early_stopping.patience", -1, "0 or more"),
        ("checkpoint.every_steps", -1, "0 or more"),
        ("optimizer.learning_rate", 0.0, "a number above 0"),
        ("optimizer.learning_rate", -1e-3, "a number above 0"),
        ("optimizer.learning_rate", float("nan"), "a number above 0"),
        ("optimizer.learning_rate", float("inf"), "a number above 0"),
        ("optimizer.weight_decay", float("nan"), "0 or more"),
        ("optimizer.clip_norm", float("inf"), "0 or more"),
        ("optimizer.momentum", -0.1, "a number from 0 to 1"),
        ("optimizer.momentum", 1.5, "a number from 0 to 1"),
        ("optimizer.warmup", 1.5, "a number from 0 to 1"),
        ("optimizer.average", 1.0, "a number from 0 to below 1"),
        ("interval.coverage", -0.1, "a number from 0 to below 1"),
        ("interval.epochs", 0, "1 or more"),
        ("multi_worker.wait_seconds", -1, "0 or more"),
    ],
)
def test_a_number_out_of_range_is_refused_by_its_flag(key, value, expected):
    config = configs.get("cnn")
    config.update_from_flattened_dict({key: value})
    with pytest.raises(UserError) as refused:
        configs.check(config)
    assert str(refused.value) == f"--config.{key}: expected {expected}, got {value}"


@pytest.mark.parametrize(
    ("model", "key", "value", "expected"),
    [
        ("cnn", "filters", (2.5, 3, 4), "whole numbers"),
        ("cnn", "filters", (None, 3, 4), "whole numbers"),
        ("cnn", "filters", ((2,), 3, 4), "whole numbers"),
        ("cnn", "filters", (True, 3, 4), "whole numbers"),
        ("mlp", "hidden_units", (8.5, 6, 4), "whole numbers"),
        ("cnn", "dropout", (None, 0.3), "numbers"),
        ("cnn", "dropout", ("a", 0.3), "numbers"),
    ],
)
def test_several_numbers_are_refused_where_one_is_of_another_kind(model, key, value, expected):
    config = configs.get(model)
    config.model[key] = value
    with pytest.raises(UserError) as refused:
        configs.check(config)
    assert str(refused.value) == f"--config.model.{key}: expected {expected}, got {value}"


def test_a_setting_that_would_not_be_used_is_refused_with_its_value_and_why():
    config = configs.get("cnn")
    configs.refuse(config, "interval", "nobody looks at it")
    config.interval.coverage = 0.8
    with pytest.raises(UserError) as refused:
        configs.refuse(config, "interval", "nobody looks at it")
    assert str(refused.value) == "--config.interval.coverage=0.8: nobody looks at it"
    configs.refuse(config, "interval.epochs", "this one is as it was")


def test_one_value_of_a_setting_is_refused_and_others_are_not():
    config = configs.get("cnn")
    config.strategy = "mirrored"
    configs.refuse(config, "strategy", "there is one process", value="multi_worker")
    config.strategy = "multi_worker"
    with pytest.raises(UserError, match=r"--config\.strategy=multi_worker: there is one process"):
        configs.refuse(config, "strategy", "there is one process", value="multi_worker")

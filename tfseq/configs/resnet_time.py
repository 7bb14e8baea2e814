"""The report's model 4, the residual network, with its output aligned in time, trained on.

    python -m tfseq.train --config_name=resnet_time

Results: docs/results.md.
"""

from ml_collections import ConfigDict

from tfseq.configs import resnet


def get_config() -> ConfigDict:
    """Returns the settings that were found by hand on simulated_emg."""
    config = resnet.get_config()
    config.model.layout = "time"
    config.model.activation = "leaky_relu"
    config.optimizer.name = "adam"
    config.optimizer.learning_rate = 1e-2
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup = 0.05
    config.transform.standardize = True
    config.batch_size = 32
    config.epochs = 20
    return config

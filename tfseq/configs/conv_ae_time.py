"""The report's model 3, the autoencoder and the CNN, with its output aligned in time, trained on.

    python -m tfseq.train --config_name=conv_ae_time

Results: docs/results.md.
"""

from ml_collections import ConfigDict

from tfseq.configs import conv_ae


def get_config() -> ConfigDict:
    """Returns the settings that were found by hand on simulated_emg."""
    config = conv_ae.get_config()
    config.model.layout = "time"
    config.model.activation = "leaky_relu"
    config.model.dropout = (0.0, 0.0)
    config.optimizer.name = "adam"
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup = 0.05
    config.transform.standardize = True
    config.batch_size = 32
    config.epochs = 20
    return config

"""The report's model 3, the convolutional autoencoder.

    python -m tfseq.train --model=conv_ae

Results: docs/results.md.
"""

from ml_collections import ConfigDict

from tfseq.configs import default


def get_config() -> ConfigDict:
    """Returns the report's settings."""
    config = default.get_config()
    config.model = ConfigDict(
        {
            "name": "conv_ae",
            "latent_units": 64,
            "autoencoder_activation": "leaky_relu",
            "filters": (2, 3, 4),
            "dropout": (0.3, 0.3),
            "activation": "relu",
            "negative_slope": 0.01,
            "batch_norm": True,
            "classifier": False,
            "initializer": "torch",
            "layout": "report",
        }
    )
    config.optimizer.name = "rmsprop"
    config.optimizer.learning_rate = 1e-3
    config.epochs = 10
    return config

"""The report's model 1, the MLP.

    python -m tfseq.train --model=mlp

Results: docs/results.md.
"""

from ml_collections import ConfigDict

from tfseq.configs import default


def get_config() -> ConfigDict:
    """Returns the report's settings."""
    config = default.get_config()
    config.model = ConfigDict(
        {
            "name": "mlp",
            "hidden_units": (8000, 6000, 4000),
            "dropout": (0.3, 0.4, 0.6),
            "activation": "relu",
            "negative_slope": 0.01,
            "batch_norm": False,
            "initializer": "torch",
        }
    )
    config.optimizer.name = "rmsprop"
    config.optimizer.learning_rate = 1e-5
    config.epochs = 2
    return config

"""The report's model 2, the CNN.

    python -m tfseq.train --model=cnn

Results: docs/results.md.
"""

from ml_collections import ConfigDict

from tfseq.configs import default


def get_config() -> ConfigDict:
    """Returns the report's settings."""
    config = default.get_config()
    config.model = ConfigDict(
        {
            "name": "cnn",
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
    config.optimizer.name = "sgd"
    config.optimizer.learning_rate = 1e-3
    config.epochs = 10
    return config

"""The report's model 4, the residual network.

    python -m tfseq.train --model=resnet

Results: docs/results.md.
"""

from ml_collections import ConfigDict

from tfseq.configs import default


def get_config() -> ConfigDict:
    """Returns the report's settings."""
    config = default.get_config()
    config.model = ConfigDict(
        {
            "name": "resnet",
            "filters": 2,
            "activation": "relu",
            "negative_slope": 0.01,
            "batch_norm": True,
            "initializer": "he_normal",
            "layout": "report",
        }
    )
    config.optimizer.name = "adam"
    config.optimizer.learning_rate = 1e-3
    config.epochs = 10
    return config

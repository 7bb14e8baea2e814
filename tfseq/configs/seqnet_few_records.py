r"""seqnet for few records of real signals: fewer weights, dropout and augmentation.

    python -m tfseq.train --config_name=seqnet_few_records --dataset=emg_lower_limb \
        --manual_dir=emg

Results: docs/results.md.
"""

from ml_collections import ConfigDict

from tfseq.configs import seqnet


def get_config() -> ConfigDict:
    """Returns the settings that were found by cross-validation over emg_lower_limb's subjects."""
    config = seqnet.get_config()
    config.model.filters = 32
    config.model.blocks = 7
    config.model.dropout = 0.4
    config.augmentation.gain = 0.3
    config.augmentation.noise = 0.2
    config.augmentation.shift = 500
    config.epochs = 25
    return config

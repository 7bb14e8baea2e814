"""Figures of a data set and of a finished run, numbered as the report numbers its own.

What the report calls a sample is a record here, and its records are channels.

| figure | shows | function |
| --- | --- | --- |
| 1 | all channels of a record over time | `samples.line_plot` |
| 2 | histogram of a record | `samples.histogram` |
| 3 | correlation between the channels of two records | `correlation.between_channels` |
| 4 | distribution of each channel of a record | `samples.distributions` |
| 5 | all labels of a split; one label and its distribution | `labels.overview` |
| 6 | every channel and the label against each other | `samples.pair_plot` |
| 7 | correlation between the channels and the label of a record | `correlation.with_label` |
| 8 | loss by epoch beside two baselines | `training.loss_curves` |
| 9 | predicted and true label of the best, median and worst record | `training.predictions` |
| 10 | error by time step and by group | `training.errors` |

The functions take arrays and return a matplotlib figure; `python -m tfseq.figures` reads a data set
or a run and saves them.
"""

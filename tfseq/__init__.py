"""tfseq: a value for every time step of a multi-channel signal, with Keras and TensorFlow."""

__version__ = "0.1.0"

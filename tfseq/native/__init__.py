"""tfseq's own kernels for a processor, in C++, built on first use.

They train and read records as operations of TensorFlow (`tfseq.native.training`,
`tfseq.native.frames`, `tfseq.native.reading`); to label by few channels, Python calls them
(`tfseq.native.inference`). What a convolution with few channels needs of a processor can be said
neither in Keras nor in XLA (docs/kernels.md). A C++ compiler on the machine is enough, g++ or
clang, `c++` or what `$CXX` names; what it builds is kept in `~/.cache/tfseq` for this processor and
this TensorFlow. Where there is none, `available` is False, tfseq computes the same in Keras
operations, and TFDS reads.
"""

from tfseq.native.library import available

__all__ = ["available"]

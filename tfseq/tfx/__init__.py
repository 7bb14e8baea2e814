"""tfseq in TensorFlow Extended: what its components call, and the components that it lacks."""

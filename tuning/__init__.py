"""The report's comparisons, and the search for better settings, with Keras Tuner."""

"""The data set record_sets."""

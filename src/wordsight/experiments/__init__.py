"""The experiments of the paper and of its NIPS 2013 version, rerun: one file a figure or table."""

"""What people ask of a model: what a word looks like, why an image is what it is said to be."""

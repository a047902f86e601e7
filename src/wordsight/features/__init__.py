"""From images to features X: patches, whitening, dictionary, encoding."""

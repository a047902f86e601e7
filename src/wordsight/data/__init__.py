"""Images and labels in: sources, decoding, data sets that stream."""

"""Is an image of a class that was never seen? One contract (`base`), one detector per file."""

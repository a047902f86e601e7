"""Words in: files of word vectors, and the names that are looked up in them."""

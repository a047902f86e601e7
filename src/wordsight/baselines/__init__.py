"""Other methods of zero-shot recognition, by one contract, to be compared with."""

"""From features X to points S in word space."""

"""Files of others that exported pages carry with them; VENDORED.md says which and whose."""

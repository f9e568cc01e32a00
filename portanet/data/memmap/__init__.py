"""Data larger than memory: arrays kept on disk as memory maps, in the user's cache folder."""

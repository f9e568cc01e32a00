"""Checks of the library and of the machine: gradients, backends side by side, and speed."""

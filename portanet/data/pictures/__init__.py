"""Pictures: reading image files as rows, and preparing photographs of digits as MNIST was."""

"""Pictures: files of them as rows, and photographs of digits as MNIST has them."""

"""`python -m portanet` is the command line."""

from portanet.cli import main

if __name__ == "__main__":
    main()

"""`python -m halpose`, and `torchrun … -m halpose`: the command line."""

from halpose.cli import main

if __name__ == "__main__":
    main()

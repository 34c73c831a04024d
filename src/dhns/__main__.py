"""`python -m dhns`: the same as the command `dhns`."""

from dhns.cli import main

if __name__ == "__main__":
    main()

"""`python -m mixqual`, as `accelerate launch -m mixqual` needs it."""

from mixqual.cli import main

if __name__ == "__main__":
    main()

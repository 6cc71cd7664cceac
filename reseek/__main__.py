"""`reseek`: the program. `python -m reseek` is the same."""

from reseek.program.commands import main

if __name__ == "__main__":
    main()

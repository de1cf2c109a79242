"""``python -m matchbook`` is the same as the command ``matchbook``."""

from matchbook.cli import main

if __name__ == "__main__":
    main(prog_name="matchbook")

"""``python -m sentei.cli`` is ``sentei``."""

from sentei.cli import main

if __name__ == "__main__":
    main()

"""``python -m mxtvhf`` is the command ``mxtvhf``."""

from mxtvhf.cli.main import main

if __name__ == "__main__":
    main()

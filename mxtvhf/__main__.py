"""``python -m mxtvhf`` is the command ``mxtvhf``."""

import sys


def main() -> None:
    """Run the command; Ctrl-C is one line also while Python imports it."""
    try:
        from mxtvhf.cli.main import main as run
    except KeyboardInterrupt:
        print("mxtvhf: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()

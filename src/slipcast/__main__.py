"""The command line as ``python -m slipcast``."""

from slipcast.cli.main import main

if __name__ == "__main__":
    main()
